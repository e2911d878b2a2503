//! Tables of VIPs and services that are found in one or two steps, without a call into the kernel.
//!
//! Open addressing with linear probing in an array of entries, sixteen for each that may be in use, so that nearly all
//! stand in their home place. Measured on Linux 6.18, the kernel's hash map takes 35 to 45 ns for the same.
//!
//! An entry is changed while packets are looked up: its key is written before the flag that makes it present, and each
//! of its words is written at once. A removed entry keeps its place, so that those behind it are still found.

use core::hint;

use crate::address::Address;
use crate::service::{Service, ServiceFlags, ServiceKey};
use crate::slot::is_usual;
use crate::vip::{Vip, VipFlags};

/// Places in which an entry may stand, from its home on.
pub const PROBES: u32 = 8;

/// Places for each VIP or service that may be in use.
///
/// A service may have two names, and all are to find a place within [`PROBES`]: with eight places, one of twenty sets of
/// 65,536 random addresses doesn't, with sixteen none of a hundred.
pub const PLACES_PER_ENTRY: usize = 16;

/// Places in a directory for so many VIPs or services: a power of two.
#[must_use]
pub const fn places(entries: usize) -> u32 {
    (entries * PLACES_PER_ENTRY).next_power_of_two() as u32
}

/// The home place of a key, of so many. The kernel's programs have no cheap shift by a number that isn't a constant.
#[inline(always)]
#[must_use]
pub fn home<E: Entry>(key: &E::Key, places: u32) -> u32 {
    ((u64::from(E::home(key)) * u64::from(places)) >> 32) as u32
}

/// What an entry's flags say about the entry itself, in the two highest bits.
const PRESENT: u32 = 1 << 31;
const REMOVED: u32 = 1 << 30;

/// Odd numbers without a pattern: the fractional parts of the golden ratio and of the square root of 3.
const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xbb67_ae85_84ca_a73b;

/// An entry of a directory.
pub trait Entry: Copy {
    /// What it is found by.
    type Key: Copy + PartialEq;

    /// Where entries of that key would best stand, of 2^32 places.
    fn home(key: &Self::Key) -> u32;

    /// The key in the entry.
    fn key(&self) -> Self::Key;

    /// Its flags.
    fn flags(&self) -> u32;

    /// Words of an entry, at most [`MOST_WORDS`].
    const WORDS: usize = size_of::<Self>() / size_of::<u64>();

    /// Which of its words holds the flags, in the high half.
    const FLAGS_WORD: usize;

    /// The entry as it stands in memory, and zeros.
    fn words(&self) -> [u64; MOST_WORDS];

    /// The entry that these words are.
    fn from_words(words: [u64; MOST_WORDS]) -> Self;
}

/// Words of the longest entry.
pub const MOST_WORDS: usize = 8;

/// A VIP and its address.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VipEntry {
    /// Its address.
    pub address: Address,
    /// The VIP.
    pub vip: Vip,
    unused: u64,
}

/// A service and its name, in one cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceEntry {
    /// The service.
    pub service: Service,
    /// Its name.
    pub key: ServiceKey,
    /// What it adds to the hashes of its flows; see [`ServiceKey::hash`].
    pub hash: u64,
    unused: u64,
}

const _: () = assert!(size_of::<VipEntry>() == 32 && size_of::<ServiceEntry>() == 64);

impl VipEntry {
    /// An entry that will be found.
    #[must_use]
    pub const fn new(address: Address, mut vip: Vip) -> Self {
        vip.flags.0 |= PRESENT;
        VipEntry { address, vip, unused: 0 }
    }

    /// The VIP that was entered.
    #[must_use]
    pub const fn entered(mut self) -> Vip {
        self.vip.flags.0 &= !PRESENT;
        self.vip
    }
}

impl ServiceEntry {
    /// An entry that will be found.
    #[must_use]
    pub const fn new(key: ServiceKey, mut service: Service, hash: u64) -> Self {
        service.flags.0 |= PRESENT;
        service.flags.set(ServiceFlags::USUAL_TABLE, is_usual(service.entries()));
        ServiceEntry { service, key, hash, unused: 0 }
    }

