//! The host build and the loaded program agree on every packet, however odd, and what becomes of it obeys the laws.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fastrand::Rng;
use lb_common::verdict::{DropReason, Verdict};
use lb_tests::datapath::laws::every_verdict;
use lb_tests::datapath::world::World;

use crate::lockstep::Lockstep;
use crate::mutate::mutate;
use crate::random::any_packet;
use crate::vectors;

/// Rounds, each with a seed of its own and nothing left of the one before.
const ROUNDS: u64 = 1000;
const PACKETS_PER_ROUND: u32 = 1000;

/// Where packets begin that are then damaged.
struct Source {
    random: Rng,
    known: Vec<Vec<u8>>,
}

impl Source {
    /// A packet of the vectors or a random one, of the services or damaged.
    fn next(&mut self) -> Vec<u8> {
        let valid = if self.random.bool() { self.known() } else { any_packet(&mut self.random) };
        if self.random.u8(..4) == 0 {
            return valid;
        }
        let other = self.known();
        mutate(&mut self.random, valid, &other)
    }

    fn known(&mut self) -> Vec<u8> {
        self.random.choice(&self.known).unwrap().clone()
    }
}

#[test]
fn host_and_kernel_agree_on_a_million_packets() {
    let known: Vec<_> = vectors::frames().into_iter().flatten().collect();
    let mut met = BTreeSet::new();
    let worlds = World::all();
    for (world, rounds) in worlds.iter().zip([0..ROUNDS / 2, ROUNDS / 2..ROUNDS]) {
        let mut lockstep = Lockstep::load(world);
        for seed in rounds {
            let mut source = Source { random: Rng::with_seed(seed), known: known.clone() };
            lockstep.restart();
            met.extend(play(&mut lockstep, &mut source, seed));
            lockstep.compare_counters();
        }
    }
    // Every end was met that a packet alone can cause.
    let of_the_node = [DropReason::NoHeadroom, DropReason::NoInterface].map(Verdict::Drop);
    for verdict in every_verdict().filter(|verdict| !of_the_node.contains(verdict)) {
        assert!(met.contains(&verdict.counter()), "no packet ended with {verdict:?}");
    }
}

/// Returns the counters that moved.
fn play(lockstep: &mut Lockstep, source: &mut Source, seed: u64) -> BTreeSet<usize> {
    let mut met = BTreeSet::new();
    for number in 0..PACKETS_PER_ROUND {
        if source.random.u8(..8) == 0 {
            lockstep.tick();
        }
        let frame = source.next();
        let run = AssertUnwindSafe(|| lockstep.run(&frame));
        match catch_unwind(run) {
            Ok(verdict) => drop(met.insert(verdict.counter())),
            Err(why) => {
                eprintln!("seed {seed}, packet {number}: {frame:02x?}");
                resume_unwind(why);
            }
        }
    }
    met
}
