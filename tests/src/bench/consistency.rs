//! Figures of the lookup table: how much a change moves, how even the shares are, how long a build takes.

use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use lb_userspace::maglev::{Member, Table as Lookup};

const SIZE: u32 = 65_537;

/// Builds of which the median counts.
const BUILDS: usize = 9;

/// Prints them.
pub fn run() {
    println!(
        "lookup tables of {SIZE} slots; shares of slots moved when one of N backends goes and comes back"
    );
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["N", "MOVED", "OPTIMUM", "RATIO", "SPREAD, EQUAL", "SPREAD, WEIGHTS 1 TO 10", "BUILD"]);
    for count in [10, 100, 1000] {
        let names: Vec<String> =
            (0..count).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
        let equal: Vec<Member> = names.iter().map(|name| Member { name, weight: 1 }).collect();
        let weighted: Vec<Member> =
            names.iter().zip((1..=10).cycle()).map(|(name, weight)| Member { name, weight }).collect();
        let all = Lookup::build(&equal, SIZE);
        let moved: f64 = goners(count).map(|gone| moved_without(&equal, &all, gone)).sum::<f64>()
            / goners(count).count() as f64;
        let optimum = 1.0 / count as f64;
        table.add_row([
            count.to_string(),
            format!("{:.2} %", moved * 100.0),
            format!("{:.2} %", optimum * 100.0),
            format!("{:.2}", moved / optimum),
            format!("{:.4}", spread(&equal, &all)),
            format!("{:.4}", spread(&weighted, &Lookup::build(&weighted, SIZE))),
            format!("{:.2} ms", build_time(&equal).as_secs_f64() * 1000.0),
        ]);
    }
    table.column_iter_mut().for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    println!("{}", table.trim_fmt());
    println!("spread: the largest share over what its weight asks for");
}

/// Backends that go, a few of all.
fn goners(count: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(count.div_ceil(10))
}

/// The share of slots that are another backend's when one goes; as many move back when it returns.
fn moved_without(members: &[Member], all: &Lookup, gone: usize) -> f64 {
    let mut fewer = members.to_vec();
    fewer[gone].weight = 0;
    let without = Lookup::build(&fewer, SIZE);
    let moved = all.slots.iter().zip(&without.slots).filter(|(before, after)| before != after).count();
    moved as f64 / f64::from(SIZE)
}

/// The largest share, over what its weight asks for.
fn spread(members: &[Member], table: &Lookup) -> f64 {
    let total: u32 = members.iter().map(|member| member.weight).sum();
    let share = |(member, &slots): (&Member, &u32)| {
        f64::from(slots) * f64::from(total) / (f64::from(SIZE) * f64::from(member.weight))
    };
    members.iter().zip(&table.shares).map(share).fold(0.0, f64::max)
}

fn build_time(members: &[Member]) -> Duration {
    let mut times: Vec<_> = (0..BUILDS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(Lookup::build(members, SIZE));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[BUILDS / 2]
}
