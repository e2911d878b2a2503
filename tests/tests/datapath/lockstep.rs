//! Both ways at once: what becomes of a packet on the host obeys the laws, and is what becomes of it in the kernel.

use lb_common::verdict::{Answer, NODE_COUNTERS, NodeCounters, Verdict};
use lb_tests::datapath::laws;
use lb_tests::datapath::play::Player;
use lb_tests::datapath::world::World;
use lb_userspace::image::Counters;

use crate::engine::{Kernel, Outcome};
use crate::remembered::Remembered;

/// The host build and the loaded program, with the same memory and the same time.
pub struct Lockstep<'world> {
    player: Player<'world>,
    kernel: Kernel,
    remembered: Remembered,
    node_before: NodeCounters,
    /// What the services and backends counted on the host since they were last compared.
    counted: Counters,
}

impl<'world> Lockstep<'world> {
    pub fn load(world: &'world World) -> Self {
        let mut kernel = Kernel::load(world.image.clone());
        let remembered = Remembered::of(&mut kernel);
        let node_before = kernel.node_counters();
        Lockstep { player: Player::new(world), kernel, remembered, node_before, counted: Counters::default() }
    }

    /// Forgets all packets.
    pub fn restart(&mut self) {
        self.player.restart();
        self.remembered.clear();
    }

    /// Lets a tick pass.
    pub fn tick(&mut self) {
        self.player.tick();
        self.remembered.tick();
    }

    /// Walks a packet both ways. The kernel takes frames of at least an Ethernet header.
    pub fn run(&mut self, frame: &[u8]) -> Verdict {
        let Outcome { action, frame: sent, counted } = self.player.run(frame, None);
        assert_eq!((action, sent), self.kernel.walk(frame));
        let node = self.kernel.node_counters();
        let moved: [u64; NODE_COUNTERS] = std::array::from_fn(|place| node[place] - self.node_before[place]);
        assert_eq!(counted.node, moved, "counters of the node");
        self.node_before = node;
        let verdict = laws::verdict_of(&counted);
        if let Verdict::Answer(Answer::TimeExceeded | Answer::TooBig | Answer::Rejected) = verdict {
            self.remembered.hold();
        }
        if !counted.signs.is_empty() {
            self.remembered.note_syn();
        }
        self.add(&counted);
        verdict
    }

    fn add(&mut self, counted: &Counters) {
        let sum = &mut self.counted;
        (0..NODE_COUNTERS).for_each(|place| sum.node[place] += counted.node[place]);
        for (service, counted) in &counted.services {
            let sum = sum.services.entry(*service).or_default();
            sum.forwarded.packets += counted.forwarded.packets;
            sum.forwarded.octets += counted.forwarded.octets;
            sum.answered += counted.answered;
            sum.pins.iter_mut().zip(counted.pins).for_each(|(sum, counted)| *sum += counted);
            sum.dropped.iter_mut().zip(counted.dropped).for_each(|(sum, counted)| *sum += counted);
        }
        for (backend, counted) in &counted.signs {
            let sum = sum.signs.entry(*backend).or_default();
            sum.begun += counted.begun;
            sum.again += counted.again;
            sum.resets += counted.resets;
        }
        for (backend, counted) in &counted.backends {
            let sum = sum.backends.entry(*backend).or_default();
            sum.packets += counted.packets;
            sum.octets += counted.octets;
        }
    }

    /// Compares what each service and each backend has counted since this was last done.
    pub fn compare_counters(&mut self) {
        assert_eq!(std::mem::take(&mut self.counted), self.kernel.take_counters(), "counters");
    }
}
