//! A file with changes, its comments and layout kept.

use std::path::Path;

use yaml_serde::{Mapping, Value};
use yamlpatch::{Op, Patch, apply_yaml_patches};
use yamlpath::{Component, Route};

use super::{BACKENDS, Document, Node, SERVICES};
use crate::config::change::{Change, diff};

/// Octets that are read again for patches, each of which reads the whole file: some seconds' work.
const MOST_READ: usize = 32 << 20;

/// What `text` becomes with changes that lead to `wanted`. None where that can't be had with comments and layout: a file
/// may be written in ways that are hard to change in place.
#[must_use]
pub fn patched(text: &str, changes: &[Change], wanted: &Document) -> Option<String> {
    if text.len().saturating_mul(changes.len()) > MOST_READ {
        return None;
    }
    let (mut document, _) = Document::read(text, Path::new("")).ok()?;
    let mut patched = yamlpath::Document::new(text).ok()?;
    for change in changes {
        let in_place =
            in_place(&document, change).and_then(|patches| apply_yaml_patches(&patched, &patches).ok());
        // Lists in brackets, and empty ones, have no lines of their entries.
        let anew = || apply_yaml_patches(&patched, &anew(&document, change)?).ok();
        patched = in_place.or_else(anew)?;
        document.0.set(&change.path, change.is.clone()).then_some(())?;
    }
    let patched = patched.source().to_owned();
    let (says, _) = Document::read(&patched, Path::new("")).ok()?;
    diff(&says, wanted).is_empty().then_some(patched)
}

/// What makes a change where it is, in a file that says `document`.
fn in_place<'c>(document: &Document, change: &'c Change) -> Option<Vec<Patch<'c>>> {
    let (name, parent) = change.path.split_last()?;
    let remains = document.0.at(parent)?.entries().len();
    let add = |value| Some(patch(route(document, parent)?, Op::Add { key: name.clone(), value }));
    let remove = || Some(patch(route(document, &change.path)?, Op::Remove));
    Some(match (&change.was, &change.is) {
        (None, Some(is)) if is_listed(&change.path) => {
            vec![patch(route(document, parent)?, Op::Append { value: of_entry(is) })]
        }
        (Some(_), None) if is_listed(&change.path) && remains == 1 => return None,
        (None, Some(is)) => vec![add(of_field(name, is))?],
        (Some(_), None) => vec![remove()?],
        (Some(Node::Text(_)), Some(is @ Node::Text(_))) => {
            vec![patch(route(document, &change.path)?, Op::Replace(of_field(name, is)))]
        }
        (Some(_), Some(is)) => vec![remove()?, add(of_field(name, is))?],
        (None, None) => Vec::new(),
    })
}

/// The list of a service or backend that comes or goes, written anew.
fn anew<'c>(document: &Document, change: &'c Change) -> Option<Vec<Patch<'c>>> {
    let (name, list) = change.path.split_last()?;
    let (field, above) = list.split_last()?;
    let mut entries = document.0.at(list)?.clone();
    if !is_listed(&change.path) || !entries.set(&[name], change.is.clone()) {
        return None;
    }
    let add = Op::Add { key: field.clone(), value: of_field(field, &entries) };
    Some(vec![patch(route(document, list)?, Op::Remove), patch(route(document, above)?, add)])
}

fn patch<'c>(route: Vec<Component<'c>>, operation: Op<'c>) -> Patch<'c> {
    Patch { route: Route::from(route), operation }
}

/// Whether a path leads to an entry of a list: a service, or a backend.
fn is_listed(path: &[String]) -> bool {
    match path {
        [services, _] => services == SERVICES,
        [services, _, backends, _] => services == SERVICES && backends == BACKENDS,
        _ => false,
    }
}

/// Where a path leads in the file: entries of lists are counted there.
fn route<'c>(document: &Document, path: &'c [String]) -> Option<Vec<Component<'c>>> {
    let mut node = &document.0;
    let mut route = Vec::new();
    for (depth, name) in path.iter().enumerate() {
        if is_listed(&path[..=depth]) {
            route.push(Component::Index(node.entries().iter().position(|(known, _)| known == name)?));
        } else {
            route.push(Component::Key(name.into()));
        }
        // What isn't there yet has no fields.
        node = match node.get(name) {
            Some(node) => node,
            None if depth + 1 == path.len() => node,
            None => return None,
        };
    }
    Some(route)
}

/// A service or a backend.
fn of_entry(node: &Node) -> Value {
    let fields =
        node.entries().iter().map(|(name, value)| (Value::from(name.as_str()), of_field(name, value)));
    Value::Mapping(fields.collect::<Mapping>())
}

fn of_field(name: &str, node: &Node) -> Value {
    match node {
        Node::Map(entries) if name == BACKENDS || name == SERVICES => {
            Value::Sequence(entries.iter().map(|(_, entry)| of_entry(entry)).collect())
        }
        Node::Map(_) => of_entry(node),
        Node::List(values) => Value::Sequence(values.iter().map(|value| of_field("", value)).collect()),
        Node::Text(text) => of_text(text),
    }
}

/// Numbers and such need no quotes where they are written as they are.
fn of_text(text: &str) -> Value {
    let plain = yaml_serde::from_str::<Value>(text).ok();
    let plain = plain.filter(|value| matches!(value, Value::Number(_) | Value::Bool(_)));
    let same = |value: &Value| yaml_serde::to_string(value).is_ok_and(|written| written.trim_end() == text);
    plain.filter(same).unwrap_or_else(|| Value::from(text))
}
