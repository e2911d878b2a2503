//! A configuration as a tree of text: what can be compared, changed, kept and written, field by field.
//!
//! Scalars stay the text that they are in the file. Services and backends are found by their names, as the
//! configuration means them: a service without one by `192.0.2.1:80/tcp`, a backend by its address.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip::SipHasher13;

use super::error::ConfigErrors;
use super::tree::{self, Name, Value};
use super::{Config, Position};

mod patch;
#[cfg(test)]
mod tests;
mod yaml;

pub use self::patch::patched;
pub(super) use self::yaml::scalar;

/// The field that has services.
pub const SERVICES: &str = "services";
/// A service's field that has backends.
pub const BACKENDS: &str = "backends";
/// The field that nobody is shown.
pub(super) const SECRET: &str = "hash_key";
/// What is shown in its place.
pub(super) const HIDDEN: &str = "(hidden)";

/// A value of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A scalar.
    Text(String),
    /// Values in an order that counts.
    List(Vec<Node>),
    /// Fields, or services or backends by their names. The order is that of the file, and doesn't count.
    Map(Vec<(String, Node)>),
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(Node);

impl Node {
    /// What it has under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|(known, _)| known == name).map(|(_, node)| node)
    }

    /// What is at a path.
    #[must_use]
    pub fn at<S: AsRef<str>>(&self, path: &[S]) -> Option<&Node> {
        path.iter().try_fold(self, |node, name| node.get(name.as_ref()))
    }

    /// Its text, if it is a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Node::Text(text) = self { Some(text) } else { None }
    }

    /// What it has, if it is a map.
    #[must_use]
    pub fn entries(&self) -> &[(String, Node)] {
        if let Node::Map(entries) = self { entries } else { &[] }
    }

    /// Puts a value at a path, or takes out what is there. `false` if there is nothing on the way to it.
    pub fn set<S: AsRef<str>>(&mut self, path: &[S], value: Option<Node>) -> bool {
        let [name, rest @ ..] = path else { return false };
        let (name, Node::Map(entries)) = (name.as_ref(), self) else { return false };
        let place = entries.iter().position(|(known, _)| known == name);
        match (place, rest.is_empty(), value) {
            (Some(place), false, value) => return entries[place].1.set(rest, value),
            (None, false, _) => return false,
            (Some(place), true, Some(value)) => entries[place].1 = value,
            (Some(place), true, None) => drop(entries.remove(place)),
            (None, true, Some(value)) => entries.push((name.to_owned(), value)),
            (None, true, None) => {}
        }
        true
    }

    /// With entries in the order of their names.
    fn sorted(&self) -> Node {
        match self {
            Node::Map(entries) => {
                let mut entries: Vec<_> =
                    entries.iter().map(|(name, node)| (name.clone(), node.sorted())).collect();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                Node::Map(entries)
            }
            Node::Text(_) | Node::List(_) => self.clone(),
        }
    }

    /// The list of a map's values, as a file has them.
    fn listed(&self) -> Node {
        Node::List(self.entries().iter().map(|(_, node)| node.clone()).collect())
    }

    /// A list's values, by their names.
    fn named(&mut self, names: impl Iterator<Item = String>) {
        let values = match std::mem::replace(self, Node::Map(Vec::new())) {
            Node::List(values) => values,
            Node::Map(entries) => entries.into_iter().map(|(_, value)| value).collect(),
            Node::Text(_) => Vec::new(),
        };
        *self = Node::Map(names.zip(values).collect());
    }
}

impl Document {
    /// What a file says, as written and as meant.
    ///
    /// # Errors
    ///
    /// All that is wrong with the text.
    pub fn read(text: &str, file: &Path) -> Result<(Document, Config), ConfigErrors> {
        let (tree, faults) = tree::read(text);
        let config = Config::meant(tree.as_ref(), faults, file)?;
        let fields = tree.as_ref().and_then(of_tree).unwrap_or(Node::Map(Vec::new()));
        let mut document = Document(fields);
        document.name(&config);
        Ok((document, config))
    }

    /// What it means. The file's name is for later messages.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, one line each: field, what was found, a semicolon, and what to do. Without places:
    /// nobody sees the text.
    pub fn meaning(&self, file: &Path) -> Result<Config, String> {
        let tree = in_tree(&self.plain());
        Config::meant(Some(&tree), Vec::new(), file).map_err(|errors| {
            let lines: Vec<String> = errors
                .iter()
                .map(|error| format!("{}: {}", self.named_path(&error.field), error.message))
                .collect();
            lines.join("\n")
        })
    }

