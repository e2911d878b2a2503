//! From text to the file as written, and what its first fault is called.

use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

use super::error::Position;
use super::file::File;
use super::value::shown;

/// Why the text has not the shape of a configuration.
pub(super) struct Fault {
    pub at: Position,
    pub message: String,
}

/// The file that `text` is.
pub(super) fn read(text: &str) -> Result<File, Fault> {
    // The parser's own picture of the place would take several lines.
    let options = serde_saphyr::options! { with_snippet: false, reject_unsupported_tags: true };
    match serde_saphyr::from_str_with_options::<Option<File>>(text, options) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => {
            Err(Fault { at: Position::TOP, message: "the file is empty; start it with version: 1".into() })
        }
        Err(error) => Err(Fault {
            at: error.location().and_then(Position::of).unwrap_or(Position::TOP),
            message: message(&error).replace(char::is_control, " "),
        }),
    }
}

fn message(error: &Error) -> String {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => message(error),
        Error::SerdeUnknownField { field, expected, .. } => unknown_field(field, expected),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("{} is given twice; remove one", shown(key))
        }
        Error::Unexpected { expected, .. } => match *expected {
            "mapping start" => "fields are expected here; write them as name: value, one a line".into(),
            "sequence start" => "a list is expected here; start each entry with a dash".into(),
            "string scalar" => {
                "a single value is expected here; write it without dashes, brackets and braces".into()
            }
            other => format!("a {other} is expected here; write it more simply"),
        },
        Error::Eof { .. } => "the file ends too early; complete its last entry".into(),
        Error::MultipleDocuments { .. } => {
            "a second YAML document begins here; remove it, a configuration is one document".into()
        }
        Error::TaggedScalarCannotDeserializeIntoString { .. } | Error::UnsupportedTag { .. } => {
            "the value has a tag; write it without".into()
        }
        Error::NullIntoString { .. } => "a value is missing here; write it, or remove the entry".into(),
        Error::UnknownAnchor { .. } => "the alias has no anchor; write the value out".into(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "the alias stands for something that contains it; write the value out".into()
        }
        Error::ExternalMessage { msg, .. } => {
            format!("this is not YAML, {msg}; check indentation, quotes and brackets")
        }
        // The parser's error type may grow; its own words are better than none.
        other => format!("{}; write it more simply", UserMessageFormatter.format_message(other)),
    }
}

fn unknown_field(field: &str, known: &[&str]) -> String {
    let allowed = known.join(", ");
    let meant = nearest(field, known).map(|name| format!("did you mean {name}? ")).unwrap_or_default();
    format!("unknown field {}; {meant}allowed here are {allowed}", shown(field))
}

/// The known name that a typing mistake or an abbreviation away is `written`.
fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    // Two mistakes are a likely slip in a long name and another word altogether in a short one.
    let slips = |name: &str| if name.len() > 4 { 2 } else { 1 };
    let near = |name: &str| edits(written, name) <= slips(name);
    let abbreviated = |name: &str| written.len() > 2 && name.starts_with(written);
    known
        .iter()
        .copied()
        .filter(|name| near(name) || abbreviated(name))
        .min_by_key(|name| edits(written, name))
}

/// How many characters have to be inserted, removed or replaced (Levenshtein's distance).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
