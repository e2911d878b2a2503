//! The running configuration: the file as it was read last, and what was changed since.
//!
//! Pure but for `journal` and `saving`: every change yields another one, which is the daemon's only once its maps hold
//! what it says.

mod journal;
mod saving;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tracing::{info, warn};

use crate::config::Config;
use crate::config::change::{Change, Edit, Reread, apply, diff, reread};
use crate::config::document::Document;
use crate::events::{Event, tell};

pub use journal::Journal;
use journal::Journaled;
pub use saving::{FormerFile, save};

/// What runs, and where it came from.
#[derive(Clone, Debug)]
pub struct Running {
    /// The configuration file; an absolute path.
    file: PathBuf,
    /// Its text, as it was read last.
    text: String,
    /// What that says.
    saved: Document,
    /// What runs.
    document: Document,
    /// Goes up with every change.
    generation: u64,
}

/// A configuration that could run, as written and as meant.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// As written.
    pub running: Running,
    /// As meant.
    pub config: Config,
}

impl Candidate {
    /// What a file says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_file(file: &Path) -> Result<Candidate> {
        let (text, saved, config) = read(file)?;
        let file = std::path::absolute(file).with_context(|| file.display().to_string())?;
        Ok(Candidate {
            running: Running { file, text, document: saved.clone(), saved, generation: 0 },
            config,
        })
    }

    /// The same with the changes that its journal has: what the daemon starts with.
    #[must_use]
    pub fn with_journal(self) -> (Candidate, Journal) {
        let mut journal = Journal::of(&self.config.state_directory, &self.config.instance);
        let Journaled { generation, fingerprint, changes } = journal.read();
        let reread = reread(&self.running.saved, &changes);
        report(&reread);
        let with_changes = self.running.with_file_and(&reread, self.config.clone());
        let mut candidate = with_changes.unwrap_or_else(|error| {
            warn!("the file with the changes made since it was saved isn't valid, they are dropped: {error}");
            journal.put_aside();
            self
        });
        // The file may have become another one while nobody looked.
        let is_another = candidate.running.document.fingerprint() != fingerprint;
        candidate.running.generation = generation + u64::from(is_another);
        (candidate, journal)
    }
}

/// Tells of what became of changes.
pub(super) fn report(reread: &Reread) {
    for dropped in &reread.dropped {
        let change = dropped.change.clone().without_secret().to_string();
        tell(Event::ChangeDropped { change, reason: dropped.reason.clone() });
    }
    for change in &reread.done {
        info!("the file has it now: {}", change.clone().without_secret());
    }
    for change in &reread.kept {
        info!("changed since the file was saved: {}", change.clone().without_secret());
    }
}

/// A file's text, what it says and what that means.
fn read(file: &Path) -> Result<(String, Document, Config)> {
    let text = Config::text(file)?;
    let (document, config) = Document::read(&text, file)?;
    Ok((text, document, config))
}

impl Running {
    /// The configuration file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The file's text, as it was read last.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What runs.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// What the file says.
    #[must_use]
    pub fn saved(&self) -> &Document {
        &self.saved
    }

    /// Goes up with every change.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What was changed since the file was read.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        diff(&self.saved, &self.document)
    }

    /// With some edits.
    ///
    /// # Errors
    /// What is wrong, one line each.
    pub fn edited(&self, edits: &[Edit]) -> Result<Candidate, String> {
        let mut document = self.document.clone();
        edits.iter().try_for_each(|edit| edit.make(&mut document, &self.saved))?;
        self.with(document)
    }

    /// What the file said when it was read last.
    ///
    /// # Errors
    /// None that the file didn't have then.
    pub fn reverted(&self) -> Result<Candidate, String> {
        self.with(self.saved.clone())
    }

    /// What `document` says, which is a file of this text; of the daemon's own file, if that has the same text.
    #[must_use]
    pub fn replaced(&self, text: &str, document: Document, config: Config) -> Candidate {
        let mut running = self.clone();
        if Config::text(&self.file).is_ok_and(|own| own == text) {
            text.clone_into(&mut running.text);
            running.saved = document.clone();
        }
        running.become_document(document);
        Candidate { config: Config { file: self.file.clone(), ..config }, running }
    }

    /// The file as it is now, with the changes that stay.
    ///
    /// # Errors
    /// What is wrong with the file, or with the changes in it.
    pub fn reread(&self) -> Result<(Candidate, Reread)> {
        let (text, saved, config) = read(&self.file)?;
        let reread = reread(&saved, &self.changes());
        let running = Running { text, saved, ..self.clone() };
        let candidate = running.with_file_and(&reread, config).map_err(|error| {
            let file = self.file.display();
            anyhow::anyhow!(
                "{file}: with the changes made since it was saved, this isn't valid; lbctl config revert drops them\n{error}"
            )
        })?;
        Ok((candidate, reread))
    }

    /// The same, once the file has the text that says what runs.
    #[must_use]
    pub fn saved_as(&self, text: String) -> Running {
        Running { text, saved: self.document.clone(), ..self.clone() }
    }

    /// The file, whose meaning is `config`, with the changes that stay.
    fn with_file_and(&self, reread: &Reread, config: Config) -> Result<Candidate, String> {
        if reread.kept.is_empty() {
            let mut running = self.clone();
            running.become_document(self.saved.clone());
            return Ok(Candidate { running, config });
        }
        let mut candidate = self.with(apply(&self.saved, &reread.kept))?;
        // These know their places in the file.
        candidate.config.interfaces = config.interfaces;
        Ok(candidate)
    }

    fn with(&self, document: Document) -> Result<Candidate, String> {
        let config = document.meaning(&self.file)?;
        let mut running = self.clone();
        let mut document = document;
        document.name(&config);
        running.become_document(document);
        Ok(Candidate { running, config })
    }

    fn become_document(&mut self, document: Document) {
        self.generation += u64::from(!diff(&self.document, &document).is_empty());
        self.document = document;
    }
}
