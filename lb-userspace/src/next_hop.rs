//! The way to a backend: egress interface, MAC addresses, MTU.

mod netlink;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use lb_common::backend::Link;

pub use netlink::Resolver;

/// Where packets for a backend go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Interface and MAC addresses.
    pub link: Link,
    /// The node's own address towards the backend, of the same IP version.
    pub source: IpAddr,
    /// The router in between, if the backend isn't on the link.
    pub gateway: Option<IpAddr>,
}

/// Why a backend can't be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// The kernel has no route, in its own words.
    NoRoute(String),
    /// The address is this node's own.
    Local,
    /// The interface is down.
    InterfaceDown(String),
    /// The interface has no MAC address.
    NotEthernet(String),
    /// The kernel was asked for the neighbour's MAC address and has no answer yet.
    Pending {
        /// The next hop.
        neighbour: IpAddr,
        /// The interface's name.
        interface: String,
    },
    /// The neighbour doesn't answer ARP or neighbour discovery.
    NoAnswer {
        /// The next hop.
        neighbour: IpAddr,
        /// The interface's name.
        interface: String,
    },
}

impl fmt::Display for Unresolved {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Unresolved::NoRoute(reason) => write!(out, "no route: {reason}"),
            Unresolved::Local => write!(out, "the address is this node's own"),
            Unresolved::InterfaceDown(interface) => write!(out, "{interface} is down"),
            Unresolved::NotEthernet(interface) => write!(out, "{interface} has no MAC address"),
            Unresolved::Pending { neighbour, interface } => {
                write!(out, "waiting for the MAC address of {neighbour} on {interface}")
            }
            Unresolved::NoAnswer { neighbour, interface } => {
                write!(out, "{neighbour} doesn't answer on {interface}")
            }
        }
    }
}

/// Next hops by backend address.
pub type NextHops = BTreeMap<IpAddr, Result<NextHop, Unresolved>>;

/// What the kernel says of a route.
struct Route {
    interface: u32,
    gateway: Option<IpAddr>,
    source: IpAddr,
    local: bool,
}

/// What the kernel says of an interface.
struct Interface {
    name: String,
    up: bool,
    mac: Option<[u8; 6]>,
    mtu: u32,
}

/// What the kernel says of a neighbour.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Neighbour {
    Known([u8; 6]),
    Asking,
    Silent,
}

/// Puts together what the kernel says.
fn next_hop(
    backend: IpAddr,
    route: &Route,
    interface: &Interface,
    neighbour: impl Fn(u32, IpAddr) -> Neighbour,
) -> Result<NextHop, Unresolved> {
    let name = || interface.name.clone();
    if route.local {
        return Err(Unresolved::Local);
    }
    if !interface.up {
        return Err(Unresolved::InterfaceDown(name()));
    }
    let own = interface.mac.ok_or_else(|| Unresolved::NotEthernet(name()))?;
    let hop = route.gateway.unwrap_or(backend);
    let theirs = match neighbour(route.interface, hop) {
        Neighbour::Known(mac) => mac,
        Neighbour::Asking => return Err(Unresolved::Pending { neighbour: hop, interface: name() }),
        Neighbour::Silent => return Err(Unresolved::NoAnswer { neighbour: hop, interface: name() }),
    };
    let mut addresses = [0; 12];
    addresses[..6].copy_from_slice(&theirs);
    addresses[6..].copy_from_slice(&own);
    let mtu = u16::try_from(interface.mtu).unwrap_or(u16::MAX);
    Ok(NextHop {
        link: Link { egress: route.interface, mtu, addresses },
        source: route.source,
        gateway: route.gateway,
    })
}

/// A neighbour that the kernel forgot for want of use keeps its last known address until it fails to answer.
pub fn keep_known(former: &NextHops, present: &mut NextHops) {
    for (address, found) in present {
        if matches!(found, Err(Unresolved::Pending { .. }))
            && let Some(Ok(known)) = former.get(address)
        {
            *found = Ok(*known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKEND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 11));
    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));
    const NODE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 10));

    fn route(gateway: Option<IpAddr>) -> Route {
        Route { interface: 7, gateway, source: NODE, local: false }
    }

    fn interface() -> Interface {
        Interface { name: "eth0".into(), up: true, mac: Some([2; 6]), mtu: 1500 }
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

    #[test]
    fn a_forgotten_neighbour_is_remembered_and_a_silent_one_is_not() {
        let known = next_hop(BACKEND, &route(None), &interface(), |_, _| Neighbour::Known([9; 6]));
        let former = NextHops::from([(BACKEND, known.clone())]);
        let pending = Unresolved::Pending { neighbour: BACKEND, interface: "eth0".into() };
        let mut present = NextHops::from([(BACKEND, Err(pending))]);
        keep_known(&former, &mut present);
        assert_eq!(present, former);
        let silent = Err(Unresolved::NoAnswer { neighbour: BACKEND, interface: "eth0".into() });
        let mut present = NextHops::from([(BACKEND, silent.clone())]);
        keep_known(&former, &mut present);
        assert_eq!(present[&BACKEND], silent);
    }
}
