//! What the maps should hold, and how they get there.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use lb_common::address::Address;
use lb_common::backend::{Backend, Link};
use lb_common::clock::epochs;
use lb_common::flow::Protocol;
use lb_common::service::{Service, ServiceFlags, ServiceKey};
use lb_common::slot::Slot;
use lb_common::standing::Role;
use lb_common::vip::{Vip, VipFlags};
use lb_common::wire::ethernet::Vlan;
use proptest::prelude::*;

use super::*;
use crate::fitness::UNDECIDED;
use crate::next_hop::{NextHop, Unresolved};

const SIZE: usize = 251;

const NODE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 254));

fn address(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
}

/// A service for each list; a backend for each weight, with the address `10.0.0.1` and so on in every service.
fn config(forwarding: &str, services: &[&[u32]]) -> Config {
    let backend =
        |(weight, number): (&u32, u8)| format!("{{address: {}, weight: {weight}}}", address(number));
    let service = |(weights, number): (&&[u32], u8)| {
        let backends: Vec<_> = weights.iter().zip(1..).map(backend).collect();
        format!(
            "  - {{vip: 192.0.2.{number}, port: 80, protocol: tcp, forwarding: {forwarding}, \
             table_size: {SIZE}, backends: [{}]}}\n",
            backends.join(", ")
        )
    };
    let services: String = services.iter().zip(1..).map(service).collect();
    let text = format!("version: 1\ninterfaces: [{{name: eth0}}]\nservices:\n{services}");
    Config::parse(&text, Path::new("lb.yaml")).unwrap()
}

fn hop(number: u8) -> NextHop {
    let link = Link { egress: 2, mtu: 1500, vlan: Vlan::NONE, addresses: [number; 12] };
    NextHop { link, source: NODE, gateway: None }
}

/// Each of the first few backends on the link.
fn all_reached(backends: u8) -> NextHops {
    (1..=backends).map(|number| (address(number), Ok(hop(number)))).collect()
}

fn flags() -> ServiceFlags {
    ServiceFlags::default().with_idle(epochs(3600))
}

fn key(service: u8) -> ServiceKey {
    ServiceKey::new(Address::v4([192, 0, 2, service + 1]), 80, Protocol::TCP)
}

/// Slots of each backend.
fn slots(desired: &DesiredService) -> Vec<u32> {
    desired.backends.iter().map(|backend| backend.slots).collect()
}

#[test]
fn slots_follow_weights_and_the_backends_without_any_get_none() {
    let desired = desired(&config("l2", &[&[2, 0, 1], &[], &[1]]), &all_reached(3));
    let total = SIZE as u32;
    let [first, second, third] = desired.services.as_slice() else { panic!("{desired:?}") };

    let [two, none, one] = slots(first)[..] else { panic!("{first:?}") };
    assert_eq!((two + one, none), (total, 0));
    assert!((165..=169).contains(&two), "{two}");
    assert_eq!(slots(second), [0; 0]);
    assert_eq!(slots(third), [total]);
    assert!(desired.services.iter().flat_map(|service| &service.backends).all(|b| b.obstacle.is_none()));

    // A service without backends is one all the same: its packets are dropped and counted.
    assert_eq!(desired.image.services.len(), 3);
    assert_eq!(
        desired.image.services[&key(1)],
        Service { index: 1, flags: flags(), table: 1, slots: total, turns: 0 }
    );
    assert_eq!(*desired.image.tables[&1], vec![Slot::stable(BackendIndex::NONE); SIZE]);
    // Of weight 0, but there: it may get a weight.
    let numbers: Vec<_> = desired.image.backends.keys().map(|index| index.0).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(desired.image.backends[&BackendIndex(4)], Backend::l2(hop(1).link));
}