    /// The service that was entered.
    #[must_use]
    pub const fn entered(mut self) -> Service {
        self.service.flags.0 &= !(PRESENT | ServiceFlags::USUAL_TABLE.0);
        self.service
    }
}

impl Entry for VipEntry {
    type Key = Address;

    #[inline(always)]
    fn home(address: &Address) -> u32 {
        let [high, low] = address.words();
        ((high.wrapping_mul(FIRST) ^ low).wrapping_mul(SECOND) >> 32) as u32
    }

    #[inline(always)]
    fn key(&self) -> Address {
        self.address
    }

    #[inline(always)]
    fn flags(&self) -> u32 {
        self.vip.flags.0
    }

    const FLAGS_WORD: usize = 2;

    fn words(&self) -> [u64; MOST_WORDS] {
        let [high, low] = self.address.words();
        let vip = u64::from(self.vip.index) | u64::from(self.vip.flags.0) << 32;
        [high, low, vip, 0, 0, 0, 0, 0]
    }

    fn from_words([high, low, vip, unused, ..]: [u64; MOST_WORDS]) -> Self {
        let vip = Vip { index: vip as u32, flags: VipFlags((vip >> 32) as u32) };
        VipEntry { address: Address::from_words([high, low]), vip, unused }
    }
}

impl Entry for ServiceEntry {
    type Key = ServiceKey;

    #[inline(always)]
    fn home(key: &ServiceKey) -> u32 {
        let [high, low, rest] = key.words();
        ((high.wrapping_mul(FIRST) ^ low ^ rest).wrapping_mul(SECOND) >> 32) as u32
    }

    #[inline(always)]
    fn key(&self) -> ServiceKey {
        self.key
    }

    #[inline(always)]
    fn flags(&self) -> u32 {
        self.service.flags.0
    }

    const FLAGS_WORD: usize = 0;

    fn words(&self) -> [u64; MOST_WORDS] {
        let Service { index, flags, table, slots, turns } = self.service;
        let [high, low, rest] = self.key.words();
        let first = u64::from(index) | u64::from(flags.0) << 32;
        let second = u64::from(table) | u64::from(slots) << 32;
        [first, second, u64::from(turns), high, low, rest, self.hash, 0]
    }

    fn from_words([first, second, third, high, low, rest, hash, unused]: [u64; MOST_WORDS]) -> Self {
        let service = Service {
            index: first as u32,
            flags: ServiceFlags((first >> 32) as u32),
            table: second as u32,
            slots: (second >> 32) as u32,
            turns: third as u32,
        };
        ServiceEntry { service, key: ServiceKey::from_words([high, low, rest]), hash, unused }
    }
}

/// Where an entry of that key may be put, in a directory of so many `places`: where it stands already, else the first
/// place that is free. `None` if all are taken.
pub fn place_for<E: Entry>(key: &E::Key, places: u32, at: impl Fn(u32) -> E) -> Option<u32> {
    let home = home::<E>(key, places);
    let mut free = None;
    for probe in 0..PROBES {
        let place = (home + probe) & (places - 1);
        let entry = at(place);
        let present = entry.flags() & PRESENT != 0;
        if present && entry.key() == *key {
            return Some(place);
        }
        if !present && free.is_none() {
            free = Some(place);
        }
        if entry.flags() & (PRESENT | REMOVED) == 0 {
            break;
        }
    }
    free
}

/// Where the entry of that key stands, if there is one.
pub fn place_of<E: Entry>(key: &E::Key, places: u32, at: impl Fn(u32) -> E) -> Option<u32> {
    let home = home::<E>(key, places);
    let near = (0..PROBES).map(|probe| (home + probe) & (places - 1));
    let mut standing = near.filter(|&place| at(place).flags() & PRESENT != 0);
    standing.find(|&place| at(place).key() == *key)
}

/// Whether an entry is there: not an empty place, and not a removed one.
#[must_use]
pub fn is_present<E: Entry>(entry: &E) -> bool {
    entry.flags() & PRESENT != 0
}

