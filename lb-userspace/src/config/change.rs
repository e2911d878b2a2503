//! What two configurations differ in.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::edit::{Edit, Edits, Fields};
pub use self::three_ways::{Dropped, Reread, reread};
use super::document::{Document, HIDDEN, Node, SECRET, push};

mod edit;
#[cfg(test)]
mod tests;
mod three_ways;

/// A service, backend or field that came, went or is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The names that lead to it, from the top: `services`, `web`, `backends`, `alpha`, `weight`.
    pub path: Vec<String>,
    /// What it was; none if it wasn't there.
    #[schema(value_type = Option<Value>)]
    pub was: Option<Node>,
    /// What it is; none if it isn't there any more.
    #[schema(value_type = Option<Value>)]
    pub is: Option<Node>,
}

/// The changes that lead from one configuration to another. None if they differ in the order of services, backends
/// and fields alone.
#[must_use]
pub fn diff(from: &Document, to: &Document) -> Vec<Change> {
    let mut changes = Vec::new();
    differences(&mut Vec::new(), from.root(), to.root(), &mut changes);
    changes
}

fn differences(path: &mut Vec<String>, from: &Node, to: &Node, changes: &mut Vec<Change>) {
    let by_name = |node| -> HashMap<&str, &Node> {
        Node::entries(node).iter().map(|(name, node)| (name.as_str(), node)).collect()
    };
    let (former, present) = (by_name(from), by_name(to));
    let mut note = |path: &[String], was: Option<&Node>, is: Option<&Node>| {
        changes.push(Change { path: path.to_vec(), was: was.cloned(), is: is.cloned() });
    };
    let mut inside = Vec::new();
    for (name, was) in from.entries() {
        path.push(name.clone());
        match present.get(name.as_str()) {
            None => note(path, Some(was), None),
            Some(is) if *is == was => {}
            Some(is) if matches!((was, is), (Node::Map(_), Node::Map(_))) => {
                inside.push((name, was, *is));
            }
            Some(is) => note(path, Some(was), Some(is)),
        }
        path.pop();
    }
    for (name, is) in to.entries().iter().filter(|(name, _)| !former.contains_key(name.as_str())) {
        path.push(name.clone());
        note(path, None, Some(is));
        path.pop();
    }
    for (name, was, is) in inside {
        path.push(name.clone());
        differences(path, was, is, changes);
        path.pop();
    }
}

/// A configuration with changes. Those for which there is no place are left out.
#[must_use]
pub fn apply<'c>(document: &Document, changes: impl IntoIterator<Item = &'c Change>) -> Document {
    let mut result = document.clone();
    for change in changes {
        result.root_mut().set(&change.path, change.is.clone());
    }
    result
}

impl Change {
    /// The names that lead to it, as in `services.web.backends.alpha.weight`.
    #[must_use]
    pub fn place(&self) -> String {
        let mut place = String::new();
        self.path.iter().for_each(|name| push(&mut place, name));
        place
    }

    /// The same for those who may not know the key of the flow hash.
    #[must_use]
    pub fn without_secret(mut self) -> Self {
        if self.path == [SECRET] {
            for value in [&mut self.was, &mut self.is].into_iter().flatten() {
                *value = Node::Text(HIDDEN.into());
            }
        }
        self
    }
}

/// As in `~ services.web.backends.alpha.weight: 1 -> 5` and `+ services.web.backends.delta: address 198.51.100.9`.
impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let place = self.place();
        match (&self.was, &self.is) {
            (Some(was), Some(is)) => write!(out, "~ {place}: {} -> {}", Short(was), Short(is)),
            (None, Some(is)) => write!(out, "+ {place}: {}", Short(is)),
            (Some(was), None) => write!(out, "- {place}: {}", Short(was)),
            (None, None) => write!(out, "  {place}"),
        }
    }
}

/// A value on one line.
struct Short<'n>(&'n Node);

impl fmt::Display for Short<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            Node::Text(text) => write!(out, "{}", super::document::scalar(text)),
            Node::List(values) => {
                let values: Vec<String> = values.iter().map(|value| Short(value).to_string()).collect();
                write!(out, "[{}]", values.join("; "))
            }
            Node::Map(entries) => {
                let entries: Vec<String> = entries.iter().map(|(name, value)| field(name, value)).collect();
                write!(out, "{}", entries.join(", "))
            }
        }
    }
}

/// A field, or how many there are of what has names.
fn field(name: &str, value: &Node) -> String {
    match value {
        Node::Map(entries) if entries.is_empty() => format!("no {name}"),
        Node::Map(entries) if entries.iter().all(|(_, node)| matches!(node, Node::Map(_))) => {
            let names: Vec<String> =
                entries.iter().take(MOST_NAMED).map(|(name, _)| super::document::scalar(name)).collect();
            let rest = entries.len() - names.len();
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            format!("{name} {}{more}", names.join(" "))
        }
        Node::Map(_) => format!("{name} ({})", Short(value)),
        Node::Text(_) | Node::List(_) => format!("{name} {}", Short(value)),
    }
}

/// So many backends of a service are named where it comes or goes.
const MOST_NAMED: usize = 8;
