//! What lbd has to remember of pinned maps, in a file: whom their numbers stand for.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::planner::Kept;

/// Of [`Written`].
const VERSION: u32 = 1;

/// `roster.json` in the instance's part of the state directory.
///
/// It is written before the maps are, and without waiting for the disk: what it tells of is gone too when the machine stops.
pub(super) struct Memory {
    file: PathBuf,
    written: Written,
    /// Whether the file is still about maps that others go on with, should this process fail.
    waits: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    /// Which start of the machine: maps don't outlive it.
    boot: String,
    /// The maps that this is about, by the identifier of one of each set. Two, while one takes over from the other.
    maps: BTreeSet<u32>,
    kept: Kept,
}

impl Memory {
    /// Where an instance's memory is.
    pub fn file(state_directory: &Path, instance: &str) -> PathBuf {
        state_directory.join(instance).join("roster.json")
    }

    /// What is known of the maps of that identifier. None if nothing is.
    ///
    /// # Errors
    /// The machine doesn't tell when it was started.
    pub fn read(file: &Path, maps: u32) -> Result<Option<Kept>> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        };
        let written = match serde_json::from_str::<Written>(&text) {
            Ok(written) if written.version == VERSION => written,
            Ok(Written { version, .. }) => {
                warn!("{}: version {version} instead of {VERSION}", file.display());
                return Ok(None);
            }
            Err(error) => {
                warn!("{}: {error}", file.display());
                return Ok(None);
            }
        };
        let is_of_these = written.boot == boot()? && written.maps.contains(&maps);
        Ok(is_of_these.then_some(written.kept))
    }

    /// Nothing yet, about those maps. If it `waits`, the file isn't written before it settles on them.
    ///
    /// # Errors
    /// The directory can't be made.
    pub fn begin(file: PathBuf, maps: BTreeSet<u32>, waits: bool) -> Result<Self> {
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        }
        let written = Written { version: VERSION, boot: boot()?, maps, kept: Kept::default() };
        Ok(Memory { file, written, waits })
    }

    /// Remembers what is known now.
    ///
    /// # Errors
    /// The file can't be written: what it says is still true for the maps as they are.
    pub fn keep(&mut self, kept: Kept) -> Result<()> {
        if self.written.kept == kept {
            return Ok(());
        }
        let former = std::mem::replace(&mut self.written.kept, kept);
        if self.waits {
            return Ok(());
        }
        self.write().inspect_err(|_| self.written.kept = former)
    }

    /// Whether what is remembered names another thing by a number, or lacks one.
    pub fn has_other_numbers(&self, kept: &Kept) -> bool {
        !self.written.kept.has_numbers_of(kept)
    }

    /// Remembers that these are the only maps now.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn settle_on(&mut self, maps: u32) -> Result<()> {
        self.written.maps = [maps].into();
        self.waits = false;
        self.write()
    }

    fn write(&self) -> Result<()> {
        let beside = self.file.with_extension("new");
        let shown = || beside.display().to_string();
        fs::write(&beside, serde_json::to_vec(&self.written)?).with_context(shown)?;
        fs::rename(&beside, &self.file).with_context(shown)
    }
}

fn boot() -> Result<String> {
    let file = "/proc/sys/kernel/random/boot_id";
    Ok(fs::read_to_string(file).context(file)?.trim().to_owned())
}
