//! What is wrong with a configuration file.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong; it prints as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named when it was asked for.
    pub file: PathBuf,
    /// Where in the file; none if the file could not be read at all.
    pub position: Option<Position>,
    /// The field's path, such as `services[1].vip`; empty if the text isn't the YAML of a configuration.
    pub field: String,
    /// What was found, a semicolon, and what to do.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

/// A place in a file. The first line is 1, and so is the first character of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Counted in lines.
    pub line: u64,
    /// Counted in characters.
    pub column: u64,
}

impl Position {
    /// The file's first character: where what belongs to no other place is reported.
    pub(super) const TOP: Position = Position { line: 1, column: 1 };

    /// Of what stands in no file.
    pub(super) const NOWHERE: Position = Position { line: 0, column: 0 };

    /// The character after `text`.
    pub(super) fn after(text: &str) -> Position {
        let last_line = text.rsplit('\n').next().unwrap_or_default();
        Position { line: text.matches('\n').count() as u64 + 1, column: last_line.chars().count() as u64 + 1 }
    }
}

/// All that is wrong with one file; it prints as one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    file: PathBuf,
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// What is wrong, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.errors.iter()
    }

    pub(super) fn new(file: &Path) -> Self {
        ConfigErrors { file: file.to_owned(), errors: Vec::new() }
    }

    pub(super) fn one(file: &Path, position: Option<Position>, message: impl Into<String>) -> Self {
        let mut errors = ConfigErrors::new(file);
        errors.add(position, String::new(), message.into());
        errors
    }

    pub(super) fn add(&mut self, position: Option<Position>, field: String, message: String) {
        self.errors.push(ConfigError { file: self.file.clone(), position, field, message });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    pub(super) fn in_order(mut self) -> Self {
        self.errors.sort_by_key(|error| error.position);
        self
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
