//! From text to a tree in which everything has its place.
//!
//! Scalars stay the text that they are: a key of 32 decimal digits is no number.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, options};

use super::error::Position;

/// How deep lists and fields may be inside each other; a configuration needs seven levels.
const DEEPEST: usize = 16;

/// How much aliases may stand for, in values and in octets of theirs: more than the largest configuration has.
const MOST_COPIES: usize = 8_000_000;

/// A value and where it stands; an alias stands where it is used.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: Position,
    pub value: Value,
}

/// What is written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing, or null: as if the field weren't there.
    Nothing,
    /// A scalar.
    Word(String),
    /// A list.
    List(Vec<Node>),
    /// Names and their values, in the order of the file.
    Fields(Vec<(Name, Node)>),
    /// What can't be used, and was reported.
    Wrong,
}

/// A field's name.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub text: String,
    pub at: Position,
}

/// What is wrong, a semicolon, and what to do.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: Position,
    pub message: String,
}

impl Node {
    /// The value of a field; the first one, if it is there twice. None if nothing is written.
    pub fn field(&self, name: &str) -> Option<&Node> {
        let node = self.fields().iter().find(|(known, _)| known.text == name).map(|(_, node)| node);
        node.filter(|node| !matches!(node.value, Value::Nothing))
    }

    /// Its fields; none if it is something else.
    pub fn fields(&self) -> &[(Name, Node)] {
        if let Value::Fields(fields) = &self.value { fields } else { &[] }
    }

    /// Its entries; none if it is something else.
    pub fn entries(&self) -> &[Node] {
        if let Value::List(entries) = &self.value { entries } else { &[] }
    }

    /// Its text, if it is a scalar.
    pub fn word(&self) -> Option<&str> {
        if let Value::Word(text) = &self.value { Some(text) } else { None }
    }
}

/// The tree that `text` is, and what is wrong with it. Only text that isn't one YAML document
/// ends at its first fault, without a tree.
pub(super) fn read(text: &str) -> (Option<Node>, Vec<Fault>) {
    let options = options! {
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST
    };
    let mut reader = Reader {
        events: Parser::new_from_str_with_options(text, options),
        faults: Vec::new(),
        anchors: HashMap::new(),
        size: 0,
        copies: 0,
    };
    match reader.document() {
        Ok(document) => (document, reader.faults),
        Err(error) => (None, vec![Fault { at: at(*error.marker()), message: explain(&error) }]),
    }
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    faults: Vec<Fault>,
    /// What is complete and may be referred to, and how many values it is.
    anchors: HashMap<usize, (Node, usize)>,
    /// Values so far.
    size: usize,
    /// How many of them aliases have added.
    copies: usize,
}

impl<'t> Reader<'t> {
    /// The only document; nothing if there is none. None if there are more; then that has been reported.
    fn document(&mut self) -> Result<Option<Node>, ScanError> {
        let mut document = None;
        while let Some(next) = self.events.next() {
            match next? {
                (Event::DocumentStart(..), span) if document.is_some() => {
                    self.report(
                        span,
                        "a second YAML document begins here; remove it, a configuration is one document",
                    );
                    return Ok(None);
                }
                (
                    Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd | Event::StreamEnd,
                    _,
                ) => {}
                (event, span) => document = Some(self.node(event, span)?),
            }
        }
        Ok(Some(document.unwrap_or(Node { at: Position::TOP, value: Value::Nothing })))
    }

    /// The value that begins with this event.
    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, ScanError> {
        let before = self.size;
        self.size += 1;
        let anchor = event.anchor_id();
        let is_tagged = event.tag().is_some();
        let mut value = match event {
            Event::Alias(anchor) => self.copy(anchor, span),
            Event::UnresolvedAlias(_) => {
                self.report(span, "the alias has no anchor; write the value out");
                Value::Wrong
            }
            Event::Scalar(text, style, ..) if style == ScalarStyle::Plain && is_null(&text) => Value::Nothing,
            Event::Scalar(text, ..) => {
                self.size += text.len();
                Value::Word(text.into_owned())
            }
            Event::SequenceStart(..) => {
                let mut entries = Vec::new();
                while let Some((event, span)) = self.until(&Event::SequenceEnd)? {
                    entries.push(self.node(event, span)?);
                }
                Value::List(entries)
            }
            Event::MappingStart(..) => {
                let mut fields = Vec::new();
                while let Some((event, span)) = self.until(&Event::MappingEnd)? {
                    let name = self.node(event, span)?;
                    // A name without a value has an empty one.
                    let Some((event, span)) = self.until(&Event::MappingEnd)? else { break };
                    let value = self.node(event, span)?;
                    match name.value {
                        Value::Word(text) => fields.push((Name { text, at: name.at }, value)),
                        Value::Wrong => {}
                        Value::Nothing | Value::List(_) | Value::Fields(_) => {
                            self.report(span, "the field has no name; write it as name: value");
                        }
                    }
                }
                Value::Fields(fields)
            }
            // Nothing else begins a value.
            _ => Value::Nothing,
        };
        if is_tagged {
            self.report(span, "the value has a tag; write it without");
            value = Value::Wrong;
        }
        let node = Node { at: at(span.start), value };
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, (node.clone(), self.size - before));
        }
        Ok(node)
    }

    /// The next event, unless it ends what is being read.
    fn until(&mut self, end: &Event) -> Result<Option<(Event<'t>, Span)>, ScanError> {
        let next = self.events.next().transpose()?;
        Ok(next.filter(|(event, _)| event != end))
    }

    fn copy(&mut self, anchor: usize, alias: Span) -> Value {
        let message = match self.anchors.get(&anchor) {
            Some((node, nodes)) if self.copies + nodes <= MOST_COPIES => {
                self.copies += nodes;
                self.size += nodes;
                return node.value.clone();
            }
            Some(_) => "aliases stand for too much; write the value out",
            None => "the alias stands for something that contains it; write the value out",
        };
        self.report(alias, message);
        Value::Wrong
    }

    fn report(&mut self, span: Span, message: &str) {
        self.faults.push(Fault { at: at(span.start), message: message.to_owned() });
    }
}

fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

fn at(marker: granit_parser::Marker) -> Position {
    Position { line: marker.line() as u64, column: marker.col() as u64 + 1 }
}

fn explain(error: &ScanError) -> String {
    let message = match error.kind() {
        ErrorKind::RecursionLimitExceeded => {
            return format!(
                "lists and fields are nested more than {DEEPEST} deep; check brackets and indentation"
            );
        }
        _ => error.info(),
    };
    format!("this is not YAML, {message}; check indentation, quotes and brackets")
        .replace(char::is_control, " ")
}
