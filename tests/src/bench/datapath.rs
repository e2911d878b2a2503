//! Nanoseconds per packet of the loaded program: a series of packets to the balancer, one to a program that only
//! transmits, one to the floor, and again, on one processor. The differences are what counts.

use std::path::Path;

use anyhow::{Context, Result, bail};
use lb_common::verdict::NodeCounters;
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use super::agreement::Agreement;
use super::case::{Case, Kind};
use super::cases;
use super::figures::Figure;
use super::node;
use super::progress::Progress;
use super::record::{Better, Record, Row};
use super::rig::{Player, Rig};
use super::trace::Trace;
use crate::datapath::host::Action;
use crate::interrupt;

/// Which cases are measured.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Those whose name contains this.
    pub only: Option<String>,
    /// Those of the quick run, with fewer samples.
    pub is_quick: bool,
}

/// How often, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Samples of each program.
    pub samples: usize,
    /// Packets before those that count: the caches are warm then.
    pub first: u32,
    /// Packets that count.
    pub counted: u32,
}

impl Effort {
    /// Some 2 s a case.
    pub const FULL: Effort = Effort { samples: 25, first: 50_000, counted: 100_000 };
    /// Half of that.
    pub const QUICK: Effort = Effort { samples: 11, first: 50_000, counted: 100_000 };
}

/// Measures, prints a line for each case, and writes a file if one is named: also of what there was before Ctrl-C.
///
/// # Errors
/// No case is chosen, the kernel refuses something, or a packet went another way than it should.
pub fn run(choice: &Choice, file: Option<&Path>) -> Result<()> {
    let chosen: Vec<Case> = cases::all().into_iter().filter(|case| choice.has(case)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = cases::all().into_iter().map(|case| case.name).collect();
        bail!("no such case; there are: {}", names.join(", "));
    }
    interrupt::watch()?;
    stay_here()?;
    let mut record = Record::new("datapath")?;
    println!("{}, Linux {}; nanoseconds a packet, net", record.machine.processor, record.machine.kernel);
    println!(
        "{:<42} {:>7} {:>7} {:>15} {:>7} {:>6} {:>6}",
        "CASE", "QUIET", "MEDIAN", "SPREAD", "FLOOR", "RATIO", "GOAL"
    );
    let effort = if choice.is_quick { Effort::QUICK } else { Effort::FULL };
    let mut outcome = Ok(());
    let progress = Progress::new(chosen.len());
    for case in &chosen {
        progress.begin(&case.name);
        match measure(case, effort).with_context(|| case.name.clone()) {
            Ok(row) => {
                progress.end(|| print(&row));
                record.rows.push(row);
            }
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    drop(progress);
    if let Some(file) = file {
        record.write(file)?;
    }
    outcome
}

impl Choice {
    fn has(&self, case: &Case) -> bool {
        let is_named = self.only.as_ref().is_none_or(|pattern| case.name.contains(pattern));
        is_named && (!self.is_quick || case.is_quick)
    }
}

/// Measures one case.
///
/// # Errors
/// The kernel refuses something, or a packet went another way than it should.
pub fn measure(case: &Case, effort: Effort) -> Result<Row> {
    let mut rig = Stand::set_up(case)?;
    let (mut nets, mut floors, mut baselines) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.samples {
        let [baseline, net, floor] = rig.sample(effort)?;
        baselines.push(baseline);
        nets.push(net);
        floors.push(floor);
    }
    rig.check()?;
    let (net, floor) = (Figure::of(&nets), Figure::of(&floors));
    let action = match rig.agreement.action {
        Action::Drop => "drop",
        Action::Pass => "pass",
        Action::Transmit => "transmit",
        Action::Redirect => "redirect",
    };
    let mut row = Row::new(&case.name)
        .with("net", "ns", Better::Less, net)
        .with("floor", "ns", Better::Less, floor)
        .with("baseline", "ns", Better::Less, Figure::of(&baselines))
        .with("ratio to floor", "", Better::Less, Figure::of(&[net.quiet / floor.quiet]))
        .fact("samples", effort.samples)
        .fact("packets", effort.counted)
        .fact("action", action)
        .fact("compared", rig.agreement.packets)
        .fact("pins", rig.rig.pins()?.to_vec());
    row.figures[0].goal = case.goal;
    Ok(row)
}

/// A case that was set up.
pub struct Stand {
    rig: Rig,
    agreement: Agreement,
    before: NodeCounters,
}

impl Stand {
    /// Loads the programs, fills the maps, compares packets with the host's, and plays the whole trace once.
    ///
    /// # Errors
    /// The kernel refuses something, or a packet went another way than on the host.
    pub fn set_up(case: &Case) -> Result<Stand> {
        interrupt::check()?;
        let protocol = if matches!(case.traffic.kind, Kind::Udp | Kind::Parts) { "udp" } else { "tcp" };
        let (image, sizes) = node::maps(&case.node, protocol)?;
        let trace = Trace::of(case)?;
        let mut rig = Rig::load(image.clone(), sizes, &trace)?;
        let agreement = Agreement::of(&mut rig, &image, &trace)?;
        let before = rig.node_counters()?;
        rig.whole_trace()?;
        Ok(Stand { rig, agreement, before })
    }

    /// Nanoseconds a packet of the baseline, and of the balancer and the floor less the baseline: one series after the
    /// other.
    ///
    /// # Errors
    /// The kernel refuses, or was interrupted.
    pub fn sample(&mut self, effort: Effort) -> Result<[f64; 3]> {
        interrupt::check()?;
        let mut series = |player| self.rig.series(player, effort.first, effort.counted);
        let baseline = series(Player::Baseline)?;
        let case = series(Player::Case)?;
        let floor = series(Player::Floor)?;
        Ok([baseline, case - baseline, floor - baseline])
    }

    /// That all packets had the verdicts of those that were compared.
    ///
    /// # Errors
    /// One hadn't.
    pub fn check(&self) -> Result<()> {
        self.agreement.check(&self.before, &self.rig.node_counters()?)
    }
}

fn print(row: &Row) {
    let Figure { quiet, median, low, high } = row.figure("net");
    let goal = row.figures[0].goal.map(|goal| format!("{goal:.0}")).unwrap_or_default();
    println!(
        "{:<42} {quiet:>7.1} {median:>7.1} {:>15} {:>7.1} {:>6.1} {goal:>6}",
        row.name,
        format!("{low:.1}-{high:.1}"),
        row.figure("floor").quiet,
        row.figure("ratio to floor").quiet
    );
}

/// The thread stays on one processor, and others wait while it measures. If the kernel refuses the latter, the spread shows
/// it.
///
/// # Errors
/// The kernel refuses the former.
pub fn stay_here() -> Result<()> {
    let mut one = CpuSet::new();
    one.set(sched_getcpu()?)?;
    sched_setaffinity(Pid::from_raw(0), &one).context("staying on one processor")?;
    let first = libc::sched_param { sched_priority: 1 };
    // SAFETY: the kernel reads the parameters, which are this function's own.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const first) };
    Ok(())
}
