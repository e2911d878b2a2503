//! A document as YAML.

use std::fmt::Write;

use super::Node;

/// What YAML's readers take for nothing where a value is wanted.
const NULLS: [&str; 4] = ["null", "Null", "NULL", "~"];

/// A document's fields, one a line.
pub(super) fn written(fields: &Node) -> String {
    let mut text = String::new();
    map(&mut text, fields.entries(), 0, false);
    text
}

/// `goes_on` if the first field belongs on the line that was begun.
fn map(text: &mut String, entries: &[(String, Node)], indentation: usize, mut goes_on: bool) {
    for (name, value) in entries {
        if !goes_on {
            indent(text, indentation);
        }
        goes_on = false;
        text.push_str(&scalar(name));
        text.push(':');
        node(text, value, indentation);
    }
}

fn node(text: &mut String, value: &Node, indentation: usize) {
    match value {
        Node::Text(value) => text.extend([" ", &scalar(value), "\n"]),
        Node::List(values) if values.is_empty() => text.push_str(" []\n"),
        Node::Map(entries) if entries.is_empty() => text.push_str(" {}\n"),
        Node::Map(entries) => {
            text.push('\n');
            map(text, entries, indentation + 2, false);
        }
        Node::List(values) => {
            text.push('\n');
            for value in values {
                indent(text, indentation + 2);
                text.push('-');
                match value {
                    Node::Map(entries) if !entries.is_empty() => {
                        text.push(' ');
                        map(text, entries, indentation + 4, true);
                    }
                    other => node(text, other, indentation + 2),
                }
            }
        }
    }
}

fn indent(text: &mut String, indentation: usize) {
    text.extend(std::iter::repeat_n(' ', indentation));
}

/// Text that reads back as the same text, in quotes where it has to be.
pub(in crate::config) fn scalar(value: &str) -> String {
    let is_plain = value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && value.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"_./+-:".contains(&octet))
        && !value.ends_with(':')
        && !NULLS.contains(&value);
    if is_plain {
        return value.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Breaks of lines and marks of octet order, besides what YAML calls not printable.
            '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => escape(&mut quoted, c),
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => escape(&mut quoted, c),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn escape(quoted: &mut String, c: char) {
    write!(quoted, "\\u{:04x}", u32::from(c)).expect("a string takes all");
}