#[test]
fn a_backend_that_cannot_be_reached_has_its_reason_and_leaves_its_slots_to_the_others() {
    type Row = (&'static str, &'static str, Option<Result<NextHop, Unresolved>>, Option<&'static str>);
    let before_it = address(99);
    let silent = Unresolved::NoAnswer { neighbour: address(1), interface: "eth0".into() };
    let routed = NextHop { gateway: Some(before_it), ..hop(1) };
    let six = NextHop { source: "2001:db8::1".parse().unwrap(), ..hop(1) };
    let rows: [Row; 8] = [
        ("on the link", "l2", Some(Ok(hop(1))), None),
        ("tunnelled on the link", "ipip", Some(Ok(hop(1))), None),
        ("tunnelled behind a router", "ipip", Some(Ok(routed)), None),
        (
            "l2 behind a router",
            "l2",
            Some(Ok(routed)),
            Some("it is behind router 10.0.0.99, but l2 forwarding needs it on the link; use ipip"),
        ),
        ("silent", "l2", Some(Err(silent.clone())), Some("10.0.0.1 doesn't answer on eth0")),
        ("silent, tunnelled", "ipip", Some(Err(silent)), Some("10.0.0.1 doesn't answer on eth0")),
        ("unknown", "l2", None, Some("no route: not asked for yet")),
        (
            "a tunnel between two versions",
            "ipip",
            Some(Ok(six)),
            Some("no route: the source address 2001:db8::1 is of the other IP version"),
        ),
    ];
    for (what, forwarding, found, obstacle) in rows {
        let mut next_hops = all_reached(3);
        next_hops.remove(&address(1));
        next_hops.extend(found.map(|found| (address(1), found)));
        let desired = desired(&config(forwarding, &[&[1, 1, 1]]), &next_hops);
        let service = &desired.services[0];
        let said = service.backends[0].obstacle.as_ref().map(ToString::to_string);
        assert_eq!(said.as_deref(), obstacle, "{what}");
        assert_eq!(service.backends[0].slots == 0, obstacle.is_some(), "{what}");
        assert_eq!(slots(service).iter().sum::<u32>(), SIZE as u32, "{what}");
        assert_eq!(desired.image.backends.contains_key(&BackendIndex(1)), obstacle.is_none(), "{what}");
        let named: BTreeSet<_> = desired.image.tables[&0].iter().map(|slot| slot.current()).collect();
        assert_eq!(named, desired.image.backends.keys().copied().collect(), "{what}");
    }
}

#[test]
fn with_no_backend_in_reach_every_slot_is_empty() {
    let desired = desired(&config("l2", &[&[1, 1]]), &NextHops::new());
    assert_eq!(*desired.image.tables[&0], vec![Slot::stable(BackendIndex::NONE); SIZE]);
    assert_eq!(desired.image.backends.len(), 0);
    assert_eq!(slots(&desired.services[0]), [0, 0]);
}

/// One service with two tables' worth of everything.
fn image() -> Image {
    desired(&config("l2", &[&[1, 1], &[1]]), &all_reached(2)).image
}

#[test]
fn a_plan_writes_what_differs_and_nothing_else() {
    type Row = (&'static str, fn(&mut Image), Vec<Write>);
    let two = Slot::stable(BackendIndex(2));
    let moved = hop(9);
    let larger = vec![Slot::stable(BackendIndex(1)); 257];
    let rows: [Row; 5] = [
        ("nothing", |_| {}, vec![]),
        (
            "one slot",
            |image| Arc::make_mut(image.tables.get_mut(&1).unwrap())[7] = Slot::stable(BackendIndex(2)),
            vec![Write::Slots(1, vec![(7, two)])],
        ),
        (
            "a backend's link",
            |image| {
                image.backends.insert(BackendIndex(1), Backend::l2(hop(9).link));
            },
            vec![Write::Backend(BackendIndex(1), Backend::l2(moved.link))],
        ),
        (
            "a table's size",
            |image| {
                image.tables.insert(1, Arc::new(vec![Slot::stable(BackendIndex(1)); 257]));
                image.services.get_mut(&key(1)).unwrap().slots = 257;
            },
            vec![
                Write::Table(1, Arc::new(larger)),
                Write::Service(key(1), Service { index: 1, flags: flags(), table: 1, slots: 257, turns: 0 }),
            ],
        ),
        // A packet may be on its way to the backend.
        (
            "a backend and a service less",
            |image| {
                image.backends.remove(&BackendIndex(3));
                image.roles.remove(&BackendIndex(3));
                image.services.remove(&key(1));
                image.tables.remove(&1);
            },
            vec![Write::NoService(key(1)), Write::Role(BackendIndex(3), Role::default()), Write::NoTable(1)],
        ),
    ];
    for (what, change, expected) in rows {
        let present = image();
        let mut wanted = present.clone();
        change(&mut wanted);
        assert_eq!(plan(&present, &wanted), expected, "{what}");
    }
}

#[test]
fn the_first_plan_writes_everything_once() {
    let image = image();
    let plan = plan(&Image::default(), &image);
    let backends = image.backends.len() + image.roles.len();
    let entries = backends + image.tables.len() + image.services.len() + image.vips.len();
    assert_eq!(plan.len(), entries + usize::from(image.settings != Settings::default()));
}

/// Its place in the order of a plan: nothing names what isn't there yet.
fn stage(write: &Write) -> u8 {
    match write {
        Write::Backend(..) | Write::Role(..) => 0,
        Write::Table(..) | Write::Slots(..) => 1,
        Write::Quic(..) => 2,
        Write::Service(..) => 3,
        Write::Prefix(..) => 4,
        Write::Settings(..) => 5,
        Write::Vip(..) => 6,
        Write::NoVip(..) => 7,
        Write::NoPrefix(..) => 8,
        Write::NoService(..) => 9,
        Write::NoQuic(..) => 10,
        Write::NoTable(..) => 11,
    }
}

fn an_image() -> impl Strategy<Value = Image> {
    let backend =
        (1..6_u16, 0..4_u8).prop_map(|(index, mac)| (BackendIndex(index), Backend::l2(hop(mac).link)));
    let slots = prop::collection::vec((0..6_u16).prop_map(|index| Slot::stable(BackendIndex(index))), 1..5);
    let service = (0..4_u8, 0..3_u32, 1..5_u32).prop_map(|(service, table, slots)| {
        (
            key(service),
            Service { index: u32::from(service), flags: ServiceFlags::default(), table, slots, turns: 0 },
        )
    });
    let vip = (0..3_u8, 0..3_u32, 0..3_u32).prop_map(|(address, index, flags)| {
        (Address::v4([192, 0, 2, address]), Vip { index, flags: VipFlags(flags) })
    });
    let prefixes =
        prop::collection::btree_map((0..3_u8, 100..103_u32), 0..3_u32, 0..3).prop_map(|prefixes| {
            let prefix = |((address, bits), index)| {
                ((Address::v4([192, 0, address, 0]), bits), Vip { index, flags: VipFlags::default() })
            };
            prefixes.into_iter().map(prefix).collect::<BTreeMap<_, _>>()
        });
    (
        prop::collection::btree_map(0..3_u32, slots.prop_map(Arc::new), 0..3),
        prop::collection::vec(backend, 0..5),
        prop::collection::vec(service, 0..4),
        prop::collection::vec(vip, 0..4),
        prefixes,
    )
        .prop_map(|(tables, backends, services, vips, prefixes)| Image {
            tables,
            vips: vips.into_iter().collect(),
            settings: Settings { has_prefixes: u64::from(!prefixes.is_empty()), ..Settings::default() },
            prefixes,
            quic: BTreeMap::new(),
            roles: BTreeMap::new(),
            backends: backends.into_iter().collect(),
            services: services.into_iter().collect(),
        })
}

proptest! {
    #[test]
    fn a_plan_leads_from_any_image_to_any_other(present in an_image(), wanted in an_image()) {
        let writes = plan(&present, &wanted);
        prop_assert!(writes.is_sorted_by_key(stage), "{writes:?}");

        let mut image = present.clone();
        writes.iter().for_each(|done| write(&mut image, done));
        // What is wanted is there; the entries of backends that aren't named any more may stay.
        let holds = |key: &ServiceKey| image.services.get(key) == wanted.services.get(key);
        prop_assert!(wanted.services.keys().all(holds));
        prop_assert!(wanted.vips.iter().all(|(address, vip)| image.vips.get(address) == Some(vip)));
        prop_assert_eq!(image.settings, wanted.settings);
        prop_assert!(wanted.tables.iter().all(|(number, slots)| image.tables.get(number) == Some(slots)));
        prop_assert!(wanted.backends.iter().all(|(index, backend)| image.backends.get(index) == Some(backend)));
        prop_assert_eq!(&image.services, &wanted.services);
        prop_assert_eq!(&image.vips, &wanted.vips);
        prop_assert_eq!(&image.tables, &wanted.tables);
        prop_assert_eq!(plan(&image, &wanted), vec![]);
    }

    #[test]
    fn from_nothing_a_plan_makes_exactly_what_is_wanted(wanted in an_image()) {
        let mut image = Image::default();
        plan(&image, &wanted).iter().for_each(|done| write(&mut image, done));
        prop_assert_eq!(&image, &wanted);
        prop_assert_eq!(plan(&image, &wanted), vec![]);
    }
}

/// A QUIC server's ID is not followed while there is no way to the server.
#[test]
fn a_quic_server_out_of_reach_keeps_its_id_without_a_backend() {
    let text = "version: 1\ninterfaces: [{name: eth0}]\nservices:\n  - {vip: 192.0.2.1, port: 443, protocol: udp, \
                forwarding: l2, quic: {server_id_length: 1}, backends: [{address: 10.0.0.1, quic_server_id: \"01\"}]}\n";
    let config = Config::parse(text, Path::new("lb.yaml")).unwrap();
    let reached = desired(&config, &all_reached(1)).image;
    let lost = desired(&config, &NextHops::new()).image;
    let (key, backend) = reached.quic.first_key_value().unwrap();
    assert_eq!(*backend, BackendIndex(1));
    let writes = plan(&reached, &lost);
    assert!(writes.contains(&Write::Quic(*key, BackendIndex::NONE)), "{writes:?}");
}

/// Services whose tables would be equal have one; else a table is built once for each.
#[test]
fn a_change_builds_the_tables_that_it_concerns_and_no_others() {
    type Row = (&'static str, Config, NextHops, usize);
    let before = config("l2", &[&[1, 1], &[1, 2], &[1, 2, 1], &[3, 2, 1], &[1, 1]]);
    let mut planner = Planner::new(before.maps);
    let then = |planner: &mut Planner, config: &Config, next_hops: &NextHops| {
        let observed = Observed {
            next_hops,
            fitnesses: &UNDECIDED,
            census: None,
            refused: &BTreeMap::new(),
            now: Tick(0),
        };
        planner.desired(config, &Image::default(), observed)
    };
    let first = then(&mut planner, &before, &all_reached(3));
    assert_eq!(first.tables.built(), 4);

    let four_in_reach = all_reached(4);
    let reweighted = config("l2", &[&[1, 1], &[1, 3], &[1, 2, 1], &[3, 2, 1], &[1, 1]]);
    let one_more = config("l2", &[&[1, 1, 1], &[1, 2], &[1, 2, 1], &[3, 2, 1], &[1, 1]]);
    let in_another_order = config("l2", &[&[3, 2, 1], &[1, 1], &[1, 2]]);
    let mut renamed = before.clone();
    renamed.services[2].backends[0].name = "a".into();
    let mut larger = before.clone();
    larger.services[4].table_size = 257;
    let mut two_in_reach = all_reached(3);
    two_in_reach.remove(&address(3));
    let mut moved = all_reached(3);
    moved.insert(address(1), Ok(hop(9)));
    let rows: [Row; 8] = [
        ("nothing", before.clone(), all_reached(3), 0),
        ("a neighbour that no service has", before.clone(), four_in_reach, 0),
        ("another MAC address", before.clone(), moved, 0),
        ("a weight", reweighted, all_reached(3), 1),
        // It gives all backends behind it other numbers.
        ("a backend more in the first service", one_more, all_reached(3), 1),
        ("services less, and in another order", in_another_order, all_reached(3), 0),
        ("a name", renamed, all_reached(3), 1),
        ("a size", larger, all_reached(3), 1),
    ];
    for (what, config, next_hops, built) in rows {
        let after = then(&mut planner.clone(), &config, &next_hops);
        assert_eq!(after.tables.built(), built, "{what}");
        let fingerprints = |desired: &Desired| -> Vec<_> {
            desired.services.iter().map(|service| service.fingerprint).collect()
        };
        assert_eq!(fingerprints(&after), fingerprints(&desired(&config, &next_hops)), "{what}");
    }

    // Two services have the backend that goes.
    let lost = then(&mut planner, &before, &two_in_reach);
    assert_eq!(lost.tables.built(), 2);
    // What the last plan didn't want isn't kept.
    assert_eq!(then(&mut planner, &before, &all_reached(3)).tables.built(), 2);
}

/// A number is another's only after a look through the connection table has found nothing that names it.
#[test]
fn numbers_of_what_is_gone_wait_for_a_look() {
    let (both, first, second) = (&[&[1, 1][..], &[1]][..], &[&[1, 1][..]][..], &[&[][..], &[1]][..]);
    let [both, first, second] = [both, first, second].map(|services| config("l2", services));
    let second = Config { services: vec![second.services[1].clone()], ..second };
    let next_hops = all_reached(2);
    let mut planner = Planner::new(both.maps);
    let mut present = Image::default();
    let mut step = |planner: &mut Planner, config: &Config| -> Vec<(u32, Vec<u16>)> {
        let observed = Observed {
            next_hops: &next_hops,
            fitnesses: &UNDECIDED,
            census: None,
            refused: &BTreeMap::new(),
            now: Tick(0),
        };
        let desired = planner.desired(config, &present, observed);
        plan(&present, &desired.image).iter().for_each(|done| write(&mut present, done));
        assert!(plan(&present, &desired.image).is_empty());
        let numbers = |service: &DesiredService| {
            (service.index, service.backends.iter().map(|backend| backend.index.0).collect())
        };
        desired.services.iter().map(numbers).collect()
    };
    assert_eq!(step(&mut planner, &both), [(0, vec![1, 2]), (1, vec![3])]);
    assert_eq!(step(&mut planner, &second), [(1, vec![3])]);
    assert!(planner.waits());
    assert_eq!(step(&mut planner, &both), [(2, vec![4, 5]), (1, vec![3])]);
    assert_eq!(step(&mut planner, &first), [(2, vec![4, 5])]);
    let pinned = Census { open: [(BackendIndex(3), 1)].into(), ..Census::default() };
    planner.looked(&first, &Image::default(), &pinned);
    assert_eq!(step(&mut planner, &both), [(2, vec![4, 5]), (3, vec![1])]);
    planner.looked(&first, &Image::default(), &Census::default());
    assert!(!planner.waits());
    assert_eq!(step(&mut planner, &second), [(3, vec![1])]);
    assert_eq!(step(&mut planner, &both), [(0, vec![2, 3]), (3, vec![1])]);
}
