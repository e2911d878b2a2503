//! The connection table: flows that are pinned to a backend.
//!
//! A pin is one word, and sixteen of them are a bucket of two neighbouring cache lines: a look costs one of memory's
//! latencies, a change is one compare-and-swap, and userspace reads the whole table through a mapping while packets
//! pass. Nothing is evicted that a flow has confirmed. Where a bucket is full, the flow isn't pinned, and the caller
//! sends it where it will be found without.

use crate::atomic::Word64;
use crate::clock::Epoch;
use crate::slot::BackendIndex;

/// Pins in a bucket.
pub const PLACES: usize = 16;

/// Pins that the map has room for, unless the configuration says otherwise: 8 MiB.
pub const CAPACITY: usize = 1 << 20;

/// Logarithm of the buckets in a table for so many pins.
#[must_use]
pub const fn bits(pins: usize) -> u32 {
    pins.div_ceil(PLACES).next_power_of_two().ilog2()
}

/// Places of a bucket, its first ones, that provisional pins never take.
const CONFIRMED_ONLY: usize = 8;

/// Epochs after which a provisional pin is void, unless its flow has confirmed it: clients repeat a SYN after 1, 3 and
/// 7 s (RFC 6298).
pub const PROVISIONAL_LIFE: u32 = 3;

/// Epochs after which a closing flow's pin is void: 64 s, as long as Linux keeps a closed connection.
pub const CLOSING_LIFE: u32 = 15;

/// Names a flow of a service in the connection table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinKey(u64);

