//! Figures as a file holds them: the same for every benchmark.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::Figure;
use super::machine::Machine;

/// What the file is. Fields may be added; a change of what one means is another number.
const SCHEMA: &str = "lb-bench/2";

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What the file is.
    pub schema: String,
    /// Which benchmark.
    pub bench: String,
    /// Seconds since 1970 when it began.
    pub began: u64,
    /// Where.
    pub machine: Machine,
    /// What was measured, in the order in which it was.
    pub rows: Vec<Row>,
}

/// What one case comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the case.
    pub name: String,
    /// Its figures, of which the first is what the case is about.
    pub figures: Vec<Measure>,
    /// What else there is to say of it.
    #[serde(default)]
    pub facts: BTreeMap<String, Value>,
}

/// One figure of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What it is.
    pub name: String,
    /// In which unit; empty for a ratio.
    pub unit: String,
    /// Which of two is better.
    pub better: Better,
    /// What it should be on the machines that goals were set for: at most, or at least.
    pub goal: Option<f64>,
    /// How large it is.
    #[serde(flatten)]
    pub figure: Figure,
}

/// Which of two figures is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The smaller one.
    Less,
    /// The larger one.
    More,
}

impl Record {
    /// Of this machine, with nothing measured yet.
    ///
    /// # Errors
    /// The machine can't be described.
    pub fn new(bench: &str) -> Result<Record> {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs();
        Ok(Record {
            schema: SCHEMA.into(),
            bench: bench.into(),
            began,
            machine: Machine::this()?,
            rows: Vec::new(),
        })
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// There is none, or it is something else.
    pub fn read(file: &Path) -> Result<Record> {
        let shown = || file.display().to_string();
        let text = fs::read_to_string(file).with_context(shown)?;
        Record::parse(&text).with_context(shown)
    }

    fn parse(text: &str) -> Result<Record> {
        let value: Value = serde_json::from_str(text)?;
        let schema = value["schema"].as_str().unwrap_or("none");
        ensure!(
            schema == SCHEMA,
            "schema: {SCHEMA} was expected, found {schema}; measure again with `cargo xtask bench … --json FILE`"
        );
        Ok(serde_json::from_value(value)?)
    }

    /// Writes it to a file.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(file, text + "\n").with_context(|| file.display().to_string())
    }
}

impl Row {
    /// With nothing measured yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Row {
        Row { name: name.into(), figures: Vec::new(), facts: BTreeMap::new() }
    }

    /// With another figure.
    #[must_use]
    pub fn with(mut self, name: &str, unit: &str, better: Better, figure: Figure) -> Row {
        self.figures.push(Measure { name: name.into(), unit: unit.into(), better, goal: None, figure });
        self
    }

    /// With something else to say.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Row {
        self.facts.insert(name.into(), value.into());
        self
    }

    /// The figure of that name; zeros if there is none.
    #[must_use]
    pub fn figure(&self, name: &str) -> Figure {
        self.figures
            .iter()
            .find(|figure| figure.name == name)
            .map_or_else(Figure::default, |found| found.figure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let mut record = Record::new("datapath").unwrap();
        record
            .rows
            .push(Row::new("a").with("net", "ns", Better::Less, Figure::of(&[1.0, 2.5])).fact("packets", 7));
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(Record::parse(&text).unwrap(), record);
    }

    #[test]
    fn files_of_other_kinds_are_refused_by_their_schema() {
        for (text, found) in
            [("{}", "found none"), (r#"{"schema": "lb-bench-datapath/1"}"#, "found lb-bench-datapath/1")]
        {
            let error = Record::parse(text).unwrap_err().to_string();
            assert!(error.contains(found) && error.contains("lb-bench/2 was expected"), "{error}");
        }
    }
}
