//! Whether a tree has the fields and values that it may have. What is said here of a field isn't said again.

use std::collections::HashMap;

use super::error::{ConfigErrors, Position};
use super::field::{Described, Entries, Field, Fields, List};
use super::tree::{Name, Node, Value};
use super::value::shown;
use crate::nearest::nearest;

/// Reports what is wrong with the fields of a mapping that stands in `path`, each for itself.
pub(super) fn check(path: &str, mapping: &Node, known: Fields, errors: &mut ConfigErrors) {
    let written = match &mapping.value {
        Value::Fields(fields) => fields.as_slice(),
        Value::Nothing => &[],
        Value::Wrong => return,
        Value::Word(_) | Value::List(_) => {
            let message = "fields are expected here; write them as name: value, one a line";
            return errors.add(Some(mapping.at), path.to_owned(), message.into());
        }
    };
    // Who has mistyped a name hasn't left it out.
    let mut meant = Vec::new();
    let mut seen = HashMap::new();
    for (name, node) in written {
        let place = join(path, &shown(&name.text));
        if let Some(first) = seen.get(name.text.as_str()) {
            let message = format!("it is given twice (first on line {first}); remove one");
            errors.add(Some(name.at), place, message);
            continue;
        }
        seen.insert(name.text.as_str(), name.at.line);
        match known.iter().copied().flatten().find(|field| field.name() == name.text) {
            None => {
                let nearest = nearest(&name.text, known.iter().copied().flatten().map(Field::name));
                meant.extend(nearest);
                errors.add(Some(name.at), place, unknown(name, nearest, known));
            }
            Some(Field::Scalar(scalar)) => check_word(place, node, *scalar, errors),
            Some(Field::List(list)) => check_list(&place, node, list, errors),
            // Without a value it isn't there.
            Some(Field::Section(_)) if matches!(node.value, Value::Nothing) => {}
            Some(Field::Section(group)) => check(&place, node, group.fields, errors),
        }
    }
    // What the file lacks has no better place than its beginning, in front of any comment.
    let at = if path.is_empty() { Position::TOP } else { mapping.at };
    for field in known.iter().copied().flatten() {
        if let Some(remedy) = field.remedy()
            && mapping.field(field.name()).is_none()
            && !meant.contains(&field.name())
        {
            errors.add(Some(at), join(path, field.name()), format!("missing; {remedy}"));
        }
    }
}

/// The path of a field of a mapping.
pub(super) fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn check_word(path: String, node: &Node, scalar: &dyn Described, errors: &mut ConfigErrors) {
    let message = match &node.value {
        Value::Word(text) => scalar.check(text).err(),
        Value::Nothing | Value::Wrong => None,
        Value::List(_) | Value::Fields(_) => {
            Some("a single value is expected here; write it without dashes, brackets and braces".into())
        }
    };
    if let Some(message) = message {
        errors.add(Some(node.at), path, message);
    }
}

fn check_list(path: &str, node: &Node, list: &List, errors: &mut ConfigErrors) {
    match &node.value {
        Value::Nothing | Value::Wrong => return,
        Value::List(_) => {}
        Value::Word(_) | Value::Fields(_) => {
            let message = "a list is expected here; start each entry with a dash";
            return errors.add(Some(node.at), path.to_owned(), message.into());
        }
    }
    if node.entries().is_empty() && !list.may_be_empty {
        let message = format!("the list is empty; {}", list.remedy.unwrap_or("remove it"));
        errors.add(Some(node.at), path.to_owned(), message);
    }
    for (index, entry) in node.entries().iter().enumerate() {
        let path = format!("{path}[{index}]");
        match list.of {
            Entries::Sections(fields) => check(&path, entry, fields, errors),
            Entries::Scalars(_) if matches!(entry.value, Value::Nothing) => {
                let message = "a value is missing here; write it, or remove the entry";
                errors.add(Some(entry.at), path, message.into());
            }
            Entries::Scalars(scalar) => check_word(path, entry, scalar, errors),
        }
    }
}

fn unknown(name: &Name, nearest: Option<&str>, known: Fields) -> String {
    if name.text == "<<" {
        return "YAML's merge is not supported; write the fields out, or put them into defaults".into();
    }
    let known: Vec<&str> = known.iter().copied().flatten().map(Field::name).collect();
    let meant = nearest.map(|name| format!("did you mean {name}? ")).unwrap_or_default();
    format!("unknown field; {meant}allowed here are {}", known.join(", "))
}
