//! One mapping of the file while its meaning is read: where it stands and where its errors go.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::hash::Hash;

use super::error::{ConfigErrors, Position};
use super::field::{Form, Scalar};
use super::shape::join;
use super::tree::{Node, Value};

/// What must not be there twice, and on which line it stood first.
pub(super) type Seen<K> = HashMap<K, u64>;

/// A scalar and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Word<'t> {
    pub text: &'t str,
    pub at: Position,
}

/// The file itself, an entry of one of its lists, or a field with fields of its own. The shape of all this has been
/// checked.
pub(super) struct Section<'t, 'e> {
    /// Such as `services[1]`; empty for the file.
    path: String,
    fields: &'t Node,
    /// What fields have that aren't written here.
    defaults: Option<&'t Node>,
    errors: &'e mut ConfigErrors,
}

impl<'t> Section<'t, '_> {
    /// The whole file.
    pub fn root<'e>(fields: &'t Node, errors: &'e mut ConfigErrors) -> Section<'t, 'e> {
        Section { path: String::new(), fields, defaults: None, errors }
    }

    /// An entry of a list of this section.
    pub fn entry(&mut self, list: &str, index: usize, entry: &'t Node) -> Section<'t, '_> {
        let path = join(&self.path, &format!("{list}[{index}]"));
        Section { path, fields: entry, defaults: None, errors: self.errors }
    }

    /// A field of this section that has fields of its own; none if it isn't written.
    pub fn section(&mut self, field: &str) -> Option<Section<'t, '_>> {
        let fields = self.fields.field(field)?;
        Some(Section { path: join(&self.path, field), fields, defaults: None, errors: self.errors })
    }

    /// A field of this section, or of the defaults, that has fields of its own; none if it isn't written in either.
    pub fn inherited(&mut self, field: &str) -> Option<Section<'t, '_>> {
        let (own, default) = (self.fields.field(field), self.defaults.and_then(|node| node.field(field)));
        let (fields, defaults) = own.map_or((default, None), |own| (Some(own), default));
        Some(Section { path: join(&self.path, field), fields: fields?, defaults, errors: self.errors })
    }

    /// The scalars of a list, or of the one in the defaults.
    pub fn words(&self, field: &str) -> impl Iterator<Item = Word<'t>> + use<'t> {
        let entries = self.written(field).map_or(&[][..], Node::entries);
        entries.iter().filter_map(|node| Some(Word { text: node.word()?, at: node.at }))
    }

    /// The same section, with what fields have that aren't written here.
    #[must_use]
    pub fn with_defaults(self, defaults: Option<&'t Node>) -> Self {
        Section { defaults, ..self }
    }

    /// Where it stands.
    pub fn at(&self) -> Position {
        self.fields.at
    }

    /// A field as it is written; none if it isn't.
    pub fn node(&self, field: &str) -> Option<&'t Node> {
        self.fields.field(field)
    }

    /// A scalar as it is written here; none if it isn't, or is no scalar.
    pub fn word<F>(&self, scalar: &Scalar<F>) -> Option<Word<'t>> {
        let node = self.fields.field(scalar.name)?;
        Some(Word { text: node.word()?, at: node.at })
    }

    /// A list's entries and where it stands; none if it isn't written, or is none.
    pub fn list(&self, field: &str) -> Option<(&'t [Node], Position)> {
        let node = self.fields.field(field)?;
        matches!(node.value, Value::List(_)).then(|| (node.entries(), node.at))
    }

    /// A scalar that must be there. None if it is missing or wrong; then that has been reported.
    pub fn required<F: Form>(&self, scalar: &Scalar<F>) -> Option<F::Value> {
        let node = self.written(scalar.name)?;
        scalar.form.read(node.word()?).ok()
    }

    /// A scalar that may be missing; then it is `default`. None if it is wrong; then that has been reported.
    pub fn optional<F: Form>(&self, scalar: &Scalar<F>, default: F::Value) -> Option<F::Value> {
        if self.written(scalar.name).is_none() { Some(default) } else { self.required(scalar) }
    }

    /// A scalar that may be missing. The outer option is none if it is wrong; then that has been reported.
    #[expect(clippy::option_option, reason = "known or not, and if known, there or not")]
    pub fn maybe<F: Form>(&self, scalar: &Scalar<F>) -> Option<Option<F::Value>> {
        if self.written(scalar.name).is_none() { Some(None) } else { self.required(scalar).map(Some) }
    }

    /// A name that no neighbour has; `default` and its place if none is written.
    ///
    /// None if it is wrong, taken or unknown; then that has been reported.
    pub fn name(
        &mut self,
        scalar: &Scalar<impl Form<Value = String>>,
        default: Option<(String, Position)>,
        taken: &mut Seen<String>,
    ) -> Option<String> {
        let (name, at) = match self.node(scalar.name) {
            Some(node) => (self.required(scalar)?, node.at),
            None => default?,
        };
        self.unique(scalar.name, at, taken, name, "rename one")
    }

    /// A value that no neighbour has; the second one is reported.
    pub fn unique<K: Clone + Display + Eq + Hash>(
        &mut self,
        field: &str,
        at: Position,
        taken: &mut Seen<K>,
        key: K,
        remedy: &str,
    ) -> Option<K> {
        match taken.entry(key) {
            Entry::Vacant(entry) => {
                let key = entry.key().clone();
                entry.insert(at.line);
                Some(key)
            }
            Entry::Occupied(entry) => {
                // What was read from no file has no lines.
                let first = match entry.get() {
                    0 => String::new(),
                    line => format!(" (first on line {line})"),
                };
                let message = format!("{} is listed twice{first}; {remedy}", entry.key());
                self.error(field, at, message);
                None
            }
        }
    }

    /// Reports what is wrong with a field.
    pub fn error(&mut self, field: &str, at: Position, message: impl Into<String>) {
        self.errors.add(Some(at), join(&self.path, field), message.into());
    }

    /// A field's value here, or in the defaults.
    fn written(&self, field: &str) -> Option<&'t Node> {
        self.fields.field(field).or_else(|| self.defaults?.field(field))
    }
}
