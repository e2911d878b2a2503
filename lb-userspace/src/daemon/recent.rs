//! Which services have had packets lately.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::image::Counters;

/// How often counters are noted.
const EVERY: Duration = Duration::from_secs(5);

/// How many times are remembered: the oldest is what counters are compared with.
const TIMES: usize = 3;

/// What services had forwarded in the last seconds.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Packets by the services' numbers, the oldest first.
    noted: VecDeque<(Instant, BTreeMap<u32, u64>)>,
}

impl Recent {
    /// Whether counters are to be noted now.
    pub fn is_due(&self, now: Instant) -> bool {
        self.noted.back().is_none_or(|(noted, _)| now.duration_since(*noted) >= EVERY)
    }

    /// Notes them.
    pub fn note(&mut self, now: Instant, counters: &Counters) {
        while self.noted.len() >= TIMES {
            self.noted.pop_front();
        }
        self.noted.push_back((now, packets(counters)));
    }

    /// Packets of each service since then, by the services' numbers; and the seconds that this is.
    pub fn since(&self, now: Instant, counters: &Counters) -> (BTreeMap<u32, u64>, u64) {
        let Some((noted, former)) = self.noted.front() else { return (BTreeMap::new(), 0) };
        let since =
            |number: &u32, packets: u64| packets.saturating_sub(former.get(number).copied().unwrap_or(0));
        let moved = packets(counters).into_iter().map(|(number, packets)| (number, since(&number, packets)));
        (moved.filter(|(_, packets)| *packets > 0).collect(), now.duration_since(*noted).as_secs().max(1))
    }
}

fn packets(counters: &Counters) -> BTreeMap<u32, u64> {
    counters.services.iter().map(|(&number, counted)| (number, counted.forwarded.packets)).collect()
}

#[cfg(test)]
mod tests {
    use lb_common::verdict::ServiceCounters;

    use super::*;

    fn counters(packets: &[(u32, u64)]) -> Counters {
        let mut counters = Counters::default();
        for &(number, packets) in packets {
            let mut counted = ServiceCounters::default();
            counted.forwarded.packets = packets;
            counters.services.insert(number, counted);
        }
        counters
    }

    #[test]
    fn packets_of_the_last_seconds() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(recent.since(start, &counters(&[(1, 5)])), (BTreeMap::new(), 0));
        for seconds in [0, 5, 10, 15] {
            assert!(recent.is_due(at(seconds)));
            recent.note(at(seconds), &counters(&[(1, seconds), (2, 7)]));
            assert!(!recent.is_due(at(seconds + 4)));
        }
        let now = counters(&[(1, 18), (2, 7), (3, 1)]);
        assert_eq!(recent.since(at(18), &now), (BTreeMap::from([(1, 13), (3, 1)]), 13));
    }
}
