//! Figures as a file holds them.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::Serialize;

use super::figures::Figure;
use super::machine::Machine;

/// What the file is. Fields may be added; a change of what one means is another number.
const SCHEMA: &str = "lb-bench-datapath/1";

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// What the file is.
    pub schema: &'static str,
    /// Seconds since 1970 when it began.
    pub began: u64,
    /// Where.
    pub machine: Machine,
    /// What was measured, in the order in which it was.
    pub rows: Vec<Row>,
}

/// What one case costs. All figures are nanoseconds a packet.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Name of the case.
    pub name: String,
    /// The balancer, less the baseline.
    pub net: Figure,
    /// The least that a balancer with tunnels does, less the baseline.
    pub floor: Figure,
    /// What plays the packets, and the kernel's loop.
    pub baseline: Figure,
    /// How many times the floor the balancer is, both while it was quiet.
    pub ratio_to_floor: f64,
    /// What it should be at most on the machines that the goals were set for.
    pub goal: Option<f64>,
    /// How many samples were taken of each.
    pub samples: usize,
    /// How many packets a sample has.
    pub packets: u32,
    /// What the driver was told to do with the packets.
    pub action: &'static str,
    /// How many packets came out octet by octet as on the host.
    pub compared: usize,
    /// Pins that were made, evicted, refused and moved.
    pub pins: [u64; 4],
}

impl Record {
    /// Of this machine, with nothing measured yet.
    ///
    /// # Errors
    /// The machine can't be described.
    pub fn new() -> Result<Record> {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs();
        Ok(Record { schema: SCHEMA, began, machine: Machine::this()?, rows: Vec::new() })
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
