//! Between any two of a plan's writes, every service that there was and will be gets its packets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use etherparse::PacketBuilder;
use lb_common::clock::Tick;
use lb_common::datapath::balance;
use lb_common::siphash::HashKey;
use lb_common::verdict::FORWARDED;
use lb_userspace::config::Config;
use lb_userspace::fitness::UNDECIDED;
use lb_userspace::frame::Frame;
use lb_userspace::host_tables::HostTables;
use lb_userspace::image::Image;
use lb_userspace::planner::{Observed, Planner, plan};
use proptest::prelude::*;

use crate::node::{self, next_hops};

/// Ports of services, on two VIPs; 0 stands for any, and the second VIP is a prefix.
const PORTS: [u16; 3] = [80, 443, 0];

/// The services by VIP and port, and the weights of their backends: a backend of none isn't there.
type Services = BTreeMap<(u8, usize), (&'static str, Vec<Option<u32>>)>;

fn services() -> impl Strategy<Value = Services> {
    let scheduler = prop_oneof![
        3 => Just("maglev"),
        1 => Just("round_robin"),
        1 => Just("least_connections"),
    ];
    let weights = prop::collection::vec(prop::option::weighted(0.7, 1..4_u32), 4);
    let service =
        (scheduler, weights.prop_filter("a backend", |weights| weights.iter().any(Option::is_some)));
    prop::collection::btree_map((1..3_u8, 0..PORTS.len()), service, 0..6)
}

fn configuration(services: &Services) -> Config {
    let mut text = "version: 1\ninterfaces: [{name: eth0}]\nservices:\n".to_owned();
    for ((vip, port), (scheduler, weights)) in services {
        let vip = if *vip == 1 { "192.0.2.1" } else { "192.0.2.128/25" };
        let port = if PORTS[*port] == 0 { "any".into() } else { PORTS[*port].to_string() };
        write!(
            text,
            "  - {{vip: {vip}, port: {port}, protocol: tcp, forwarding: l2, table_size: 251, scheduler: {scheduler}, backends: ["
        )
        .unwrap();
        for (number, weight) in (1..).zip(weights) {
            if let Some(weight) = weight {
                write!(text, "{{address: {}, weight: {weight}}}, ", node::address(number)).unwrap();
            }
        }
        text.push_str("]}\n");
    }
    if services.is_empty() {
        text = text.replace("services:", "services: []");
    }
    Config::parse(&text, Path::new("lb.yaml")).unwrap()
}

/// Whether a first packet to a service reaches a backend.
fn reaches(tables: &HostTables, vip: u8, port: usize, client: u16) -> bool {
    let vip = if vip == 1 { [192, 0, 2, 1] } else { [192, 0, 2, 200] };
    let port = if PORTS[port] == 0 { 9999 } else { PORTS[port] };
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([203, 0, 113, 1], vip, 61)
        .tcp(client, port, 1, 65_535)
        .syn();
    let mut octets = Vec::new();
    builder.write(&mut octets, &[]).unwrap();
    balance(&mut Frame::new(&octets), tables).counter() == FORWARDED
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn each_prefix_of_a_plan_forwards(former in services(), wanted in services()) {
        let backends = (1..=4).map(|number| (number, node::Backend::default())).collect();
        let next_hops = next_hops(&backends);
        let mut tables = HostTables::new(&Image::default(), HashKey::new(*b"0123456789abcdef"), 8);
        tables.set_time(Tick(1000));
        let (before, after) = (configuration(&former), configuration(&wanted));
        let mut planner = Planner::new(before.maps);
        let refused = BTreeMap::new();
        let observed = Observed { next_hops: &next_hops, fitnesses: &UNDECIDED, census: None, refused: &refused, now: Tick(1000) };
        let desired = planner.desired(&before, tables.image(), observed);
        plan(tables.image(), &desired.image).iter().for_each(|write| tables.apply(write));

        let both: Vec<_> = former.keys().filter(|service| wanted.contains_key(service)).copied().collect();
        let desired = planner.desired(&after, tables.image(), observed);
        let writes = plan(tables.image(), &desired.image);
        for (number, write) in writes.iter().enumerate() {
            tables.apply(write);
            for &(vip, port) in &both {
                for client in 0..8 {
                    let client = 10_000 + 8 * number as u16 + client;
                    prop_assert!(reaches(&tables, vip, port, client), "{vip} {port} after {number} writes: {write:?}");
                }
            }
        }
        prop_assert!(wanted.keys().all(|&(vip, port)| reaches(&tables, vip, port, 9)));
        let again = planner.desired(&after, tables.image(), observed);
        prop_assert!(plan(tables.image(), &again.image).is_empty());
    }
}
