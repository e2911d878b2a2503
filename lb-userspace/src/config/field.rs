//! What fields there are, and what each may hold: known here to the parser and to the published schema alike.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::{Value, json};

use super::value;

/// A field of the file.
pub(super) enum Field {
    /// A single value.
    Scalar(&'static dyn Described),
    /// A list.
    List(&'static List),
    /// Fields of its own.
    Section(&'static Group),
}

/// The fields of a mapping, in groups that may be part of several.
pub(super) type Fields = &'static [&'static [Field]];

/// A field that is a list.
pub(super) struct List {
    pub name: &'static str,
    pub about: &'static str,
    /// What to write if it isn't there; none if it may be missing.
    pub remedy: Option<&'static str>,
    /// Whether it may be empty.
    pub may_be_empty: bool,
    pub of: Entries,
}

/// What a list's entries are.
pub(super) enum Entries {
    Scalars(&'static dyn Described),
    Sections(Fields),
}

/// A field with fields of its own, which may be missing.
pub(super) struct Group {
    pub name: &'static str,
    pub about: &'static str,
    pub fields: Fields,
}

/// A field that is a single value.
pub(super) struct Scalar<F> {
    pub name: &'static str,
    pub about: &'static str,
    /// What to write if it isn't there; none if it may be missing.
    pub remedy: Option<&'static str>,
    pub form: F,
}

/// What a text may be, and what it means.
pub(super) trait Form: Sync {
    type Value;

    /// What the text means, or what is wrong with it, a semicolon, and what to do.
    fn read(&self, text: &str) -> Result<Self::Value, String>;

    /// The same in JSON Schema, as far as that can say it.
    fn schema(&self) -> Value;
}

/// A single value, whatever it means.
pub(super) trait Described: Sync {
    fn name(&self) -> &'static str;
    fn about(&self) -> &'static str;
    fn remedy(&self) -> Option<&'static str>;
    fn check(&self, text: &str) -> Result<(), String>;
    fn schema(&self) -> Value;
}

impl<F: Form> Described for Scalar<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn remedy(&self) -> Option<&'static str> {
        self.remedy
    }

    fn check(&self, text: &str) -> Result<(), String> {
        self.form.read(text).map(drop)
    }

    fn schema(&self) -> Value {
        self.form.schema()
    }
}

impl Field {
    pub fn name(&self) -> &'static str {
        match self {
            Field::Scalar(scalar) => scalar.name(),
            Field::List(list) => list.name,
            Field::Section(group) => group.name,
        }
    }

    pub fn about(&self) -> &'static str {
        match self {
            Field::Scalar(scalar) => scalar.about(),
            Field::List(list) => list.about,
            Field::Section(group) => group.about,
        }
    }

    /// What to write if it isn't there; none if it may be missing.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Field::Scalar(scalar) => scalar.remedy(),
            Field::List(list) => list.remedy,
            Field::Section(_) => None,
        }
    }
}

/// Text with a meaning of its own.
pub(super) struct Text<T>(pub fn(&str) -> Result<T, String>);

/// One of a few words.
pub(super) struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

/// A decimal number.
pub(super) struct Number<T>(pub RangeInclusive<T>);

/// A decimal number, or a word. The function knows both.
pub(super) struct NumberOr<T: 'static>(
    pub RangeInclusive<u32>,
    pub &'static str,
    pub fn(&str) -> Result<T, String>,
);

/// A decimal number that not every one of a range is.
pub(super) struct SomeOf(pub RangeInclusive<u32>, pub fn(&str) -> Result<u32, String>);

/// A time.
pub(super) struct Seconds(pub RangeInclusive<u32>);

/// A time, in milliseconds.
pub(super) struct Time(pub RangeInclusive<u32>);

/// The file's format.
pub(super) struct Version;

/// Whether something is done.
pub(super) struct YesOrNo;

impl Form for Version {
    type Value = ();

    fn read(&self, text: &str) -> Result<(), String> {
        value::version(text)
    }

    fn schema(&self) -> Value {
        json!({"const": 1})
    }
}

impl<T> Form for Text<T> {
    type Value = T;

    fn read(&self, text: &str) -> Result<T, String> {
        (self.0)(text)
    }

    /// What other readers of YAML take for a number or a truth is text here.
    fn schema(&self) -> Value {
        json!({"type": ["string", "number", "boolean"]})
    }
}

impl<T: Copy + Sync> Form for Choice<T> {
    type Value = T;

    fn read(&self, text: &str) -> Result<T, String> {
        value::choice(text, self.0)
    }

    fn schema(&self) -> Value {
        let words: Vec<_> = self.0.iter().map(|(word, _)| word).collect();
        json!({"enum": words})
    }
}

impl<T: Copy + Display + FromStr + Into<u64> + PartialOrd + Sync> Form for Number<T> {
    type Value = T;

    fn read(&self, text: &str) -> Result<T, String> {
        value::number(text, &self.0)
    }

    fn schema(&self) -> Value {
        let (least, most): (u64, u64) = ((*self.0.start()).into(), (*self.0.end()).into());
        json!({"type": "integer", "minimum": least, "maximum": most})
    }
}

impl<T> Form for NumberOr<T> {
    type Value = T;

    fn read(&self, text: &str) -> Result<T, String> {
        (self.2)(text)
    }

    fn schema(&self) -> Value {
        json!({"anyOf": [Number(self.0.clone()).schema(), {"const": self.1}]})
    }
}

impl Form for SomeOf {
    type Value = u32;

    fn read(&self, text: &str) -> Result<u32, String> {
        (self.1)(text)
    }

    fn schema(&self) -> Value {
        Number(self.0.clone()).schema()
    }
}

impl Form for Seconds {
    type Value = u32;

    fn read(&self, text: &str) -> Result<u32, String> {
        value::seconds(text, &self.0)
    }

    fn schema(&self) -> Value {
        json!({"anyOf": [
            Number(self.0.clone()).schema(),
            {"type": "string", "pattern": "^(0|[1-9][0-9]*)[smhd]$"},
        ]})
    }
}

impl Form for Time {
    type Value = u32;

    fn read(&self, text: &str) -> Result<u32, String> {
        value::milliseconds(text, &self.0)
    }

    fn schema(&self) -> Value {
        json!({"type": "string", "pattern": "^(0|[1-9][0-9]*)(ms|[smhd])$"})
    }
}

impl Form for YesOrNo {
    type Value = bool;

    fn read(&self, text: &str) -> Result<bool, String> {
        value::yes_or_no(text)
    }

    fn schema(&self) -> Value {
        json!({"type": "boolean"})
    }
}
