//! What was counted at each second, and what comes of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use lb_userspace::api::Status;

use super::generator::{Generator, Sent};
use super::interface::{Interface, Received};
use crate::bench::figures::Figure;
use crate::bench::record::{Better, Row};
use crate::programs;
use crate::run::run;

/// Who counts.
pub struct Sources<'a> {
    /// What sends, if this machine does.
    pub generator: Option<&'a Generator>,
    /// The interface that packets come in by.
    pub watched: Option<Interface>,
    /// The socket of an lbd.
    pub socket: Option<PathBuf>,
}

/// Everything counted until a moment.
#[derive(Clone, Debug)]
pub struct Counts {
    at: Instant,
    sent: Option<Vec<Sent>>,
    received: Option<Received>,
    balancer: Option<Balanced>,
}

/// What lbd says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Balanced {
    forwarded: u64,
    dropped: u64,
}

impl Counts {
    /// # Errors
    /// Something that counted doesn't any more.
    pub fn read(sources: &Sources) -> Result<Counts> {
        let balancer = sources.socket.as_ref().map(|socket| {
            let mut lbctl = Command::new(programs::ours("lbctl")?);
            let text = run(lbctl.arg("--socket").arg(socket).args(["-o", "json", "status"]))?;
            let status: Status = serde_json::from_str(&text).context("lbctl -o json status")?;
            anyhow::Ok(Balanced { forwarded: status.forwarded, dropped: status.dropped.values().sum() })
        });
        Ok(Counts {
            sent: sources.generator.map(Generator::sent).transpose()?,
            received: sources.watched.as_ref().map(Interface::received).transpose()?,
            balancer: balancer.transpose()?,
            at: Instant::now(),
        })
    }

    /// What was counted since an earlier moment.
    fn since(&self, earlier: &Counts) -> Change {
        let sent = self.sent.iter().flatten().zip(earlier.sent.iter().flatten());
        let received = self.received.as_ref().zip(earlier.received.as_ref());
        let balanced = self.balancer.zip(earlier.balancer);
        let queues = received.iter().flat_map(|(now, before)| {
            let of = |(queue, count): (&u32, &u64)| (*queue, count - before.queues.get(queue).unwrap_or(&0));
            now.queues.iter().map(of)
        });
        Change {
            seconds: self.at.duration_since(earlier.at).as_secs_f64(),
            sent: self
                .sent
                .is_some()
                .then(|| sent.map(|(now, before)| now.packets - before.packets).collect()),
            received: received.map(|(now, before)| now.packets - before.packets),
            discarded: received.map_or(0, |(now, before)| now.dropped - before.dropped),
            queues: queues.collect(),
            forwarded: balanced.map(|(now, before)| now.forwarded - before.forwarded),
            dropped: balanced.map_or(0, |(now, before)| now.dropped - before.dropped),
        }
    }
}

/// What was counted between two moments.
#[derive(Clone, Debug, Default, PartialEq)]
struct Change {
    seconds: f64,
    /// By queue, if this machine sends.
    sent: Option<Vec<u64>>,
    received: Option<u64>,
    /// Packets that came in and that nothing took.
    discarded: u64,
    queues: BTreeMap<u32, u64>,
    forwarded: Option<u64>,
    /// By lbd's program.
    dropped: u64,
}

impl Change {
    fn total_sent(&self) -> Option<u64> {
        self.sent.as_ref().map(|queues| queues.iter().sum())
    }

    /// Packets that were sent and didn't come, as far as that can be known; where nothing is sent, those that came and
    /// went no further. Packets on the way may make it less than nothing for a second.
    fn lost(&self) -> Option<i64> {
        let arrived = self.received.or(self.forwarded);
        match (self.total_sent(), arrived) {
            (Some(sent), Some(arrived)) => Some(sent.cast_signed() - arrived.cast_signed()),
            (Some(_), None) => None,
            (None, _) => Some((self.discarded + self.dropped).cast_signed()),
        }
    }

    fn line(&self, name: &str) -> String {
        let number = |count: Option<i64>| count.map_or_else(|| "–".into(), |count| count.to_string());
        let mut line = format!(
            "{name:>6} {:>12} {:>12} {:>12} {:>10}",
            number(self.total_sent().map(u64::cast_signed)),
            number(self.received.map(u64::cast_signed)),
            number(self.forwarded.map(u64::cast_signed)),
            number(self.lost())
        );
        let mut queues = |what: &str, counts: &mut dyn Iterator<Item = (u32, u64)>| {
            let counts: Vec<String> = counts.map(|(queue, count)| format!("{queue}:{count}")).collect();
            if !counts.is_empty() {
                let _ = write!(line, "  {what} {}", counts.join(" "));
            }
        };
        queues("sent", &mut (0..).zip(self.sent.iter().flatten().copied()));
        queues("received", &mut self.queues.iter().map(|(queue, count)| (*queue, *count)));
        line
    }
}

