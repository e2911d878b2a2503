//! The other way to walk a packet than over the host's collections: through the loaded program.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::process::Command;

use aya::maps::MapInfo;
use aya::programs::{TestRun, TestRunOptions};
use lb_common::event::{Event, Sampling};
use lb_common::siphash::HashKey;
use lb_common::slot::BackendIndex;
use lb_common::symptom::Signs;
use lb_common::verdict::{NODE_COUNTERS, NodeCounters, ServiceCounters, Traffic};
use lb_userspace::config::MapSizes;
use lb_userspace::image::{Counters, Image};
use lb_userspace::maps::{Balancer, Events};
use lb_userspace::planner::plan;
use nix::sched::{CloneFlags, CpuSet, sched_getcpu, sched_setaffinity, unshare};
use nix::unistd::Pid;

use crate::services::HASH_KEY;

pub use lb_tests::datapath::host::{Action, Host, Outcome, kernel_time};

/// The loaded program.
pub struct Kernel {
    balancer: Balancer,
    image: Image,
    before: Counters,
    events: Events,
}

impl Kernel {
    /// Loads the program and fills its maps, in a network namespace of this thread's own that has a second interface.
    /// The thread stays on one CPU: each has its own ration of errors.
    pub fn load(image: Image) -> Self {
        Kernel::load_with(image, MapSizes::default())
    }

    /// The same with maps of other sizes.
    pub fn load_with(image: Image, sizes: MapSizes) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test loads BPF programs: run it as root");
        let mut one = CpuSet::new();
        one.set(sched_getcpu().unwrap()).unwrap();
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let veth = ["link", "add", "other", "index", "100", "type", "veth", "peer", "name", "end"];
        assert!(Command::new("ip").args(veth).status().unwrap().success());
        let mut balancer = Balancer::load(HashKey::new(HASH_KEY), sizes).unwrap();
        let egresses = image.backends.values().map(|backend| backend.egress).collect();
        assert_eq!(balancer.offer(&egresses), BTreeMap::new());
        balancer.apply(&plan(&Image::default(), &image), |_| {}).unwrap();
        let before = balancer.counters(&image).unwrap();
        let events = balancer.take_events().unwrap();
        Kernel { balancer, image, before, events }
    }

    /// Sets which packets are told of.
    pub fn sample(&mut self, sampling: &Sampling) {
        self.events.sample(sampling).unwrap();
    }

    /// What packets were told of since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        iter::from_fn(|| self.events.next_event()).collect()
    }

    /// How many should have been, by verdict.
    pub fn lost(&self) -> NodeCounters {
        self.events.lost().unwrap()
    }

    /// Takes out all interfaces that packets are redirected to, as the kernel does when they go.
    pub fn without_interfaces(&mut self) {
        self.balancer.withdraw_all_but(&BTreeSet::new()).unwrap();
    }

    /// The maps that the program uses, as the kernel knows them.
    pub fn maps(&mut self) -> Vec<MapInfo> {
        let ids = self.balancer.program().unwrap().info().unwrap().map_ids().unwrap().unwrap();
        ids.into_iter().map(|id| MapInfo::from_id(id).unwrap()).collect()
    }

    /// Walks a packet through the program.
    pub fn run(&mut self, frame: &[u8]) -> Outcome {
        let (action, frame) = self.walk(frame);
        Outcome { action, frame, counted: self.take_counters() }
    }

    /// The same, without looking at the counters.
    pub fn walk(&mut self, frame: &[u8]) -> (Action, Vec<u8>) {
        let mut room = vec![0; frame.len() + 128];
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut room);
        let result = self.balancer.program().unwrap().test_run(options).unwrap();
        let action = match result.return_value {
            1 => Action::Drop,
            2 => Action::Pass,
            3 => Action::Transmit,
            4 => Action::Redirect,
            other => panic!("the program returned {other}"),
        };
        room.truncate(result.data_size_out as usize);
        (action, room)
    }

    /// Walks a packet that the kernel sends, with that mark, through the program of checks. Returns the mark that it leaves
    /// with, too.
    pub fn check(&mut self, frame: &[u8], mark: u32) -> (Action, Vec<u8>, u32) {
        let mut room = vec![0; frame.len() + 128];
        let before = [[0; 4], [0; 4], mark.to_ne_bytes()].concat();
        let mut after = [0; 256];
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut room);
        options.ctx_in = Some(&before);
        options.ctx_out = Some(&mut after);
        let result = self.balancer.check_program().unwrap().test_run(options).unwrap();
        let action = match result.return_value.cast_signed() {
            -1 => Action::Transmit,
            2 => Action::Drop,
            7 => Action::Redirect,
            other => panic!("the program returned {other}"),
        };
        room.truncate(result.data_size_out as usize);
        (action, room, u32::from_ne_bytes(after[8..12].try_into().unwrap()))
    }

    /// What became of checks.
    pub fn check_counters(&self) -> NodeCounters {
        self.balancer.check_counters().unwrap()
    }

    /// By how much each counter moved since this was last asked.
    pub fn take_counters(&mut self) -> Counters {
        let after = self.balancer.counters(&self.image).unwrap();
        let counted = difference(&after, &self.before);
        self.before = after;
        counted
    }

    /// The node's counters alone, which take one look into the kernel.
    pub fn node_counters(&self) -> NodeCounters {
        self.balancer.counters(&Image::default()).unwrap().node
    }
}

fn difference(after: &Counters, before: &Counters) -> Counters {
    let mut moved = Counters { node: [0; NODE_COUNTERS], ..after.clone() };
    (0..NODE_COUNTERS).for_each(|i| moved.node[i] = after.node[i] - before.node[i]);
    for (index, counters) in &mut moved.services {
        let before = before.services.get(index).copied().unwrap_or_default();
        subtract(&mut counters.forwarded, before.forwarded);
        counters.answered -= before.answered;
        counters.pins.iter_mut().zip(before.pins).for_each(|(after, before)| *after -= before);
        counters.dropped.iter_mut().zip(before.dropped).for_each(|(after, before)| *after -= before);
    }
    for (index, counters) in &mut moved.backends {
        subtract(counters, before.backends.get(index).copied().unwrap_or_default());
    }
    for (index, signs) in &mut moved.signs {
        *signs = signs.since(before.signs.get(index).copied().unwrap_or_default());
    }
    moved.signs.retain(|_, moved| *moved != Signs::default());
    moved.services.retain(|_, moved| *moved != ServiceCounters::default());
    moved.backends.retain(|_: &BackendIndex, moved| *moved != Traffic::default());
    moved
}

fn subtract(after: &mut Traffic, before: Traffic) {
    after.packets -= before.packets;
    after.octets -= before.octets;
}
