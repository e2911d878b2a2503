//! The directory of a lab: configurations, logs, sockets.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A new directory that only its owner may enter; it is removed with all it holds when this is dropped.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// # Errors
    /// It exists, or can't be made.
    pub fn create(path: PathBuf) -> Result<Directory> {
        DirBuilder::new().mode(0o700).create(&path).with_context(|| path.display().to_string())?;
        Ok(Directory(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}
