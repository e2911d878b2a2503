//! Ways to give each slot of a lookup table a backend: ours, and those that it is compared with.

use std::hash::Hasher;

use lb_userspace::maglev::{Member, Table};
use siphasher::sip::SipHasher13;

/// Points on the ring for each unit of weight, as ketama has them.
const POINTS: u32 = 160;

/// Gives each slot a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Maglev hashing: what services have.
    Maglev,
    /// Consistent hashing (Karger et al., STOC 1997): the backend of the next point on a ring, of which each has
    /// 160 for each unit of weight.
    Ring,
    /// Highest random weight (Thaler and Ravishankar, 1998), with weights as in Schindelhauer and Schomaker, 2005.
    Rendezvous,
}

impl Method {
    /// All of them, ours first.
    pub const ALL: [Method; 3] = [Method::Maglev, Method::Ring, Method::Rendezvous];

    /// The name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Method::Maglev => "maglev",
            Method::Ring => "ring",
            Method::Rendezvous => "rendezvous",
        }
    }

    /// For each slot its backend, as an index into the members. One of them at least has a weight.
    #[must_use]
    pub fn slots(self, members: &[Member], size: u32) -> Vec<u32> {
        match self {
            Method::Maglev => Table::build(members, size).slots,
            Method::Ring => ring(members, size),
            Method::Rendezvous => rendezvous(members, size),
        }
    }
}

fn ring(members: &[Member], size: u32) -> Vec<u32> {
    let mut points = Vec::new();
    for (index, member) in (0..).zip(members) {
        let name = hash(member.name.as_bytes());
        points.extend((0..member.weight * POINTS).map(|point| (mix(name ^ mix(u64::from(point))), index)));
    }
    points.sort_unstable();
    let owner = |key| {
        let next = points.partition_point(|(point, _)| *point < key);
        points[next % points.len()].1
    };
    (0..size).map(|slot| owner(key(slot))).collect()
}

fn rendezvous(members: &[Member], size: u32) -> Vec<u32> {
    let weighted = (0..).zip(members).filter(|(_, member)| member.weight > 0);
    let named: Vec<(u32, u64, u32)> =
        weighted.map(|(index, member)| (index, hash(member.name.as_bytes()), member.weight)).collect();
    let is_equal = named.iter().all(|(.., weight)| *weight == named[0].2);
    let owner = |slot| {
        let key = key(slot);
        let winner = if is_equal {
            named.iter().max_by_key(|(_, name, _)| mix(name ^ key))
        } else {
            named
                .iter()
                .max_by(|one, other| score(one.1 ^ key, one.2).total_cmp(&score(other.1 ^ key, other.2)))
        };
        winner.map_or(0, |(index, ..)| *index)
    };
    (0..size).map(owner).collect()
}

/// The one with the highest wins; with twice the weight, twice as often.
fn score(key: u64, weight: u32) -> f64 {
    // Between 0 and 1, neither of them.
    let uniform = ((mix(key) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    f64::from(weight) / -uniform.ln()
}

/// What stands for a slot.
fn key(slot: u32) -> u64 {
    hash(&slot.to_le_bytes())
}

fn hash(octets: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(octets);
    hasher.finish()
}

/// The finalizer of `SplitMix64` (Steele et al., OOPSLA 2014): every bit of the result depends on all of the number's.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u32 = 5003;

    #[test]
    fn shares_follow_weights() {
        let members = [("a", 1), ("b", 2), ("c", 0), ("d", 4)].map(|(name, weight)| Member { name, weight });
        for method in Method::ALL {
            let slots = method.slots(&members, SIZE);
            assert_eq!(slots.len(), SIZE as usize);
            for (index, member) in (0..).zip(&members) {
                let slots = slots.iter().filter(|slot| **slot == index).count() as f64;
                let wanted = f64::from(SIZE * member.weight) / 7.0;
                assert!((slots - wanted).abs() <= 0.15 * wanted, "{method:?} {}: {slots}", member.name);
            }
        }
    }

    #[test]
    fn only_what_the_gone_backend_had_moves_on_a_ring_and_by_rendezvous() {
        let all = ["a", "b", "c", "d"].map(|name| Member { name, weight: 1 });
        let mut fewer = all;
        fewer[2].weight = 0;
        for method in [Method::Ring, Method::Rendezvous] {
            let (before, after) = (method.slots(&all, SIZE), method.slots(&fewer, SIZE));
            for (before, after) in before.iter().zip(&after) {
                assert!(*after != 2 && (before == after || *before == 2), "{method:?}: {before} to {after}");
            }
        }
    }
}
