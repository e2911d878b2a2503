//! Where the programs are that run in the lab.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One of this project's, by name. It lies beside the running executable, or above if that is a test.
///
/// # Errors
/// It was not built.
pub fn ours(name: &str) -> Result<PathBuf> {
    let executable = env::current_exe()?;
    let beside = executable.parent().context("an executable lies in a directory")?;
    let directory = if beside.ends_with("deps") { beside.parent().unwrap_or(beside) } else { beside };
    existing(directory.join(name)).with_context(|| {
        format!(
            "{} is not built: run `cargo xtask test`, or `cargo build --workspace`",
            directory.join(name).display()
        )
    })
}

/// nginx: the machine's, or the one that `cargo xtask setup` unpacked.
///
/// # Errors
/// There is neither.
pub fn nginx() -> Result<PathBuf> {
    unpacked("nginx").context("nginx is missing: run `cargo xtask setup`")
}

/// A program of the machine's, or one that a command of `cargo xtask` has unpacked.
///
/// # Errors
/// There is neither.
pub fn unpacked(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(name);
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain(["usr/sbin", "sbin"].map(|directory| tools.join(directory)))
        .find_map(|directory| existing(directory.join(name)))
        .with_context(|| format!("{name} is missing: `cargo xtask bench` unpacks it where it is needed"))
}

fn existing(file: PathBuf) -> Option<PathBuf> {
    file.is_file().then_some(file)
}