/// An odd number without a pattern: the fractional part of the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl PinKey {
    /// The flow of that hash. Services that tell flows apart by less than ports share hashes, so the service counts too.
    #[inline(always)]
    #[must_use]
    pub const fn new(flow_hash: u64, service: u32) -> Self {
        PinKey(flow_hash ^ (service as u64).wrapping_mul(SPREAD))
    }

    /// Names its bucket, in as many low bits as the table has.
    #[inline(always)]
    #[must_use]
    pub const fn bucket(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    const fn tag(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A pin: to which backend, since when unused, and of which flow the other half of its key.
///
/// From the lowest bit: epoch of the last packet (14), whether the flow is closing, whether it is provisional,
/// backend (16), tag (32). A free place is 0, which no pin is: there is no backend 0.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pin(pub u64);

const CLOSING: u64 = 1 << Epoch::BITS;
const PROVISIONAL: u64 = CLOSING << 1;
const SEEN: u64 = CLOSING - 1;

impl Pin {
    /// A free place.
    pub const NONE: Pin = Pin(0);

    /// A confirmed pin of an open flow.
    #[inline(always)]
    #[must_use]
    pub const fn new(key: PinKey, backend: BackendIndex, now: Epoch) -> Self {
        Pin(now.bits() as u64 | (backend.0 as u64) << 16 | (key.tag() as u64) << 32)
    }

    /// The same, until its flow confirms it.
    #[inline(always)]
    #[must_use]
    pub const fn provisional(self) -> Self {
        Pin(self.0 | PROVISIONAL)
    }

    /// The same, of a flow that ends.
    #[inline(always)]
    #[must_use]
    pub const fn closing(self) -> Self {
        Pin(self.0 | CLOSING)
    }

    /// The same, confirmed.
    #[inline(always)]
    #[must_use]
    pub const fn confirmed(self) -> Self {
        Pin(self.0 & !PROVISIONAL)
    }

    /// The same, with a packet now.
    #[inline(always)]
    #[must_use]
    pub const fn seen(self, now: Epoch) -> Self {
        Pin(self.0 & !SEEN | now.bits() as u64)
    }

    /// Whether the place is free.
    #[inline(always)]
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether only a first packet was seen.
    #[inline(always)]
    #[must_use]
    pub const fn is_provisional(self) -> bool {
        self.0 & PROVISIONAL != 0
    }

    /// Whether the flow said that it ends.
    #[inline(always)]
    #[must_use]
    pub const fn is_closing(self) -> bool {
        self.0 & CLOSING != 0
    }

    /// The backend.
    #[inline(always)]
    #[must_use]
    pub const fn backend(self) -> BackendIndex {
        BackendIndex((self.0 >> 16) as u16)
    }

    /// The high half of the flow's hash, from which its slot follows, in a service.
    #[must_use]
    pub const fn hash_high(self, service: u32) -> u32 {
        PinKey::new(self.0, service).tag()
    }

    /// Whether the flow may be forgotten, of a service whose flows may pause for `idle` epochs.
    #[inline(always)]
    #[must_use]
    pub const fn has_expired(self, idle: u32, now: Epoch) -> bool {
        let mut life = idle;
        if self.is_closing() && life > CLOSING_LIFE {
            life = CLOSING_LIFE;
        }
        if self.is_provisional() {
            life = PROVISIONAL_LIFE;
        }
        now.since(Epoch::from_bits(self.0 as u32)) > life
    }
}

/// Stands in the number of a place whose pin another one may take.
pub const EVICTING: usize = 2 * PLACES;

/// A bucket of the connection table.
#[repr(C, align(8))]
#[derive(Default)]
pub struct Bucket([Word64; PLACES]);

const _: () = assert!(size_of::<Bucket>() == 128, "two cache lines");

impl Bucket {
    /// The number of the place with a flow's pin; [`PLACES`] if there is none.
    #[inline(always)]
    #[must_use]
    pub fn find(&self, key: PinKey) -> usize {
        for (number, place) in self.0.iter().enumerate() {
            let pin = Pin(place.load());
            if (pin.0 >> 32) as u32 == key.tag() && !pin.is_none() {
                return number;
            }
        }
        PLACES
    }

    /// The number of a place that a pin may take; [`PLACES`] if there is none. Those whose pin it would evict come as
    /// `number +` [`EVICTING`].
    ///
    /// A confirmed one takes any place but a confirmed one's. A provisional one takes a free place of the second half,
    /// or, if it `may_evict`, one that another may be evicted from.
    #[inline(always)]
    #[must_use]
    pub fn room(&self, is_provisional: bool, may_evict: bool, now: Epoch) -> usize {
        let first = if is_provisional { CONFIRMED_ONLY } else { 0 };
        let is_vacant = |there: Pin| {
            there.is_none() || there.is_provisional() && there.has_expired(PROVISIONAL_LIFE, now)
        };
        for (number, place) in self.0.iter().enumerate().skip(first) {
            if is_vacant(Pin(place.load())) {
                return number;
            }
        }
        if may_evict || !is_provisional {
            for (number, place) in self.0.iter().enumerate().skip(CONFIRMED_ONLY) {
                if Pin(place.load()).is_provisional() {
                    return number + EVICTING;
                }
            }
        }
        PLACES
    }

    /// A place, by the lowest bits of its number.
    #[inline(always)]
    #[must_use]
    pub fn place(&self, number: usize) -> &Word64 {
        &self.0[number % PLACES]
    }

    /// Every place, for those who look at all.
    #[must_use]
    pub fn places(&self) -> &[Word64; PLACES] {
        &self.0
    }
}

/// Changes a pin, unless somebody else did meanwhile.
#[inline(always)]
pub fn change(place: &Word64, former: Pin, present: Pin) -> bool {
    place.exchange(former.0, present.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Epoch = Epoch::from_bits(100);

    fn key(number: u64) -> PinKey {
        PinKey::new(number << 32 | 5, 0)
    }

    fn confirmed(number: u64) -> Pin {
        Pin::new(key(number), BackendIndex(7), NOW)
    }

    #[test]
    fn a_pin_is_its_parts() {
        let key = PinKey::new(0x0123_4567_89ab_cdef, 77);
        let pin = Pin::new(key, BackendIndex(0xbeef), NOW);
        assert_eq!((pin.backend(), pin.hash_high(77)), (BackendIndex(0xbeef), 0x0123_4567));
        assert!(!pin.is_provisional() && !pin.is_closing() && !pin.is_none());
        let marked = pin.provisional().closing();
        assert!(marked.is_provisional() && marked.is_closing());
        assert_eq!((marked.backend(), marked.hash_high(77)), (pin.backend(), pin.hash_high(77)));
        assert_eq!(marked.confirmed().seen(Epoch::from_bits(u32::MAX)).seen(NOW), pin.closing());
        assert_ne!(PinKey::new(1, 1), PinKey::new(1, 2));
    }

    #[test]
    fn a_pin_expires_by_what_its_flow_said() {
        let after = |pin: Pin, epochs| pin.has_expired(200, Epoch::from_bits(100 + epochs));
        let pin = confirmed(1);
        assert_eq!([200, 201, 16_000].map(|epochs| after(pin, epochs)), [false, true, true]);
        assert_eq!(
            [CLOSING_LIFE, CLOSING_LIFE + 1].map(|epochs| after(pin.closing(), epochs)),
            [false, true]
        );
        let life = [PROVISIONAL_LIFE, PROVISIONAL_LIFE + 1];
        assert_eq!(life.map(|epochs| after(pin.provisional(), epochs)), [false, true]);
        assert!(!pin.has_expired(200, Epoch::from_bits(99)), "seen by a clock that is ahead");
        assert!(pin.closing().has_expired(2, Epoch::from_bits(103)), "never longer than the service's own");
    }

    fn put(bucket: &Bucket, pin: Pin, may_evict: bool, now: Epoch) -> usize {
        let number = bucket.room(pin.is_provisional(), may_evict, now);
        if number != PLACES {
            let place = bucket.place(number);
            assert!(change(place, Pin(place.load()), pin));
        }
        number
    }

    fn has(bucket: &Bucket, number: u64) -> bool {
        bucket.find(key(number)) != PLACES
    }

    #[test]
    fn what_was_put_is_found() {
        let bucket = Bucket::default();
        for number in 0..PLACES as u64 {
            assert!(put(&bucket, confirmed(number), false, NOW) < PLACES);
        }
        for number in 0..PLACES as u64 {
            let found = bucket.find(key(number));
            assert_eq!(Pin(bucket.place(found).load()), confirmed(number));
        }
        assert!(!has(&bucket, 99));
        assert_eq!(Bucket::default().find(PinKey::new(0, 0)), PLACES, "a free place is nobody's");
    }

    #[test]
    fn a_flood_of_first_packets_leaves_room_for_the_confirmed() {
        let bucket = Bucket::default();
        let flood = |number, may_evict| put(&bucket, confirmed(number).provisional(), may_evict, NOW);
        (0..8).for_each(|number| assert!(flood(number, false) < PLACES));
        (8..20).for_each(|number| assert_eq!(flood(number, false), PLACES));
        assert!(flood(50, true) >= EVICTING);
        for number in 100..116 {
            assert_ne!(put(&bucket, confirmed(number), false, NOW), PLACES);
        }
        assert_eq!(put(&bucket, confirmed(200), true, NOW), PLACES, "all of them are confirmed");
        assert_eq!(flood(51, true), PLACES);
        assert!((100..116).all(|number| has(&bucket, number)));
    }

    #[test]
    fn what_was_never_confirmed_makes_room() {
        let bucket = Bucket::default();
        let later = Epoch::from_bits(NOW.bits() + PROVISIONAL_LIFE + 1);
        let first = |number, now| {
            let pin = Pin::new(key(number), BackendIndex(7), now).provisional();
            put(&bucket, pin, false, now)
        };
        (0..8).for_each(|number| assert!(first(number, NOW) < PLACES));
        assert_eq!(first(8, NOW), PLACES);
        assert!(first(8, later) < PLACES);
    }
}
