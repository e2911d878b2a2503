//! A look through the whole connection table: which pins still count, and for whom.

use std::collections::BTreeMap;

use lb_common::clock::Epoch;
use lb_common::pin::{Bucket, Pin, change};
use lb_common::slot::{BackendIndex, Slot, slot_of};

/// A service, as far as its pins depend on it.
pub struct Pinning<'a> {
    /// Its lookup table.
    pub slots: &'a [Slot],
    /// Epochs for which its flows may pause.
    pub idle: u32,
    /// Whether its flows are pinned also where the slot is stable.
    pub pins_all: bool,
}

/// What is asked of the connection table.
pub struct Question<'a> {
    /// The services with a table, by their numbers.
    pub services: &'a BTreeMap<u32, Pinning<'a>>,
    /// The backends that keep flows, and their service's number.
    pub keepers: &'a BTreeMap<BackendIndex, u32>,
    /// The present.
    pub now: Epoch,
}

/// What a look has counted. Looks through parts of the table add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Pins of open flows, by backend.
    pub open: BTreeMap<BackendIndex, u32>,
    /// Pins of flows that are about to end.
    pub closing: BTreeMap<BackendIndex, u32>,
    /// By service and slot, whether a flow is pinned to another backend than the current one; only for services that have
    /// such flows.
    pub elsewhere: BTreeMap<u32, Vec<bool>>,
    /// Pins taken out: expired, or useless.
    pub removed: u64,
}

impl Census {
    /// Looks through some buckets, and takes out the pins that don't count any more.
    pub fn look(&mut self, buckets: &[Bucket], question: &Question) {
        for place in buckets.iter().flat_map(Bucket::places) {
            let pin = Pin(place.load());
            if pin.is_none() {
                continue;
            }
            if !self.counts(pin, question) {
                // A packet that came meanwhile has made another pin of it, which is looked at the next time.
                self.removed += u64::from(change(place, pin, Pin::NONE));
            }
        }
    }

    fn counts(&mut self, pin: Pin, question: &Question) -> bool {
        let Some(number) = question.keepers.get(&pin.backend()) else { return false };
        let Some(service) = question.services.get(number) else { return false };
        if pin.has_expired(service.idle, question.now) {
            return false;
        }
        let place = slot_of(u64::from(pin.hash_high(*number)) << 32, service.slots.len() as u32) as usize;
        let slot = service.slots[place];
        if slot.is_stable() && !service.pins_all {
            return false;
        }
        let counted = if pin.is_closing() { &mut self.closing } else { &mut self.open };
        *counted.entry(pin.backend()).or_default() += 1;
        if pin.backend() != slot.current() {
            let elsewhere = self.elsewhere.entry(*number);
            elsewhere.or_insert_with(|| vec![false; service.slots.len()])[place] = true;
        }
        true
    }

    /// All pins to a backend.
    #[must_use]
    pub fn pins(&self, backend: BackendIndex) -> u32 {
        [&self.open, &self.closing].iter().filter_map(|counted| counted.get(&backend)).sum()
    }
}

#[cfg(test)]
mod tests {
    use lb_common::pin::PinKey;

    use super::*;

    const A: BackendIndex = BackendIndex(1);
    const B: BackendIndex = BackendIndex(2);
    const GONE: BackendIndex = BackendIndex(9);
    const NOW: Epoch = Epoch::from_bits(500);
    const SERVICE: u32 = 3;

    /// A hash that falls into that one of four slots.
    fn key(slot: u64, number: u64) -> PinKey {
        PinKey::new(slot << 62 | number << 32 | number, SERVICE)
    }

    fn put(bucket: &Bucket, pin: Pin) -> bool {
        let number = bucket.room(pin.is_provisional(), false, NOW);
        change(bucket.place(number), Pin::NONE, pin)
    }

    #[test]
    fn what_counts_is_counted_and_the_rest_taken_out() {
        let bucket = Bucket::default();
        let long_ago = Epoch::from_bits(100);
        let rows = [
            ("to the current backend", Pin::new(key(1, 1), A, NOW), true),
            ("to the previous one", Pin::new(key(1, 2), B, NOW), true),
            ("about to end", Pin::new(key(2, 3), B, NOW).closing(), true),
            ("of a stable slot", Pin::new(key(0, 4), A, NOW), false),
            ("expired", Pin::new(key(1, 5), B, long_ago), false),
            ("to one that is gone", Pin::new(key(1, 6), GONE, NOW), false),
            ("not confirmed yet", Pin::new(key(3, 7), A, NOW).provisional(), true),
        ];
        for (what, pin, _) in rows {
            assert!(put(&bucket, pin), "{what}");
        }
        let slots = [Slot::stable(A), Slot::migrating(A, B), Slot::tracked(A), Slot::tracked(A)];
        let pinning = Pinning { slots: &slots, idle: 60, pins_all: false };
        let services = BTreeMap::from([(SERVICE, pinning)]);
        let keepers = BTreeMap::from([(A, SERVICE), (B, SERVICE)]);
        let mut census = Census::default();
        census.look(&[bucket], &Question { services: &services, keepers: &keepers, now: NOW });
        let expected = Census {
            open: [(A, 2), (B, 1)].into(),
            closing: [(B, 1)].into(),
            elsewhere: [(SERVICE, vec![false, true, true, false])].into(),
            removed: 3,
        };
        assert_eq!(census, expected);
        assert_eq!([A, B, GONE].map(|backend| census.pins(backend)), [2, 2, 0]);
    }

    #[test]
    fn who_pins_all_keeps_pins_of_stable_slots() {
        let bucket = Bucket::default();
        assert!(put(&bucket, Pin::new(key(0, 1), B, NOW)));
        let slots = [Slot::stable(A); 4];
        let services = BTreeMap::from([(SERVICE, Pinning { slots: &slots, idle: 60, pins_all: true })]);
        let keepers = BTreeMap::from([(A, SERVICE), (B, SERVICE)]);
        let mut census = Census::default();
        census.look(&[bucket], &Question { services: &services, keepers: &keepers, now: NOW });
        assert_eq!((census.pins(B), census.removed), (1, 0));
    }
}
