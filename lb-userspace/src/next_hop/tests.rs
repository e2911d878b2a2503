//! Ways to backends, found in networks that are written down here.

use super::*;

const BACKEND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 11));
const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));
const NODE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 10));

fn route(gateway: Option<IpAddr>) -> Route {
    Route { interface: 7, gateway, source: NODE, local: false }
}

fn device(kind: Option<&str>) -> Device {
    Device { name: "eth0".into(), kind: kind.map(str::to_owned) }
}

fn interface() -> Interface {
    Interface { device: device(None), up: true, mac: Some([2; 6]), mtu: 1500, trunk: None }
}

#[test]
fn a_vlan_leaves_by_the_interface_below_with_its_tag() {
    let asked = |index, hop| {
        assert_eq!((index, hop), (7, BACKEND));
        Neighbour::Known([1; 6])
    };
    let vlan = Interface { trunk: Some(Trunk { interface: 2, tag: Vlan(100) }), ..interface() };
    let hop = next_hop(BACKEND, &route(None), &vlan, asked).unwrap();
    assert_eq!((hop.link.egress, hop.link.vlan), (2, Vlan(100)));
}

#[test]
fn the_next_hop_is_the_backend_or_the_router_before_it() {
    let macs = |index, hop| {
        assert_eq!(index, 7);
        Neighbour::Known(if hop == ROUTER { [1; 6] } else { [11; 6] })
    };
    let direct = next_hop(BACKEND, &route(None), &interface(), macs).unwrap();
    assert_eq!(direct.link.addresses, [11, 11, 11, 11, 11, 11, 2, 2, 2, 2, 2, 2]);
    assert_eq!((direct.link.egress, direct.link.mtu, direct.source), (7, 1500, NODE));
    let routed = next_hop(BACKEND, &route(Some(ROUTER)), &interface(), macs).unwrap();
    assert_eq!(routed.link.addresses[..6], [1; 6]);
    assert_eq!(routed.gateway, Some(ROUTER));
}

#[test]
fn each_obstacle_is_named() {
    let known = |_, _| Neighbour::Known([1; 6]);
    let eth0 = || "eth0".to_string();
    let cases = [
        (Route { local: true, ..route(None) }, interface(), Unresolved::Local),
        (route(None), Interface { up: false, ..interface() }, Unresolved::InterfaceDown(eth0())),
        (route(None), Interface { mac: None, ..interface() }, Unresolved::NotEthernet(eth0())),
    ];
    for (route, interface, obstacle) in cases {
        assert_eq!(next_hop(BACKEND, &route, &interface, known), Err(obstacle));
    }
    let unresolved = |state| next_hop(BACKEND, &route(None), &interface(), |_, _| state);
    let (neighbour, interface) = (BACKEND, eth0());
    assert_eq!(
        unresolved(Neighbour::Asking),
        Err(Unresolved::Pending { neighbour, interface: interface.clone() })
    );
    assert_eq!(unresolved(Neighbour::Silent), Err(Unresolved::NoAnswer { neighbour, interface }));
}

/// The next hop at each of several moments: interface and neighbour as the kernel gives them.
fn over_time(moments: &[(Option<(u32, Interface)>, Neighbour)]) -> Vec<Result<NextHop, Unresolved>> {
    let mut former = Neighbours::new();
    let mut found = Vec::new();
    for (present, neighbour) in moments {
        let index = present.as_ref().map_or(7, |(index, _)| *index);
        let interfaces = present.iter().map(|(index, interface)| {
            let Interface { device, up, mac, mtu, trunk } = interface;
            (*index, Interface { device: device.clone(), up: *up, mac: *mac, mtu: *mtu, trunk: *trunk })
        });
        let answers = Answers {
            routes: [(BACKEND, Ok(Route { interface: index, ..route(None) }))].into(),
            interfaces: interfaces.collect(),
            neighbours: [((index, BACKEND), *neighbour)].into(),
        };
        let (network, in_use) = answers.network(&former);
        former = in_use;
        found.extend(network.next_hops.into_values());
    }
    found
}

