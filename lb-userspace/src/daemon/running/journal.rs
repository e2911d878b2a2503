//! Where changes outlive the daemon: a file in the state directory.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use super::Running;
use crate::config::change::Change;

/// The format.
const VERSION: u32 = 1;

/// Mode of the file: a change may hold what not everyone may know.
const MODE: u32 = 0o600;

/// The file with the changes.
#[derive(Debug)]
pub struct Journal {
    file: PathBuf,
    /// What it holds, if that can be used.
    content: Option<Vec<u8>>,
    /// It holds what can't be used, and is to be moved aside before it is written.
    is_unusable: bool,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Journaled {
    pub generation: u64,
    /// Of what ran, as [`Document::fingerprint`] tells.
    pub fingerprint: String,
    pub changes: Vec<Change>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    version: u32,
    generation: u64,
    fingerprint: String,
    changes: Vec<Change>,
}

impl Journal {
    /// That of an instance.
    #[must_use]
    pub fn of(state_directory: &Path, instance: &str) -> Self {
        let file = state_directory.join(instance).join("changes.json");
        Journal { file, content: None, is_unusable: false }
    }

    /// What it has; nothing if it can't be used.
    pub(super) fn read(&mut self) -> Journaled {
        let file = self.file.display();
        let octets = match fs::read(&self.file) {
            Ok(octets) => octets,
            Err(missing) if missing.kind() == ErrorKind::NotFound => return Journaled::default(),
            Err(reason) => {
                error!(
                    "{file}: {reason}; lbd starts without the changes made since its configuration was saved"
                );
                self.is_unusable = true;
                return Journaled::default();
            }
        };
        match understand(&octets) {
            Ok(journaled) => {
                self.content = Some(octets);
                journaled
            }
            Err(reason) => {
                error!(
                    "{file}: {reason:#}; lbd starts without the changes made since its configuration was saved"
                );
                self.is_unusable = true;
                Journaled::default()
            }
        }
    }

    /// What it has can't be used.
    pub(super) fn put_aside(&mut self) {
        self.is_unusable = true;
    }

    /// Keeps what was changed, so that it outlives a crash of the machine.
    ///
    /// # Errors
    /// It can't; then it holds what it held.
    pub fn keep(&mut self, running: &Running) -> Result<()> {
        let changes = running.changes();
        let fingerprint = running.document.fingerprint();
        let format = Format { version: VERSION, generation: running.generation, fingerprint, changes };
        let mut octets = serde_json::to_vec_pretty(&format)?;
        octets.push(b'\n');
        self.write(octets).with_context(|| self.file.display().to_string())
    }

    fn write(&mut self, octets: Vec<u8>) -> Result<()> {
        if self.content.as_ref() == Some(&octets) {
            return Ok(());
        }
        let directory = self.file.parent().context("it is in no directory")?;
        fs::create_dir_all(directory)?;
        if self.is_unusable {
            let aside = self.file.with_extension("json.unusable");
            if fs::rename(&self.file, &aside).is_ok() {
                warn!("{}: what can't be used is now {}", self.file.display(), aside.display());
            }
            self.is_unusable = false;
        }
        let unfinished = self.file.with_extension("new");
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).mode(MODE).open(&unfinished)?;
        file.write_all(&octets)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.file)?;
        File::open(directory)?.sync_all()?;
        self.content = Some(octets);
        Ok(())
    }
}

fn understand(octets: &[u8]) -> Result<Journaled> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(octets)?;
    ensure!(version == VERSION, "this is of version {version}, and this lbd reads version {VERSION}");
    let Format { generation, fingerprint, changes, .. } = serde_json::from_slice(octets)?;
    Ok(Journaled { generation, fingerprint, changes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::Node;

    fn journal(test: &str) -> Journal {
        let directory = std::env::temp_dir().join(format!("lb-journal-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        Journal::of(&directory, "default")
    }

    fn again(journal: &Journal) -> Journal {
        Journal { file: journal.file.clone(), content: None, is_unusable: false }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let mut journal = journal("kept");
        assert_eq!(journal.read(), Journaled::default());
        let change = Change {
            path: ["services", "web", "port"].map(str::to_owned).to_vec(),
            was: Some(Node::Text("80".into())),
            is: Some(Node::Map(vec![
                ("b".into(), Node::List(vec![])),
                ("a".into(), Node::Text("010".into())),
            ])),
        };
        let fingerprint = "0f".to_owned();
        let format = Format {
            version: 1,
            generation: 7,
            fingerprint: fingerprint.clone(),
            changes: vec![change.clone()],
        };
        journal.write(serde_json::to_vec(&format).unwrap()).unwrap();
        assert_eq!(again(&journal).read(), Journaled { generation: 7, fingerprint, changes: vec![change] });
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&journal.file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_used_is_put_aside() {
        for (number, content) in
            ["", "{", "{\"version\": 2, \"more\": []}", "{\"version\":1,\"generation\":1}"]
                .into_iter()
                .enumerate()
        {
            let mut journal = journal(&format!("aside-{number}"));
            fs::create_dir_all(journal.file.parent().unwrap()).unwrap();
            fs::write(&journal.file, content).unwrap();
            assert_eq!(journal.read(), Journaled::default(), "{content}");
            journal
                .write(b"{\"version\":1,\"generation\":3,\"fingerprint\":\"\",\"changes\":[]}".to_vec())
                .unwrap();
            assert_eq!(again(&journal).read().generation, 3);
            let aside = fs::read_to_string(journal.file.with_extension("json.unusable")).unwrap();
            assert_eq!(aside, content);
        }
    }
}
