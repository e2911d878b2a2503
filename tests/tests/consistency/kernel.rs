//! The same over the loaded program: what it really sends is what counts.

use std::collections::BTreeMap;

use aya::programs::{TestRun, TestRunOptions};
use fastrand::Rng;
use lb_common::clock::Tick;
use lb_common::siphash::HashKey;
use lb_common::verdict::PinEvent;
use lb_userspace::config::{Config, MapSizes};
use lb_userspace::fitness::UNDECIDED;
use lb_userspace::image::Image;
use lb_userspace::kernel_clock;
use lb_userspace::maps::Balancer;
use lb_userspace::planner::{Observed, Planner, plan, write};

use crate::clients::{Kind, segment};
use crate::node::{Backend, config, next_hops};

/// Seconds for which flows may pause and backends keep them: longer than the test takes.
const TIMES: [u32; 3] = [3600; 3];

/// The loaded program and its backends.
struct Kernel {
    balancer: Balancer,
    present: Image,
    planner: Planner,
    config: Config,
    backends: BTreeMap<u8, Backend>,
    room: Vec<u8>,
}

impl Kernel {
    fn load(backends: u8, flows: u32) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test loads BPF programs: run it as root");
        let backend = |number| (number, Backend { weight: 1, is_listed: true, ..Backend::default() });
        let backends: BTreeMap<_, _> = (1..=backends).map(backend).collect();
        let config = config("maglev", TIMES, &backends);
        let sizes = MapSizes { flows, ..MapSizes::default() };
        let mut kernel = Kernel {
            balancer: Balancer::load(HashKey::new(*b"0123456789abcdef"), sizes).unwrap(),
            present: Image::default(),
            planner: Planner::new(sizes),
            config,
            backends,
            room: vec![0; 256],
        };
        kernel.update();
        kernel
    }

    fn change(&mut self, backend: u8, change: impl FnOnce(&mut Backend)) {
        change(self.backends.get_mut(&backend).unwrap());
        self.config = config("maglev", TIMES, &self.backends);
        self.update();
    }

    fn update(&mut self) {
        let now: Tick = kernel_clock::now().unwrap();
        let (next_hops, refused) = (next_hops(&self.backends), BTreeMap::new());
        let observed =
            Observed { next_hops: &next_hops, fitnesses: &UNDECIDED, census: None, refused: &refused, now };
        let desired = self.planner.desired(&self.config, &self.present, observed);
        let plan = plan(&self.present, &desired.image);
        let present = &mut self.present;
        self.balancer.apply(&plan, |done| write(present, done)).unwrap();
    }

    /// The backend that a packet is sent to.
    fn walk(&mut self, frame: &[u8]) -> u8 {
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut self.room);
        let result = self.balancer.program().unwrap().test_run(options).unwrap();
        assert_eq!(result.return_value, 3, "out by the interface that it came in by");
        self.room[0]
    }

    fn pins(&self, event: PinEvent) -> u64 {
        let counters = self.balancer.counters(&self.present).unwrap();
        counters.services.values().map(|service| service.pins[event as usize]).sum()
    }
}

/// 100,000 connections, and fifty changes one after the other.
#[test]
fn no_connection_is_moved_by_fifty_changes() {
    const CONNECTIONS: u32 = 100_000;
    const ASKED: u32 = 8_000;
    const BACKENDS: u8 = 8;
    let mut random = Rng::with_seed(0x4b);
    let mut kernel = Kernel::load(BACKENDS, 1 << 20);
    let mut homes: Vec<u8> =
        (0..CONNECTIONS).map(|number| kernel.walk(&segment(number, Kind::Syn))).collect();
    let mut violations = 0;
    for number in 0..50 {
        let backend = random.u8(1..=BACKENDS);
        match random.u8(..4) {
            0 => kernel.change(backend, |backend| backend.is_listed = !backend.is_listed),
            1 => kernel.change(backend, |backend| backend.weight = random.u32(0..5)),
            2 => kernel.change(backend, |backend| backend.is_lost = !backend.is_lost),
            _ => kernel.change(backend, |backend| backend.is_lost = false),
        }
        for _ in 0..ASKED {
            let connection = random.u32(..CONNECTIONS);
            let kind = if random.u8(..8) == 0 { Kind::Fin } else { Kind::Data };
            let place = connection as usize;
            let got = kernel.walk(&segment(connection, kind));
            violations += u32::from(got != homes[place]);
            if kind == Kind::Fin {
                // The client's port is used again.
                homes[place] = kernel.walk(&segment(connection, Kind::Syn));
                let backend = &kernel.backends[&homes[place]];
                assert!(
                    backend.is_listed && !backend.is_lost,
                    "after change {number}: {connection} begins there"
                );
            }
        }
    }
    for (connection, home) in (0..).zip(&homes) {
        violations += u32::from(kernel.walk(&segment(connection, Kind::Data)) != *home);
    }
    assert_eq!(violations, 0);
    assert_eq!(kernel.pins(PinEvent::Moved), 0);
    assert!(kernel.pins(PinEvent::Made) > u64::from(ASKED));
}

/// A flood of first packets while slots migrate: the connections that were pinned stay, in a table that doesn't grow.
#[test]
fn a_flood_of_first_packets_moves_no_connection() {
    const CONNECTIONS: u32 = 2_000;
    let mut kernel = Kernel::load(4, 8_192);
    let homes: Vec<u8> = (0..CONNECTIONS).map(|number| kernel.walk(&segment(number, Kind::Syn))).collect();
    kernel.change(1, |backend| backend.is_lost = true);
    kernel.change(2, |backend| backend.weight = 3);
    let ask_all = |kernel: &mut Kernel| {
        for (connection, home) in (0..).zip(&homes) {
            assert_eq!(kernel.walk(&segment(connection, Kind::Data)), *home, "{connection}");
        }
    };
    ask_all(&mut kernel);
    for number in 0..100_000 {
        kernel.walk(&segment(1_000_000 + number, Kind::Syn));
    }
    assert!(kernel.pins(PinEvent::Refused) > 0, "the flood was larger than the table");
    ask_all(&mut kernel);
    assert_eq!(kernel.pins(PinEvent::Moved), 0);
    assert_eq!(kernel.balancer.buckets().len() * 16, 8_192);
}
