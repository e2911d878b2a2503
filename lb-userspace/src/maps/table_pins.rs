//! Where lookup tables are pinned, each for itself: to open a map by its identifier alone takes `CAP_SYS_ADMIN`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aya::maps::MapData;

/// A table that replaces another one is pinned beside it, until no packet can find the former one any more.
const NEW: &str = "-new";

/// A directory of pins: a table's is its number.
pub struct TablePins {
    directory: PathBuf,
}

impl TablePins {
    /// The pins in a directory that exists.
    pub fn new(directory: &Path) -> Self {
        TablePins { directory: directory.to_owned() }
    }

    /// Opens each pinned table that is in use, which `in_use` knows by number and identifier. The others lose their pins.
    ///
    /// One after the other: a process may have fewer files open than there are tables.
    pub fn open_each<T>(
        &self,
        in_use: impl Fn(u32, u32) -> io::Result<bool>,
        open: impl Fn(&MapData) -> Result<T>,
    ) -> Result<BTreeMap<u32, T>> {
        let shown = || self.directory.display().to_string();
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.directory).with_context(shown)? {
            let entry = entry.with_context(shown)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let is_new = name.ends_with(NEW);
            let Ok(number) = name.trim_end_matches(NEW).parse() else { continue };
            let map = MapData::from_pin(&path).with_context(|| path.display().to_string())?;
            if !in_use(number, map.info()?.id()).with_context(|| format!("lookup table {number}"))? {
                unpin(&path)?;
                continue;
            }
            if is_new {
                self.confirm(&[number])?;
            }
            found.insert(number, open(&map).with_context(|| format!("lookup table {number}"))?);
        }
        Ok(found)
    }

    /// Pins tables before packets can find them.
    pub fn announce(&self, numbers: &[u32], tables: &[&MapData]) -> Result<()> {
        for (&number, map) in numbers.iter().zip(tables) {
            let path = self.beside(number);
            unpin(&path)?;
            map.pin(&path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// Puts the pins of announced tables into their places.
    pub fn confirm(&self, numbers: &[u32]) -> Result<()> {
        for &number in numbers {
            let path = self.directory.join(number.to_string());
            fs::rename(self.beside(number), &path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// Removes the pin of a table that packets can't find any more.
    pub fn remove(&self, number: u32) -> Result<()> {
        unpin(&self.directory.join(number.to_string()))
    }

    fn beside(&self, number: u32) -> PathBuf {
        self.directory.join(format!("{number}{NEW}"))
    }
}

fn unpin(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| path.display().to_string()),
    }
}
