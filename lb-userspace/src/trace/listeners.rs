//! Those who ask what becomes of packets.

use hyper::body::Bytes;
use lb_common::event::{Event, Sampling};
use lb_common::verdict::NodeCounters;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::wanted::{Wanted, sampling};
use super::{Line, Packet};

/// Lines that wait for one who reads slowly: about half a megabyte.
const WAITING: usize = 512;

/// All who listen now.
#[derive(Debug, Default)]
pub struct Listeners {
    all: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    wanted: Wanted,
    lines: Sender<Bytes>,
    /// Packets that they should have been told of.
    lost: u64,
}

impl Listeners {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Adds one. Each of the lines ends with a line break; whoever drops them has left.
    pub fn add(&mut self, wanted: Wanted) -> (Receiver<Bytes>, Sender<Bytes>) {
        let (sender, lines) = mpsc::channel(WAITING);
        self.all.push(Listener { wanted, lines: sender.clone(), lost: 0 });
        (lines, sender)
    }

    /// Forgets those who have left, and says whether there were any.
    pub fn forget_gone(&mut self) -> bool {
        let before = self.all.len();
        self.all.retain(|listener| !listener.lines.is_closed());
        self.all.len() < before
    }

    /// What the program is to tell them.
    pub fn sampling(&self, most: u32) -> Sampling {
        sampling(self.all.iter().map(|listener| &listener.wanted), most)
    }

    /// Tells those who want it of a packet. Nobody is waited for: who has no room for it has lost it.
    pub fn tell(&mut self, event: &Event, describe: impl FnOnce(&Event) -> Packet) {
        let mut describe = Some(describe);
        let mut text = Bytes::new();
        for listener in self.all.iter_mut().filter(|listener| listener.wanted.takes(event)) {
            if let Some(describe) = describe.take() {
                text = line(&Line::Packet(Box::new(describe(event))));
            }
            if listener.lines.try_send(text.clone()).is_err() {
                listener.lost += 1;
            }
        }
    }

    /// Tells everyone how many packets they have lost since they were last told so, `lost` of them by now in the program.
    pub fn tell_of_lost(&mut self, lost: &NodeCounters, told: &Sampling) {
        for listener in &mut self.all {
            for ((&lost, &told), &wanted) in lost.iter().zip(&told.every).zip(&listener.wanted.every) {
                listener.lost += (lost * u64::from(told)).checked_div(u64::from(wanted)).unwrap_or(0);
            }
            let text = line(&Line::Lost { lost: listener.lost });
            if listener.lost > 0 && listener.lines.try_send(text).is_ok() {
                listener.lost = 0;
            }
        }
    }
}

fn line(line: &Line) -> Bytes {
    // Names are text and numbers are integers: JSON can say all of it.
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lb_common::verdict::{FORWARDED, NODE_COUNTERS};

    use super::*;
    use crate::trace::{Names, Query};

    fn add(listeners: &mut Listeners, query: &Query) -> Receiver<Bytes> {
        listeners.add(Wanted::new(query, &Names::default()).unwrap()).0
    }

    fn tell(listeners: &mut Listeners, packets: u64) {
        let mut event = Event { counter: FORWARDED as u32, every: 1, ..Event::EMPTY };
        for number in 1..=packets {
            event.number = number;
            listeners.tell(&event, |event| Packet::new(event, &Names::default(), Duration::ZERO));
        }
    }

    fn read(lines: &mut Receiver<Bytes>) -> Vec<Line> {
        std::iter::from_fn(|| lines.try_recv().ok())
            .map(|text| serde_json::from_slice(text.strip_suffix(b"\n").unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn everyone_hears_what_they_want() {
        let mut listeners = Listeners::default();
        let mut all = add(&mut listeners, &Query::default());
        let mut few = add(&mut listeners, &Query { sample: 10, ..Query::default() });
        let mut none = add(&mut listeners, &Query { verdict: "dropped".into(), ..Query::default() });
        assert_eq!(listeners.sampling(7).every[FORWARDED], 1);
        tell(&mut listeners, 100);
        let packets = read(&mut all);
        assert_eq!((packets.len(), read(&mut few).len(), read(&mut none).len()), (100, 10, 0));
        assert!(matches!(&packets[0], Line::Packet(packet) if packet.verdict == "forwarded"));
    }

    #[test]
    fn one_who_does_not_read_loses_alone() {
        let mut listeners = Listeners::default();
        let mut slow = add(&mut listeners, &Query::default());
        let mut quick = add(&mut listeners, &Query::default());
        for _ in 0..100 {
            tell(&mut listeners, 100);
            assert_eq!(read(&mut quick).len(), 100);
        }
        let nothing = [0; NODE_COUNTERS];
        let told = listeners.sampling(1);
        // No room for this line either: it comes when there is.
        listeners.tell_of_lost(&nothing, &told);
        assert_eq!(read(&mut slow).len(), WAITING);
        listeners.tell_of_lost(&nothing, &told);
        assert_eq!(read(&mut slow), [Line::Lost { lost: 10_000 - WAITING as u64 }]);
        listeners.tell_of_lost(&nothing, &told);
        assert_eq!((read(&mut slow), read(&mut quick)), (vec![], vec![]));
    }

    #[test]
    fn what_the_program_lost_is_shared_out() {
        let mut listeners = Listeners::default();
        let mut all = add(&mut listeners, &Query::default());
        let mut few = add(&mut listeners, &Query { sample: 100, ..Query::default() });
        let mut none = add(&mut listeners, &Query { verdict: "dropped".into(), ..Query::default() });
        let mut lost = [0; NODE_COUNTERS];
        lost[FORWARDED] = 5000;
        let told = listeners.sampling(1);
        listeners.tell_of_lost(&lost, &told);
        assert_eq!(read(&mut all), [Line::Lost { lost: 5000 }]);
        assert_eq!(read(&mut few), [Line::Lost { lost: 50 }]);
        assert_eq!(read(&mut none), []);
    }

    #[test]
    fn nothing_is_told_once_all_have_left() {
        let mut listeners = Listeners::default();
        let first = add(&mut listeners, &Query { verdict: "dropped".into(), ..Query::default() });
        let second = add(&mut listeners, &Query::default());
        assert!(!listeners.forget_gone());
        drop(second);
        assert!(listeners.forget_gone());
        assert_eq!(listeners.sampling(1).every[FORWARDED], 0);
        drop(first);
        assert!(listeners.forget_gone());
        assert_eq!((listeners.count(), listeners.sampling(0)), (0, Sampling::OFF));
    }
}
