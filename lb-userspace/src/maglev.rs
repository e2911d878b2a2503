//! The lookup table of a service.
//!
//! Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
//! section 3.4), with weights. The table is a function of names, weights and size alone, whatever the order of the
//! members: nodes with the same configuration have the same table, as long as they reach the same members. One that
//! can't be reached from a node has weight 0 there.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// What a table is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'name> {
    /// Identifies the member on every node; unique in a table.
    pub name: &'name str,
    /// Share of the slots, relative to the other members' weights. With 0 it has none.
    pub weight: u32,
}

/// A built table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// For each slot its member, as an index into the members that the table was built for. Empty if no member has a
    /// weight.
    pub slots: Vec<u32>,
    /// For each member, how many slots are its own.
    pub shares: Vec<u32>,
    /// Equal for equal tables; to be compared between nodes. It differs where one node reaches a member and another
    /// doesn't.
    pub fingerprint: u64,
}

impl Table {
    /// Builds a table.
    ///
    /// `size` is a prime number: then each member's skip visits every slot.
    #[must_use]
    pub fn build(members: &[Member], size: u32) -> Table {
        let mut order: Vec<usize> = (0..members.len()).filter(|&i| members[i].weight > 0).collect();
        order.sort_by_key(|&i| members[i].name);
        let slots = populate(members, &order, size);
        let mut shares = vec![0; members.len()];
        slots.iter().for_each(|&member| shares[member as usize] += 1);
        let fingerprint = fingerprint(members, &slots, size);
        Table { slots, shares, fingerprint }
    }
}

/// A slot that nobody has claimed yet.
const FREE: u32 = u32::MAX;

/// Lets the members take turns, each claiming the first free slot of its own permutation of the slots.
///
/// In the paper every member has one turn a round. Here the heaviest does, and one of half its weight has a turn every
/// second round: its turn number `k` falls into round `ceil((k - 1/2) * heaviest / weight)`. The half (Sainte-Laguë's
/// divisor) favours neither the heavy nor the light: after whole rounds every share is within half a slot of being
/// in proportion to the heaviest's.
fn populate(members: &[Member], order: &[usize], size: u32) -> Vec<u32> {
    let Some(heaviest) = order.iter().map(|&i| u64::from(members[i].weight)).max() else {
        return Vec::new();
    };
    let round = |turn: u64, i: usize| ((2 * turn - 1) * heaviest).div_ceil(2 * u64::from(members[i].weight));
    let mut permutations: Vec<_> = order.iter().map(|&i| Permutation::of(members[i].name, size)).collect();
    let mut turns: BinaryHeap<_> =
        order.iter().enumerate().map(|(place, &i)| Reverse((round(1, i), place, 1))).collect();

    let mut slots = vec![FREE; size as usize];
    for _ in 0..size {
        let Some(Reverse((_, place, turn))) = turns.pop() else { break };
        let permutation = &mut permutations[place];
        while slots[permutation.slot as usize] != FREE {
            permutation.advance();
        }
        slots[permutation.slot as usize] = order[place] as u32;
        turns.push(Reverse((round(turn + 1, order[place]), place, turn + 1)));
    }
    slots
}

/// The order in which a member prefers the slots: from `offset` on in steps of `skip`.
struct Permutation {
    slot: u32,
    skip: u32,
    size: u32,
}

impl Permutation {
    fn of(name: &str, size: u32) -> Self {
        let slot = hash(0, name) % u64::from(size);
        let skip = hash(1, name) % u64::from(size - 1) + 1;
        Permutation { slot: slot as u32, skip: skip as u32, size }
    }

    fn advance(&mut self) {
        self.slot = (self.slot + self.skip) % self.size;
    }
}

/// SipHash-1-3 with a key of zeros: unlike the standard library's hasher it will be the same in every version.
fn hash(seed: u64, name: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(&seed.to_le_bytes());
    hasher.write(name.as_bytes());
    hasher.write(&[0xff]);
    hasher.finish()
}

