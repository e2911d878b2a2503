//! The packets that fuzzing found worth keeping, and those of the vectors.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lb_common::datapath::decapsulate::Outcome;
use lb_common::verdict::{DropReason, Verdict};
use lb_tests::datapath::agent::unpack;
use lb_tests::datapath::laws;
use lb_tests::datapath::play::play;
use lb_tests::datapath::script::Script;
use lb_tests::datapath::world::World;

use crate::lockstep::Lockstep;
use crate::{tunnels, vectors};

/// The kept inputs of a fuzz target.
fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// Says which input it was if it ends badly.
struct Input<'a>(&'a Path);

impl Drop for Input<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.display());
        }
    }
}

#[test]
fn balance_on_the_host() {
    let mut met = BTreeSet::new();
    for (file, octets) in kept("balance") {
        let _input = Input(&file);
        play(&Script::read(&octets), |outcome| {
            met.insert(laws::verdict_of(&outcome.counted).counter());
        });
    }
    // Here the interface towards a backend never goes.
    let no_interface = Verdict::Drop(DropReason::NoInterface);
    for verdict in laws::every_verdict().filter(|verdict| *verdict != no_interface) {
        assert!(met.contains(&verdict.counter()), "no packet ends with {verdict:?}");
    }
}

#[test]
fn balance_in_the_kernel() {
    let inputs = kept("balance");
    for (number, world) in World::all().iter().enumerate() {
        let mut lockstep = Lockstep::load(world);
        for (file, octets) in &inputs {
            let _input = Input(file);
            let script = Script::read(octets);
            if script.world != number {
                continue;
            }
            lockstep.restart();
            for step in script.steps {
                if step.ticks {
                    lockstep.tick();
                }
                // The kernel takes no less than an Ethernet header.
                if step.frame.len() >= 14 {
                    let _ = lockstep.run(&step.frame);
                }
            }
            lockstep.compare_counters();
        }
    }
}

#[test]
fn decapsulate_on_the_host() {
    let mut met = BTreeSet::new();
    for (file, frame) in kept("decapsulate") {
        let _input = Input(&file);
        let (outcome, unpacked) = unpack(&frame);
        laws::check_unpacked(&frame, outcome, &unpacked);
        met.insert(outcome as u8);
    }
    assert_eq!(met.len(), Outcome::ALL.len(), "every outcome is met: {met:?}");
}

#[test]
fn decapsulate_in_the_kernel() {
    let mut kernel = tunnels::Kernel::load("xdp_agent");
    for (file, frame) in kept("decapsulate") {
        let _input = Input(&file);
        if frame.len() >= 14 {
            assert_eq!(unpack(&frame), kernel.run(&frame));
        }
    }
}

/// The vectors obey the laws. `LB_SEEDS` names a directory to write them into, for the fuzzer to begin with.
#[test]
fn vectors_obey_the_laws() {
    let seeds = std::env::var_os("LB_SEEDS").map(PathBuf::from);
    let write = |target: &str, number: usize, octets: &[u8]| {
        let Some(directory) = seeds.as_ref().map(|seeds| seeds.join(target)) else { return };
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(number.to_string()), octets).unwrap();
    };
    for (number, frames) in vectors::frames().into_iter().enumerate() {
        let script = Script::of_frames(frames);
        play(&script, |_| {});
        write("balance", number, &script.octets());
    }
    for (number, frame) in tunnels::frames().iter().enumerate() {
        let (outcome, unpacked) = unpack(frame);
        laws::check_unpacked(frame, outcome, &unpacked);
        write("decapsulate", number, frame);
    }
}