#[test]
fn while_the_kernel_asks_the_last_answer_holds() {
    use Neighbour::{Asking, Known, Silent};
    let neighbour = BACKEND;
    let hop = |mac: u8| next_hop(BACKEND, &route(None), &interface(), |_, _| Known([mac; 6]));
    let pending = || Err(Unresolved::Pending { neighbour, interface: "eth0".into() });
    let no_answer = || Err(Unresolved::NoAnswer { neighbour, interface: "eth0".into() });
    let rows = [
        ("asked for the first time", vec![Asking, Known([9; 6])], vec![pending(), hop(9)]),
        ("forgotten", vec![Known([9; 6]), Asking, Asking], vec![hop(9), hop(9), hop(9)]),
        ("forgotten, then silent", vec![Known([9; 6]), Asking, Silent], vec![hop(9), hop(9), no_answer()]),
        ("replaced", vec![Known([9; 6]), Known([8; 6])], vec![hop(9), hop(8)]),
        (
            "silent, asked again and again",
            vec![Silent, Asking, Silent, Asking],
            vec![no_answer(), no_answer(), no_answer(), no_answer()],
        ),
        ("silent, then back", vec![Silent, Asking, Known([9; 6])], vec![no_answer(), no_answer(), hop(9)]),
    ];
    for (what, states, expected) in rows {
        let moments: Vec<_> = states.into_iter().map(|state| (Some((7, interface())), state)).collect();
        assert_eq!(over_time(&moments), expected, "{what}");
    }
}

#[test]
fn a_neighbour_is_forgotten_with_its_interface() {
    use Neighbour::{Asking, Known};
    let pending = Err(Unresolved::Pending { neighbour: BACKEND, interface: "eth0".into() });
    let down = Some((7, Interface { up: false, ..interface() }));
    let rows =
        [("gone", None, 7), ("down", down, 7), ("gone and back as another", Some((8, interface())), 8)];
    for (what, between, index_after) in rows {
        let moments = [
            (Some((7, interface())), Known([9; 6])),
            (between, Asking),
            (Some((index_after, interface())), Asking),
        ];
        let found = over_time(&moments);
        assert!(found[0].is_ok(), "{what}");
        assert!(found[1].is_err(), "{what}");
        assert_eq!(found[2], pending, "{what}");
    }
}

fn network(kind: Option<&str>) -> Network {
    let hop = next_hop(BACKEND, &route(None), &interface(), |_, _| Neighbour::Known([9; 6]));
    Network { next_hops: [(BACKEND, hop)].into(), devices: [(7, device(kind))].into() }
}

#[test]
fn what_xdp_in_the_driver_cannot_send_by_is_an_obstacle() {
    let rows: [(Option<&str>, &[u32], bool); 10] = [
        (None, &[3], true),
        (Some("veth"), &[3], true),
        (Some("bond"), &[3], true),
        (Some("tun"), &[3], true),
        (Some("bridge"), &[3], false),
        (Some("vlan"), &[7, 3], false),
        (Some("macvlan"), &[3], false),
        // Sent back by the interface that it came in by.
        (Some("macvlan"), &[7], true),
        // Every ingress runs in generic mode.
        (Some("vxlan"), &[], true),
        (Some("a kind of the future"), &[3], false),
    ];
    for (kind, drivers, reachable) in rows {
        let found = network(kind).reachable_from(drivers).remove(&BACKEND).unwrap();
        assert_eq!(found.is_ok(), reachable, "{kind:?} from {drivers:?}");
        if let (Err(obstacle), Some(kind)) = (found, kind) {
            let text = obstacle.to_string();
            assert!(text.starts_with(&format!("eth0 ({kind}) can't send ")), "{text}");
            assert!(text.contains("use the mode generic"), "{text}");
        }
    }
}

#[test]
fn an_interface_that_the_kernel_refuses_is_an_obstacle_of_its_backends_alone() {
    let mut network = network(None);
    let other = NextHop {
        link: Link { egress: 8, ..network.next_hops[&BACKEND].clone().unwrap().link },
        source: NODE,
        gateway: None,
    };
    network.next_hops.insert(ROUTER, Ok(other));
    assert_eq!(egresses(&network.next_hops), [7, 8].into());
    let mut found = network.reachable_from(&[]);
    network.refuse(&mut found, &[(7, "Invalid argument".into())].into());
    let reason = Unresolved::NoTarget { interface: "eth0".into(), reason: "Invalid argument".into() };
    assert_eq!(found, NextHops::from([(BACKEND, Err(reason)), (ROUTER, Ok(other))]));
}
