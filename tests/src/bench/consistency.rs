//! Figures of the lookup table, and of those that other methods make for the same backends: how much a change moves, how
//! even the shares are, how long a build takes.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use lb_userspace::maglev::Member;

use super::figures::Figure;
use super::methods::Method;
use super::progress::Progress;
use super::record::{Better, Record, Row};
use crate::interrupt;

const SIZE: u32 = 65_537;

/// Builds that are timed.
const BUILDS: usize = 9;

/// Figures, in the order of the columns.
const MOVED: &str = "moved, of the optimum";
const EVEN: &str = "largest share, equal weights";
const WEIGHTED: &str = "largest share, weights 1 to 10";
const BUILD: &str = "build";

/// Prints them, and writes a file if one is named: also of what there was before Ctrl-C.
///
/// # Errors
/// The file can't be written; Ctrl-C.
pub fn run(file: Option<&Path>) -> Result<()> {
    interrupt::watch()?;
    let mut record = Record::new("consistency")?;
    println!("lookup tables of {SIZE} slots for N backends, of which one goes and comes back");
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["N", "METHOD", "MOVED/OPTIMUM", "SHARE, EQUAL", "SHARE, WEIGHTS 1 TO 10", "BUILD"]);
    let cases: Vec<(usize, Method)> =
        [10, 100, 1000].into_iter().flat_map(|count| Method::ALL.map(|method| (count, method))).collect();
    let mut outcome = Ok(());
    let progress = Progress::new(cases.len());
    for (count, method) in cases {
        progress.begin(&format!("{count} backends, {}", method.name()));
        outcome = interrupt::check();
        if outcome.is_err() {
            break;
        }
        let row = measure(method, count);
        let cells = [MOVED, EVEN, WEIGHTED].map(|name| format!("{:.3}", row.figure(name).median));
        let [moved, even, weighted] = cells;
        let build = format!("{:.2} ms", row.figure(BUILD).median);
        table.add_row([count.to_string(), method.name().to_owned(), moved, even, weighted, build]);
        record.rows.push(row);
        progress.end(|| ());
    }
    drop(progress);
    for (number, column) in table.column_iter_mut().enumerate() {
        let side = if number == 1 { CellAlignment::Left } else { CellAlignment::Right };
        column.set_cell_alignment(side);
    }
    println!("{}", table.trim_fmt());
    println!(
        "moved: slots that are another backend's, over the share that has to move; share: the largest, over"
    );
    println!("what its weight asks for");
    if let Some(file) = file {
        record.write(file)?;
    }
    outcome
}

/// One method with so many backends.
#[must_use]
pub fn measure(method: Method, count: usize) -> Row {
    let names: Vec<String> =
        (0..count).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
    let equal: Vec<Member> = names.iter().map(|name| Member { name, weight: 1 }).collect();
    let weighted: Vec<Member> =
        names.iter().zip((1..=10).cycle()).map(|(name, weight)| Member { name, weight }).collect();
    let all = method.slots(&equal, SIZE);
    let moved: Vec<f64> = goners(count).map(|gone| moved_without(method, &equal, &all, gone)).collect();
    let builds: Vec<f64> = (0..BUILDS).map(|_| build_milliseconds(method, &equal)).collect();
    let one = |value| Figure::of(&[value]);
    Row::new(format!("{count}/{}", method.name()))
        .with(MOVED, "", Better::Less, Figure::of(&moved))
        .with(EVEN, "", Better::Less, one(largest_share(&equal, &all)))
        .with(WEIGHTED, "", Better::Less, one(largest_share(&weighted, &method.slots(&weighted, SIZE))))
        .with(BUILD, "ms", Better::Less, Figure::of(&builds))
        .fact("backends", count)
        .fact("slots", SIZE)
}

/// Backends that go, a few of all.
fn goners(count: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(count.div_ceil(10))
}

/// Slots that are another backend's when one goes, over those that it would be if shares were even; as many move back
/// when it returns.
fn moved_without(method: Method, members: &[Member], all: &[u32], gone: usize) -> f64 {
    let mut fewer = members.to_vec();
    fewer[gone].weight = 0;
    let without = method.slots(&fewer, SIZE);
    let moved = all.iter().zip(&without).filter(|(before, after)| before != after).count();
    moved as f64 * members.len() as f64 / f64::from(SIZE)
}

/// The largest share, over what its weight asks for.
fn largest_share(members: &[Member], slots: &[u32]) -> f64 {
    let mut shares = vec![0_u32; members.len()];
    slots.iter().for_each(|&member| shares[member as usize] += 1);
    let total: u32 = members.iter().map(|member| member.weight).sum();
    let share = |(member, &slots): (&Member, &u32)| {
        f64::from(slots) * f64::from(total) / (f64::from(SIZE) * f64::from(member.weight))
    };
    members.iter().zip(&shares).map(share).fold(0.0, f64::max)
}

fn build_milliseconds(method: Method, members: &[Member]) -> f64 {
    let start = Instant::now();
    std::hint::black_box(method.slots(members, SIZE));
    start.elapsed().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_more_even_and_moves_little_more() {
        let [ours, ring, rendezvous] = Method::ALL.map(|method| measure(method, 10));
        assert!(ours.figure(EVEN).median < 1.001, "{ours:?}");
        assert!(ring.figure(EVEN).median > 1.01, "{ring:?}");
        assert!(rendezvous.figure(EVEN).median > 1.001, "{rendezvous:?}");
        assert!((1.0..2.0).contains(&ours.figure(MOVED).median), "{ours:?}");
    }
}
