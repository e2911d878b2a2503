//! A balancer whose backends an operator changes as he likes, and whose time passes as the test wants.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use lb_common::backend::Link;
use lb_common::clock::Tick;
use lb_common::datapath::balance;
use lb_common::siphash::HashKey;
use lb_common::verdict::PinEvent;
use lb_common::wire::ethernet::Vlan;
use lb_userspace::census::Census;
use lb_userspace::config::{AdminState, Config};
use lb_userspace::fitness::UNDECIDED;
use lb_userspace::frame::Frame;
use lb_userspace::host_tables::HostTables;
use lb_userspace::image::Image;
use lb_userspace::next_hop::{NextHop, NextHops, Unresolved};
use lb_userspace::planner::{Desired, Kept, Observed, Planner, look, plan};

/// Where `BPF_PROG_TEST_RUN` says that packets come in: the loopback device.
const EGRESS: u32 = 1;

pub const BACKENDS: u8 = 5;
pub const IDLE: u32 = 60;
pub const DRAIN: u32 = 100;
pub const GRACE: u32 = 20;
const TIMES: [u32; 3] = [IDLE, DRAIN, GRACE];

/// What an operator and the network do to a backend.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    pub weight: u32,
    pub is_listed: bool,
    pub is_lost: bool,
    pub state: AdminState,
    pub drain_timeout: Option<u32>,
}

/// A node of one service, on the host.
pub struct Node {
    pub tables: HostTables,
    pub now: Tick,
    pub desired: Desired,
    planner: Planner,
    config: Config,
    scheduler: &'static str,
    backends: BTreeMap<u8, Backend>,
    refused: BTreeMap<u32, u64>,
    /// After so many writes of the next plan that has any, lbd is killed.
    killed_after: Option<usize>,
}

pub fn address(backend: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, backend))
}

impl Node {
    /// With the first three backends; the connection table has 2^`pin_bits` buckets.
    pub fn new(scheduler: &'static str, pin_bits: u32) -> Self {
        let backend = |number| Backend { weight: 1, is_listed: number <= 3, ..Backend::default() };
        let backends: BTreeMap<_, _> = (1..=BACKENDS).map(|number| (number, backend(number))).collect();
        let config = config(scheduler, TIMES, &backends);
        let mut node = Node {
            tables: HostTables::new(&Image::default(), HashKey::new(*b"0123456789abcdef"), pin_bits),
            now: Tick(1_000_000),
            desired: Desired::default(),
            planner: Planner::new(config.maps),
            config,
            scheduler,
            backends,
            refused: BTreeMap::new(),
            killed_after: None,
        };
        node.tables.set_time(node.now);
        node.update(None);
        node
    }

    pub fn list(&mut self, backend: u8, is_listed: bool) {
        self.change(backend, |backend| {
            if !backend.is_listed {
                *backend = Backend { weight: backend.weight, is_lost: backend.is_lost, ..Backend::default() };
            }
            backend.is_listed = is_listed;
        });
    }

    pub fn weigh(&mut self, backend: u8, weight: u32) {
        self.change(backend, |backend| backend.weight = weight);
    }

    pub fn lose(&mut self, backend: u8, is_lost: bool) {
        self.change(backend, |backend| backend.is_lost = is_lost);
    }

    /// Says which flows a backend takes, and for how many seconds it keeps them if it drains.
    pub fn order(&mut self, backend: u8, state: AdminState, seconds: Option<u32>) {
        self.change(backend, |backend| (backend.state, backend.drain_timeout) = (state, seconds));
    }

    /// Kills lbd in the middle of its next change, and starts it again.
    pub fn kill_after(&mut self, writes: usize) {
        self.killed_after = Some(writes);
    }

    /// Ends lbd and starts it again: what is left are the maps, and what it has kept.
    pub fn restart(&mut self) {
        let text = serde_json::to_string(&self.planner.kept()).unwrap();
        let kept: Kept = serde_json::from_str(&text).unwrap();
        let image = self.tables.image();
        self.planner = Planner::restore(&kept, self.config.maps, image, self.now).unwrap();
        self.update(None);
    }