/// What an entry's word of flags becomes when it is removed.
#[must_use]
pub const fn removed() -> u64 {
    (REMOVED as u64) << 32
}

/// Where the entry of a key stands, in a directory of so many `places` of which `at` reads one.
#[inline(always)]
pub fn find<'map, E: Entry + 'map>(
    key: &E::Key,
    places: u32,
    at: impl Fn(u32) -> Option<&'map E>,
) -> Option<u32> {
    let home = home::<E>(key, places);
    // A number that the compiler doesn't know: it would write out each step.
    for probe in 0..hint::black_box(PROBES) {
        let place = (home + probe) & places.wrapping_sub(1);
        let entry = at(place)?;
        if entry.flags() & PRESENT != 0 && entry.key() == *key {
            return Some(place);
        }
        if entry.flags() & (PRESENT | REMOVED) == 0 {
            return None;
        }
    }
    None
}

/// What the home place of a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance<E> {
    /// Its entry.
    Entry(E),
    /// It has none.
    Nothing,
    /// It may have one elsewhere.
    Elsewhere,
}

/// Looks at the home place of a key alone.
#[inline(always)]
pub fn glance<'map, E: Entry + 'map>(
    key: &E::Key,
    places: u32,
    at: impl Fn(u32) -> Option<&'map E>,
) -> Glance<&'map E> {
    let Some(entry) = at(home::<E>(key, places)) else { return Glance::Elsewhere };
    if entry.flags() & PRESENT != 0 && entry.key() == *key {
        Glance::Entry(entry)
    } else if entry.flags() & (PRESENT | REMOVED) == 0 {
        Glance::Nothing
    } else {
        Glance::Elsewhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Protocol;

    const PLACES: u32 = 32;

    fn key(number: u32) -> ServiceKey {
        ServiceKey::new(Address::v4(number.to_be_bytes()), 80, Protocol::TCP)
    }

    fn put(places: &mut [ServiceEntry], number: u32) {
        let place = place_for(&key(number), PLACES, |place| places[place as usize]).unwrap();
        let service = Service { index: number, ..Service::default() };
        places[place as usize] = ServiceEntry::new(key(number), service, 0);
    }

    fn found(places: &[ServiceEntry], number: u32) -> Option<u32> {
        let place = find::<ServiceEntry>(&key(number), PLACES, |place| places.get(place as usize))?;
        Some(places[place as usize].service.index)
    }

    #[test]
    fn what_was_put_is_found_and_what_was_removed_is_not() {
        let mut places = [ServiceEntry::default(); PLACES as usize];
        (0..12).for_each(|number| put(&mut places, number));
        (0..12).for_each(|number| assert_eq!(found(&places, number), Some(number)));
        assert_eq!(found(&places, 12), None);

        let place = place_of(&key(3), PLACES, |place| places[place as usize]).unwrap() as usize;
        places[place].service.flags.0 = (removed() >> 32) as u32;
        assert_eq!(found(&places, 3), None);
        (4..12).for_each(|number| assert_eq!(found(&places, number), Some(number)));
        put(&mut places, 3);
        assert_eq!(found(&places, 3), Some(3));
    }

    #[test]
    fn an_entry_stands_in_memory_as_its_words_say() {
        let service = Service { index: 1, flags: ServiceFlags(2), table: 3, slots: 4, turns: 5 };
        let entry = ServiceEntry::new(key(7), service, 6);
        let words = entry.words();
        let [high, low, rest] = key(7).words();
        let first = 1 | u64::from(PRESENT | 2) << 32;
        assert_eq!(words, [first, 3 | 4 << 32, 5, high, low, rest, 6, 0]);
        assert_eq!(ServiceEntry::from_words(words), entry);
        assert_eq!(entry.entered(), service);

        let vip = Vip { index: 5, flags: VipFlags::ANSWERS_ECHO };
        let entry = VipEntry::new(Address::v4([192, 0, 2, 1]), vip);
        assert_eq!(VipEntry::from_words(entry.words()), entry);
        assert_eq!(entry.entered(), vip);
    }
}