/// What was counted, second by second.
#[derive(Default)]
pub struct Tally {
    moments: Vec<Counts>,
}

impl Tally {
    /// Before the first packet.
    pub fn begin(&mut self, counts: Counts) {
        println!(
            "{:>6} {:>12} {:>12} {:>12} {:>10}  BY QUEUE",
            "SECOND", "SENT", "RECEIVED", "FORWARDED", "LOST"
        );
        self.moments.push(counts);
    }

    /// After another second, or at the end.
    pub fn add(&mut self, counts: Counts) {
        if let Some(before) = self.moments.last() {
            println!("{}", counts.since(before).line(&self.moments.len().to_string()));
        }
        self.moments.push(counts);
    }

    /// Prints a line of all seconds.
    pub fn print_total(&self) {
        if let Some(total) = self.total() {
            println!("{}", total.line("all"));
        }
    }

    fn total(&self) -> Option<Change> {
        let (first, last) = self.moments.first().zip(self.moments.last())?;
        (self.moments.len() > 1).then(|| last.since(first))
    }

    /// The same as rows of a file: of all queues, then of each.
    #[must_use]
    pub fn rows(&self, sources: &Sources) -> Vec<Row> {
        let Some(total) = self.total() else { return Vec::new() };
        let seconds: Vec<Change> = self.moments.windows(2).map(|pair| pair[1].since(&pair[0])).collect();
        let with = |row: Row, name: &str, of: &dyn Fn(&Change) -> Option<u64>| {
            // The last second is shorter, and in part without packets.
            let whole = &seconds[..seconds.len().saturating_sub(1).max(1)];
            let rates: Vec<f64> =
                whole.iter().filter_map(|second| Some(of(second)? as f64 / second.seconds)).collect();
            if rates.is_empty() { row } else { row.with(name, "packets/s", Better::More, Figure::of(&rates)) }
        };
        let fact = |row: Row, name: &str, value: Option<i64>| match value {
            Some(value) => row.fact(name, value),
            None => row,
        };
        let mut row = Row::new("all queues");
        row = with(row, "sent", &Change::total_sent);
        row = with(row, "received", &|change| change.received);
        row = with(row, "forwarded", &|change| change.forwarded);
        row = fact(row, "sent", total.total_sent().map(u64::cast_signed));
        row = fact(row, "received", total.received.map(u64::cast_signed));
        row = fact(row, "forwarded", total.forwarded.map(u64::cast_signed));
        row = fact(row, "lost", total.lost());
        row = row.fact("seconds", total.seconds);
        if let Some(generator) = sources.generator {
            let last = self.moments.last().and_then(|last| last.sent.as_ref());
            let errors: u64 = last.iter().flat_map(|threads| threads.iter()).map(|sent| sent.errors).sum();
            row = row.fact("burst", generator.burst).fact("errors", errors);
        }
        let mut rows = vec![row];
        for queue in 0..total.sent.as_ref().map_or(0, Vec::len) {
            let of = |change: &Change| change.sent.as_ref().and_then(|sent| sent.get(queue).copied());
            rows.push(with(Row::new(format!("sent/{queue}")), "sent", &of));
        }
        for queue in total.queues.keys() {
            let of = |change: &Change| change.queues.get(queue).copied();
            rows.push(with(Row::new(format!("received/{queue}")), "received", &of));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Change {
        Change {
            seconds: 1.0,
            sent: Some(vec![60, 40]),
            received: Some(97),
            queues: [(0, 97)].into(),
            forwarded: Some(98),
            ..Change::default()
        }
    }

    #[test]
    fn a_line_has_sums_and_queues() {
        let words: Vec<String> = change().line("3").split_whitespace().map(str::to_owned).collect();
        assert_eq!(words, ["3", "100", "97", "98", "3", "sent", "0:60", "1:40", "received", "0:97"]);
    }

    #[test]
    fn what_is_lost_depends_on_who_counts() {
        assert_eq!(Change { received: None, ..change() }.lost(), Some(2));
        assert_eq!(Change { received: None, forwarded: None, ..change() }.lost(), None);
        let on_the_balancer = Change { sent: None, discarded: 3, dropped: 4, ..change() };
        assert_eq!(on_the_balancer.lost(), Some(7));
    }
}