    /// Lets seconds pass, each with what lbd does in it.
    pub fn wait(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.now.0 += 8;
            self.tables.set_time(self.now);
            self.settle();
        }
    }

    /// Walks a packet; returns the backend that got it.
    pub fn walk(&mut self, frame: &[u8]) -> Option<u8> {
        let mut frame = Frame::new(frame);
        let _ = balance(&mut frame, &self.tables);
        let counted = self.tables.take_counters();
        for (service, counters) in &counted.services {
            *self.refused.entry(*service).or_default() += counters.pins[PinEvent::Refused as usize];
        }
        let index = counted.backends.into_keys().next()?;
        let backends = &self.desired.services[0].backends;
        let backend = backends.iter().find(|backend| backend.index == index)?;
        let IpAddr::V4(address) = backend.id.address else { return None };
        Some(address.octets()[3])
    }

    pub fn census(&self) -> Census {
        let services = &self.desired.services;
        look(&self.config, services, self.tables.image(), self.tables.buckets(), self.now)
    }

    fn change(&mut self, backend: u8, change: impl FnOnce(&mut Backend)) {
        change(self.backends.get_mut(&backend).unwrap());
        self.config = config(self.scheduler, TIMES, &self.backends);
        self.update(None);
    }

    fn settle(&mut self) {
        if self.planner.waits() {
            let census = self.census();
            self.planner.looked(&self.config, self.tables.image(), &census);
            self.update(Some(&census));
        }
    }

    fn update(&mut self, census: Option<&Census>) {
        let next_hops = next_hops(&self.backends);
        let observed = Observed {
            next_hops: &next_hops,
            fitnesses: &UNDECIDED,
            census,
            refused: &self.refused,
            now: self.now,
        };
        self.desired = self.planner.desired(&self.config, self.tables.image(), observed);
        let writes = plan(self.tables.image(), &self.desired.image);
        if let Some(count) = self.killed_after.filter(|_| !writes.is_empty()) {
            self.killed_after = None;
            writes.iter().take(count).for_each(|write| self.tables.apply(write));
            return self.restart();
        }
        writes.iter().for_each(|write| self.tables.apply(write));
        assert!(plan(self.tables.image(), &self.desired.image).is_empty(), "a plan leads to what is wanted");
    }
}

/// The configuration of a service of TCP, or of UDP if that is what the scheduler is called, with these backends, each by the last octet of its address, and with idle and drain timeout and
/// the grace time in seconds.
pub fn config(scheduler: &str, times: [u32; 3], backends: &BTreeMap<u8, Backend>) -> Config {
    let [idle, drain, grace] = times;
    let (protocol, scheduler) = if scheduler == "udp" { ("udp", "maglev") } else { ("tcp", scheduler) };
    let mut text = format!(
        "version: 1\ninterfaces: [{{name: eth0}}]\nservices:\n  - {{vip: 192.0.2.1, port: 80, protocol: {protocol}, \
         forwarding: l2, table_size: 251, scheduler: {scheduler}, idle_timeout: {idle}, drain_timeout: {drain}, \
         down_grace: {grace}, backends: ["
    );
    let listed: BTreeMap<_, _> = backends.iter().filter(|(_, backend)| backend.is_listed).collect();
    // All of weight 0 is refused by the configuration.
    let all_zero = listed.values().all(|backend| backend.weight == 0);
    for (number, backend) in listed {
        let weight = if all_zero { 1 } else { backend.weight };
        let (address, state) = (address(*number), backend.state.name());
        write!(text, "{{address: {address}, weight: {weight}, state: {state}").unwrap();
        if let Some(seconds) = backend.drain_timeout {
            write!(text, ", drain_timeout: {seconds}").unwrap();
        }
        text.push_str("}, ");
    }
    text.push_str("]}\n");
    Config::parse(&text, Path::new("lb.yaml")).unwrap()
}

/// The ways to them: packets leave by the interface that they came in by, to a MAC address of the backend's octet.
pub fn next_hops(backends: &BTreeMap<u8, Backend>) -> NextHops {
    let way = |(&number, backend): (&u8, &Backend)| {
        let link = Link { egress: EGRESS, mtu: 1500, vlan: Vlan::NONE, addresses: [number; 12] };
        let hop = NextHop { link, source: address(254), gateway: None };
        let lost = Unresolved::NoAnswer { neighbour: address(number), interface: "eth0".into() };
        (address(number), if backend.is_lost { Err(lost) } else { Ok(hop) })
    };
    backends.iter().map(way).collect()
}
