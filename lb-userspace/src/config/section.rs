//! One mapping of the file while it is validated: where it stands and where its errors go.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::hash::Hash;

use serde_saphyr::{Location, Spanned};

use super::error::{ConfigErrors, Position};
use super::file::{List, Word};
use super::value;

/// What must not be there twice, and on which line it stood first.
pub(super) type Seen<K> = HashMap<K, u64>;

/// The file itself, an entry of one of its lists, or a field with fields of its own.
pub(super) struct Section<'a> {
    /// Such as `services[1]`; empty for the file.
    path: String,
    at: Location,
    errors: &'a mut ConfigErrors,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub fn root(errors: &'a mut ConfigErrors) -> Self {
        Section { path: String::new(), at: Location::UNKNOWN, errors }
    }

    /// An entry of a list of this section.
    pub fn entry<T>(&mut self, list: &str, index: usize, entry: &Spanned<T>) -> Section<'_> {
        let path = self.path_of(&format!("{list}[{index}]"));
        Section { path, at: entry.referenced, errors: self.errors }
    }

    /// A field of this section that has fields of its own.
    pub fn field<T>(&mut self, field: &str, fields: &Spanned<T>) -> Section<'_> {
        let path = self.path_of(field);
        Section { path, at: fields.referenced, errors: self.errors }
    }

    /// A scalar that must be there. `remedy` is what to write when it isn't.
    ///
    /// None if it is missing or wrong; then that has been reported.
    pub fn required<T>(
        &mut self,
        field: &str,
        word: Option<&Word>,
        remedy: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(word) = word else {
            self.missing(field, remedy);
            return None;
        };
        read(&word.value).map_err(|message| self.error(field, word.referenced, message)).ok()
    }

    /// A scalar with a default.
    ///
    /// None if it is wrong; then that has been reported.
    pub fn optional<T>(
        &mut self,
        field: &str,
        word: Option<&Word>,
        default: T,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(word) = word else { return Some(default) };
        read(&word.value).map_err(|message| self.error(field, word.referenced, message)).ok()
    }

    /// A list that must be there. `remedy` is what to write when it isn't.
    pub fn list<'w, T>(
        &mut self,
        field: &str,
        list: Option<&'w List<T>>,
        remedy: &str,
    ) -> Option<&'w [Spanned<T>]> {
        if list.is_none() {
            self.missing(field, remedy);
        }
        list.map(|list| list.value.as_slice())
    }

    /// A name that no neighbour has; `default` and its place if none is written.
    ///
    /// None if it is wrong, taken or unknown; then that has been reported.
    pub fn name(
        &mut self,
        word: Option<&Word>,
        default: Option<(String, Location)>,
        taken: &mut Seen<String>,
    ) -> Option<String> {
        let (name, at) = match word {
            Some(word) => (self.required("name", Some(word), "", value::name)?, word.referenced),
            None => default?,
        };
        self.unique("name", at, taken, name, "rename one")
    }

    /// A value that no neighbour has; the second one is reported.
    pub fn unique<K: Clone + Display + Eq + Hash>(
        &mut self,
        field: &str,
        at: Location,
        taken: &mut Seen<K>,
        key: K,
        remedy: &str,
    ) -> Option<K> {
        match taken.entry(key) {
            Entry::Vacant(entry) => {
                let key = entry.key().clone();
                entry.insert(at.line());
                Some(key)
            }
            Entry::Occupied(entry) => {
                let message =
                    format!("{} is listed twice (first on line {}); {remedy}", entry.key(), entry.get());
                self.error(field, at, message);
                None
            }
        }
    }

    /// Reports what is wrong with a field.
    pub fn error(&mut self, field: &str, at: Location, message: impl Into<String>) {
        let path = self.path_of(field);
        self.errors.add(Position::of(at), path, message.into());
    }

    fn missing(&mut self, field: &str, remedy: &str) {
        let at = Position::of(self.at).unwrap_or(Position::TOP);
        let path = self.path_of(field);
        self.errors.add(Some(at), path, format!("missing; {remedy}"));
    }

    fn path_of(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }
}
