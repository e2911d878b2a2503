//! Instructions per packet, with the network card's driver: of the balancer, and of what Linux has for the same, among
//! that IPVS. In a virtual machine whose clock counts instructions.

pub mod rig;

use std::env;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::figures::Figure;
use super::rate::load::{Load, Protocol};
use super::rate::way::Way;
use super::record::{Better, Record, Row};
use crate::interrupt;
use rig::{Far, Rig};

/// Samples of each way.
const SAMPLES: usize = 9;

/// How many times as many instructions IPVS should take.
const GOAL: f64 = 3.5;

/// What is compared with the balancer.
const OTHERS: [Way; 3] = [Way::Ipvs, Way::Dnat, Way::Plain];

/// Measures, prints a line for each load, and writes a file if one is named, after each load.
///
/// # Errors
/// This isn't the virtual machine; the kernel or a program refuses something, or packets went another way.
pub fn run(file: Option<&Path>) -> Result<()> {
    ensure!(
        env::var_os("LB_VM").is_some(),
        "instructions are counted in a virtual machine alone: run `cargo xtask bench instructions`"
    );
    interrupt::watch()?;
    let mut record = Record::new("instructions")?;
    println!("Linux {}; instructions a packet with the driver, medians", record.machine.kernel);
    println!(
        "{:<16} {:>7} {:>7} {:>7} {:>7} {:>8} {:>10} {:>10} {:>11}",
        "LOAD", "OURS", "IPVS", "DNAT", "PLAIN", "TRANSMIT", "IPVS/OURS", "DNAT/OURS", "PLAIN/OURS"
    );
    let mut rig = Rig::new()?;
    for (length, flows) in [(64, 1_000), (64, 10_000), (1500, 1_000)] {
        let load = Load { protocol: Protocol::Udp, length, flows };
        let row = measure(&mut rig, &load).with_context(|| load.name())?;
        print(&row);
        record.rows.push(row);
        if let Some(file) = file {
            record.write(file)?;
        }
    }
    Ok(())
}

fn measure(rig: &mut Rig, load: &Load) -> Result<Row> {
    rig.load(load)?;
    // Sending, and receiving once: as much as sending and the near card's receiving of what comes back.
    let dropped = samples(rig, load, Far::Drop)?;
    let taken_off = Figure::of(&dropped).median;
    let mut of = |far| {
        let taken = samples(rig, load, far)?;
        anyhow::Ok(Figure::of(&taken.iter().map(|all| all - taken_off).collect::<Vec<f64>>()))
    };
    let ours = of(Far::Way(Way::Ours))?;
    let others = OTHERS.map(|way| of(Far::Way(way)).context(way.name()));
    let transmit = of(Far::Transmit)?;
    let mut row = Row::new(load.name());
    let others: Vec<Figure> = others.into_iter().collect::<Result<_>>()?;
    for (way, other) in OTHERS.into_iter().zip(&others) {
        let ratio = Figure::of(&[other.median / ours.median]);
        row = row.with(&format!("{}/ours", way.name()), "", Better::More, ratio);
    }
    row.figures[0].goal = Some(GOAL);
    row = row.with("ours", "instructions", Better::Less, ours);
    for (way, other) in OTHERS.into_iter().zip(&others) {
        row = row.with(way.name(), "instructions", Better::Less, *other);
    }
    row = row.with("transmit", "instructions", Better::Less, transmit);
    Ok(row
        .with("sent and dropped", "instructions", Better::Less, Figure::of(&dropped))
        .fact("samples", SAMPLES)
        .fact("packets", rig::ROUNDS * rig::BATCH))
}

/// Instructions a packet of everything.
fn samples(rig: &mut Rig, load: &Load, far: Far) -> Result<Vec<f64>> {
    let end = rig.equip(far)?;
    // Each flow twice: what is known of it is known then.
    let first = if matches!(far, Far::Way(_)) { 2 * load.flows } else { 1 };
    for _ in 0..first.div_ceil((rig::ROUNDS * rig::BATCH) as usize) {
        rig.sample(&end, far)?;
    }
    (0..SAMPLES).map(|_| rig.sample(&end, far)).collect()
}

fn print(row: &Row) {
    let figure = |name: &str| row.figure(name).median;
    println!(
        "{:<16} {:>7.0} {:>7.0} {:>7.0} {:>7.0} {:>8.0} {:>10.2} {:>10.2} {:>11.2}",
        row.name,
        figure("ours"),
        figure("ipvs"),
        figure("dnat"),
        figure("plain"),
        figure("transmit"),
        figure("ipvs/ours"),
        figure("dnat/ours"),
        figure("plain/ours")
    );
}