/// Hash of the table's size and its members' names slot by slot.
fn fingerprint(members: &[Member], slots: &[u32], size: u32) -> u64 {
    let names: Vec<u64> = members.iter().map(|member| hash(0, member.name)).collect();
    let mut hasher = SipHasher13::new();
    hasher.write(&size.to_le_bytes());
    for &slot in slots {
        hasher.write(&names[slot as usize].to_le_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash};

    use maglev_hash::MaglevTable;
    use proptest::prelude::*;

    use super::*;

    const SIZE: u32 = 65_537;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("10.0.{}.{}", i / 256, i % 256)).collect()
    }

    fn equal(names: &[String]) -> Vec<Member<'_>> {
        names.iter().map(|name| Member { name, weight: 1 }).collect()
    }

    fn moved(before: &Table, after: &Table) -> usize {
        before.slots.iter().zip(&after.slots).filter(|(before, after)| before != after).count()
    }

    /// These must never change: nodes of different versions serve the same flows.
    #[test]
    fn golden_fingerprints() {
        let ten = names(10);
        let mut weighted = equal(&ten);
        weighted.iter_mut().zip(1..).for_each(|(member, weight)| member.weight = weight);
        assert_eq!(format!("{:016x}", Table::build(&equal(&ten), SIZE).fingerprint), "247364c8ac154294");
        assert_eq!(format!("{:016x}", Table::build(&weighted, SIZE).fingerprint), "4854b1bc6d009b19");
        assert_eq!(
            format!("{:016x}", Table::build(&equal(&names(1000)), SIZE).fingerprint),
            "30446b06401cb7eb"
        );
    }

    /// The crate doesn't show its slots, but a key that falls into a slot shows whose it is.
    #[test]
    fn equal_weights_give_the_table_of_maglev_hash() {
        let mut names = names(37);
        names.sort();
        let ours = Table::build(&equal(&names), 1009);
        let theirs = MaglevTable::with_capacity(names.clone(), 1009);
        let mut slots_seen = vec![false; 1009];
        for key in 0..20_000_u32 {
            let mut hasher = DefaultHasher::new();
            2_u64.hash(&mut hasher);
            key.hash(&mut hasher);
            let slot = (hasher.finish() % 1009) as usize;
            slots_seen[slot] = true;
            assert_eq!(theirs.get(&key), Some(&names[ours.slots[slot] as usize]), "slot {slot}");
        }
        assert!(slots_seen.iter().all(|&seen| seen));
    }

    #[test]
    fn no_weight_no_slots() {
        assert!(Table::build(&[], SIZE).slots.is_empty());
        assert!(Table::build(&[Member { name: "a", weight: 0 }], SIZE).slots.is_empty());
    }

    #[test]
    fn equal_weights_differ_by_one_turn() {
        for count in [1, 3, 10, 100, 1000] {
            let names = names(count);
            let shares = Table::build(&equal(&names), SIZE).shares;
            assert_eq!(shares.len(), count);
            assert_eq!(shares.iter().sum::<u32>(), SIZE);
            let (least, most) = (shares.iter().min(), shares.iter().max());
            assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{count}: {shares:?}");
        }
    }

    /// No worse than the reference when one of N goes and comes back.
    #[test]
    fn disruption_is_that_of_maglev_hash() {
        for count in [10, 100, 1000] {
            let mut names = names(count);
            names.sort();
            let ours = |names: &[String]| Table::build(&equal(names), SIZE);
            let gone = count / 2;
            let mut fewer = equal(&names);
            fewer[gone].weight = 0;
            let changed = moved(&ours(&names), &Table::build(&fewer, SIZE));

            let theirs = |names: &[String]| MaglevTable::with_capacity(names.to_vec(), SIZE as usize);
            let (before, mut without) = (theirs(&names), names.clone());
            without.remove(gone);
            let after = theirs(&without);
            let keys = SIZE * 4;
            let their_share =
                (0..keys).filter(|key| before.get(key) != after.get(key)).count() as f64 / f64::from(keys);
            let our_share = changed as f64 / f64::from(SIZE);
            assert!(our_share >= 1.0 / count as f64 * 0.99, "{count}: {our_share} is less than possible");
            assert!(our_share <= their_share * 1.05 + 0.001, "{count}: {our_share} against {their_share}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_order_of_input_does_not_matter(
            weights in prop::collection::vec(0_u32..50, 1..40),
            rotation in 0_usize..40,
        ) {
            let names = names(weights.len());
            let members: Vec<_> =
                names.iter().zip(&weights).map(|(name, &weight)| Member { name, weight }).collect();
            let mut turned = members.clone();
            turned.rotate_left(rotation % weights.len());
            let (table, other) = (Table::build(&members, 1009), Table::build(&turned, 1009));
            prop_assert_eq!(table.fingerprint, other.fingerprint);
            for (slot, other) in table.slots.iter().zip(&other.slots) {
                prop_assert_eq!(members[*slot as usize], turned[*other as usize]);
            }
        }

        #[test]
        fn shares_follow_weights(weights in prop::collection::vec(0_u32..1000, 1..20)) {
            let names = names(weights.len());
            let members: Vec<_> =
                names.iter().zip(&weights).map(|(name, &weight)| Member { name, weight }).collect();
            let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
            prop_assume!(total > 0);
            let shares = Table::build(&members, SIZE).shares;
            for (share, weight) in shares.iter().zip(&weights) {
                let part = f64::from(*weight) / total as f64;
                let wanted = f64::from(SIZE) * part;
                // Half a slot of each member's rounding, shared out by weight; its own half; an unfinished round.
                let bound = weights.len() as f64 / 2.0 * part + 1.5;
                prop_assert!((f64::from(*share) - wanted).abs() <= bound, "{share} slots for {wanted}");
            }
        }
    }
}