    /// Finds services and backends by the names that they have now.
    pub fn name(&mut self, config: &Config) {
        let Node::Map(fields) = &mut self.0 else { return };
        let Some((_, services)) = fields.iter_mut().find(|(name, _)| name == SERVICES) else { return };
        services.named(config.services.iter().map(|service| service.name.clone()));
        let Node::Map(services) = services else { return };
        for ((_, service), configured) in services.iter_mut().zip(&config.services) {
            let Node::Map(fields) = service else { continue };
            let backends = fields.iter_mut().find(|(name, _)| name == BACKENDS);
            if let Some((_, backends)) = backends {
                backends.named(configured.backends.iter().map(|backend| backend.name.clone()));
            }
        }
    }

    /// Its fields.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.0
    }

    /// Its fields, to be changed.
    pub fn root_mut(&mut self) -> &mut Node {
        &mut self.0
    }

    /// The same for those who may not know the key of the flow hash.
    #[must_use]
    pub fn without_secret(&self) -> Document {
        let mut shown = self.clone();
        if shown.0.get(SECRET).is_some() {
            shown.0.set(&[SECRET], Some(Node::Text(HIDDEN.into())));
        }
        shown
    }

    /// As YAML: every scalar reads back as the text that it is.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml::written(&self.plain())
    }

    /// Tells it from others, however services, backends and fields are ordered: 16 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hasher = SipHasher13::new();
        self.0.sorted().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// With services and backends in lists.
    fn plain(&self) -> Node {
        let in_list = |node: &Node, field: &str, entry: &dyn Fn(&Node) -> Node| match node {
            Node::Map(fields) => Node::Map(
                fields
                    .iter()
                    .map(|(name, node)| {
                        (name.clone(), if name == field { entry(node) } else { node.clone() })
                    })
                    .collect(),
            ),
            other => other.clone(),
        };
        in_list(&self.0, SERVICES, &|services| {
            let Node::List(services) = services.listed() else { return services.clone() };
            let services = services.iter().map(|service| in_list(service, BACKENDS, &Node::listed));
            Node::List(services.collect())
        })
    }

    /// `services[1].backends[0].weight` with the names that these have.
    fn named_path(&self, path: &str) -> String {
        let mut at = Some(&self.0);
        let mut named = String::new();
        for part in path.split('.') {
            let (field, index) = part.split_once('[').unwrap_or((part, ""));
            at = at.and_then(|node| node.get(field));
            let entry =
                index.trim_end_matches(']').parse().ok().and_then(|index: usize| at?.entries().get(index));
            match entry {
                Some((name, node)) => {
                    push(&mut named, field);
                    push(&mut named, name);
                    at = Some(node);
                }
                None => push(&mut named, part),
            }
        }
        named
    }
}

/// What is written in a file; none where nothing is.
fn of_tree(tree: &tree::Node) -> Option<Node> {
    match &tree.value {
        Value::Nothing | Value::Wrong => None,
        Value::Word(text) => Some(Node::Text(text.clone())),
        Value::List(entries) => Some(Node::List(entries.iter().filter_map(of_tree).collect())),
        Value::Fields(fields) => {
            let fields = fields.iter().filter_map(|(name, node)| Some((name.text.clone(), of_tree(node)?)));
            Some(Node::Map(fields.collect()))
        }
    }
}

/// As if it were written in a file, and nowhere in it.
fn in_tree(node: &Node) -> tree::Node {
    let at = Position::NOWHERE;
    let value = match node {
        Node::Text(text) => Value::Word(text.clone()),
        Node::List(values) => Value::List(values.iter().map(in_tree).collect()),
        Node::Map(entries) => {
            let name = |name: &String| Name { text: name.clone(), at };
            Value::Fields(entries.iter().map(|(text, node)| (name(text), in_tree(node))).collect())
        }
    };
    tree::Node { at, value }
}

/// Adds a name to a path, in brackets where dots would not tell what it is.
pub(super) fn push(path: &mut String, name: &str) {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || "_-[]".contains(c)) && !name.is_empty();
    if !is_plain {
        path.extend(["[", name, "]"]);
    } else if path.is_empty() {
        path.push_str(name);
    } else {
        path.extend([".", name]);
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Text(text) => serializer.serialize_str(text),
            Node::List(values) => serializer.collect_seq(values),
            Node::Map(entries) => serializer.collect_map(entries.iter().map(|(name, node)| (name, node))),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfNode)
    }
}

struct OfNode;

impl<'de> Visitor<'de> for OfNode {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("text, a list or fields")
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Node::List(values))
    }

    /// A field that isn't there is null where the file as written is told.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Option<Node>>()? {
            entries.extend(value.map(|value| (name, value)));
        }
        Ok(Node::Map(entries))
    }
}
