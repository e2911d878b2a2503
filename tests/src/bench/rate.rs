//! Packets per second that are forwarded between two virtual links: by the balancer, and by what Linux has for the same.
//!
//! Each way has a namespace of its own, alike but for what forwards in it. One processor does everything: it makes a
//! batch of packets, which the way forwards and the far end drops. The ways take turns, so that what disturbs the machine
//! disturbs all of them; ratios are what counts.

pub mod connections;
pub mod generator;
pub mod load;
pub mod rig;
pub mod way;

use std::path::Path;
use std::thread;

use anyhow::{Context, Result, bail};

use super::datapath::stay_here;
use super::figures::Figure;
use super::progress::Progress;
use super::record::{Better, Record, Row};
use crate::interrupt;
use load::{Load, Protocol};
use rig::{Rig, Sample};
use way::Way;

/// Which loads are measured.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Those whose name contains this.
    pub only: Option<String>,
    /// Those of 64 octets and 100,000 flows, and connections, with fewer samples.
    pub is_quick: bool,
}

impl Choice {
    const fn samples(&self) -> usize {
        if self.is_quick { QUICK_SAMPLES } else { SAMPLES }
    }
}

/// Packets of a sample before those that count, and those.
const FIRST: u32 = 20_000;
const COUNTED: u32 = 300_000;

const SAMPLES: usize = 9;
const QUICK_SAMPLES: usize = 5;

/// How many times as fast as DNAT the balancer should be with 100,000 flows.
const GOAL: f64 = 5.0;

/// Measures, prints a line for each load, and writes a file if one is named: also of what there was before Ctrl-C.
///
/// # Errors
/// No load is chosen, the kernel or nft refuses something, or packets went another way than they should.
pub fn run(choice: &Choice, file: Option<&Path>) -> Result<()> {
    let chosen: Vec<Load> = loads().into_iter().filter(|load| choice.has(load)).collect();
    let with_connections =
        choice.only.as_ref().is_none_or(|pattern| connections::NAME.contains(pattern.as_str()));
    if chosen.is_empty() && !with_connections {
        let names = loads().iter().map(Load::name).chain([connections::NAME.into()]).collect::<Vec<_>>();
        bail!("no such load; there are: {}", names.join(", "));
    }
    interrupt::watch()?;
    let mut record = Record::new("rate")?;
    println!("{}, Linux {}; medians", record.machine.processor, record.machine.kernel);
    let outcome = measure_all(&chosen, choice, &mut record).and_then(|()| {
        if with_connections {
            record.rows.push(connections::measure(choice.samples())?);
        }
        Ok(())
    });
    if let Some(file) = file {
        record.write(file)?;
    }
    outcome
}

fn measure_all(loads: &[Load], choice: &Choice, record: &mut Record) -> Result<()> {
    if loads.is_empty() {
        return Ok(());
    }
    println!("a million packets a second:");
    println!(
        "{:<16} {:>7} {:>7} {:>7} {:>7} {:>10} {:>10} {:>10}",
        "LOAD", "OURS", "PLAIN", "DSR", "DNAT", "OURS/PLAIN", "OURS/DSR", "OURS/DNAT"
    );
    // What stays on one processor is this thread alone.
    thread::scope(|scope| {
        let measuring = scope.spawn(|| {
            let mut rig = Rig::new()?;
            stay_here()?;
            let progress = Progress::new(loads.len());
            for load in loads {
                progress.begin(&load.name());
                let row = measure(&mut rig, load, choice.samples()).context(load.name())?;
                progress.end(|| print(&row));
                record.rows.push(row);
            }
            Ok(())
        });
        measuring.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Every load, in the order in which they are measured.
fn loads() -> Vec<Load> {
    let mut loads = Vec::new();
    for protocol in [Protocol::Udp, Protocol::Syn] {
        for length in [64, 128, 512, 1500] {
            loads.extend([1_000, 100_000, 1_000_000].map(|flows| Load { protocol, length, flows }));
        }
    }
    loads
}

impl Choice {
    fn has(&self, load: &Load) -> bool {
        let is_named = self.only.as_ref().is_none_or(|pattern| load.name().contains(pattern));
        is_named && (!self.is_quick || load.length == 64 && load.flows == 100_000)
    }
}

fn measure(rig: &mut Rig, load: &Load, samples: usize) -> Result<Row> {
    rig.load(load)?;
    for way in Way::ALL {
        // Each flow once: connections are tracked then, and caches warm.
        rig.sample(way, load.flows as u32, FIRST)?;
    }
    let mut taken: Vec<[Sample; Way::ALL.len()]> = Vec::new();
    for _ in 0..samples {
        let mut round = [Sample::default(); Way::ALL.len()];
        for (way, sample) in Way::ALL.into_iter().zip(&mut round) {
            interrupt::check()?;
            *sample = rig.sample(way, FIRST, COUNTED)?;
        }
        taken.push(round);
    }
    Ok(row(load, &taken))
}

fn row(load: &Load, taken: &[[Sample; Way::ALL.len()]]) -> Row {
    let rates = |way: Way| taken.iter().map(move |round| round[way as usize].rate / 1e6);
    let against = |other: Way| {
        let ratios: Vec<f64> = rates(Way::Ours).zip(rates(other)).map(|(ours, other)| ours / other).collect();
        median(&ratios)
    };
    let mut row = Row::new(load.name());
    for other in [Way::Dnat, Way::Dsr, Way::Plain] {
        row = row.with(&format!("ours/{}", other.name()), "", Better::More, against(other));
    }
    row.figures[0].goal = (load.flows == 100_000).then_some(GOAL);
    for way in Way::ALL {
        row = row.with(way.name(), "Mpps", Better::More, median(&rates(way).collect::<Vec<_>>()));
        let lost = taken.iter().map(|round| round[way as usize].lost).fold(0.0, f64::max);
        row = row.fact(&format!("lost/{}", way.name()), lost);
    }
    row.fact("samples", taken.len()).fact("packets", COUNTED)
}

/// The quiet one is the median too: a ratio that a disturbance makes is no better than another.
fn median(samples: &[f64]) -> Figure {
    let figure = Figure::of(samples);
    Figure { quiet: figure.median, ..figure }
}

fn print(row: &Row) {
    let figure = |name: &str| row.figure(name).median;
    println!(
        "{:<16} {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>10.2} {:>10.2} {:>10.2}",
        row.name,
        figure("ours"),
        figure("plain"),
        figure("dsr"),
        figure("dnat"),
        figure("ours/plain"),
        figure("ours/dsr"),
        figure("ours/dnat")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_samples_that_were_taken_together() {
        let sample = |rate| Sample { rate: rate * 1e6, lost: 0.0 };
        // The machine was half as fast in the second round.
        let taken = [[sample(4.0), sample(2.0), sample(2.0), sample(1.0)], [2.0, 1.0, 1.0, 0.5].map(sample)];
        let load = Load { protocol: Protocol::Udp, length: 64, flows: 100_000 };
        let row = row(&load, &taken);
        assert_eq!(row.figure("ours/dnat"), Figure { quiet: 4.0, median: 4.0, low: 4.0, high: 4.0 });
        assert_eq!(row.figures[0].goal, Some(GOAL));
        assert_eq!(row.name, "udp/64/100k");
    }
}
