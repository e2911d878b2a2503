//! The way to a backend: egress interface, MAC addresses, MTU.

mod netlink;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use lb_common::backend::Link;
use lb_common::wire::ethernet::Vlan;

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

impl NextHop {
    /// The MAC address that packets are sent to, as `02:00:00:00:00:01`.
    #[must_use]
    pub fn mac(&self) -> String {
        let octets = self.link.addresses[..6].iter().map(|octet| format!("{octet:02x}"));
        octets.collect::<Vec<_>>().join(":")
    }
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
    /// The interface can't send what the program hands it in the driver.
    CannotSend {
        /// Its name.
        interface: String,
        /// What it is, as in `ip link add … type KIND`.
        kind: String,
    },
    /// The kernel doesn't take the interface as a target of redirects.
    NoTarget {
        /// Its name.
        interface: String,
        /// The kernel's words.
        reason: String,
    },
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
            Unresolved::CannotSend { interface, kind } => write!(
                out,
                "{interface} ({kind}) can't send what XDP hands it in driver mode; \
                 route to the backend by a physical interface, veth, bond or tun, or use the mode generic"
            ),
            Unresolved::NoTarget { interface, reason } => {
                write!(out, "packets can't be redirected to {interface}: {reason}")
            }
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

/// What is known of the network around the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The way to each backend.
    pub next_hops: NextHops,
    /// The interfaces there are, by index.
    pub devices: BTreeMap<u32, Device>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The kernel's name for it.
    pub name: String,
    /// What a virtual interface is (`veth`, `bridge`); hardware has none.
    pub kind: Option<String>,
}

impl Network {
    /// The next hops without those that packets can't be sent to from these interfaces, where the program runs in the
    /// driver.
    ///
    /// Generic mode sends by every interface, and so does an interface what came in by itself.
    #[must_use]
    pub fn reachable_from(&self, drivers: &[u32]) -> NextHops {
        let reachable = |hop: NextHop| {
            let egress = hop.link.egress;
            let kind = self.devices.get(&egress).and_then(|device| device.kind.clone());
            match kind.filter(|kind| !sends_frames(kind)) {
                Some(kind) if drivers.iter().any(|&ingress| ingress != egress) => {
                    Err(Unresolved::CannotSend { interface: self.name(egress), kind })
                }
                _ => Ok(hop),
            }
        };
        self.next_hops.iter().map(|(&address, found)| (address, found.clone().and_then(reachable))).collect()
    }

    /// Takes out the next hops by interfaces that the kernel refuses as targets of redirects, with its reasons.
    pub fn refuse(&self, next_hops: &mut NextHops, refused: &BTreeMap<u32, String>) {
        for found in next_hops.values_mut() {
            if let Ok(hop) = found
                && let Some(reason) = refused.get(&hop.link.egress)
            {
                let interface = self.name(hop.link.egress);
                *found = Err(Unresolved::NoTarget { interface, reason: reason.clone() });
            }
        }
    }

    /// An interface's name, or its index if it has gone.
    #[must_use]
    pub fn name(&self, index: u32) -> String {
        self.devices.get(&index).map_or_else(|| format!("interface {index}"), |device| device.name.clone())
    }
}

/// Whether virtual interfaces of a kind can send frames that aren't socket buffers (`ndo_xdp_xmit`). Where they can't,
/// the kernel discards them without a trace.
fn sends_frames(kind: &str) -> bool {
    matches!(kind, "veth" | "bond" | "tun")
}

/// The interfaces that packets leave by.
#[must_use]
pub fn egresses(next_hops: &NextHops) -> BTreeSet<u32> {
    next_hops.values().flatten().map(|hop| hop.link.egress).collect()
}

/// What the kernel says of a route.
struct Route {
    interface: u32,
    gateway: Option<IpAddr>,
    source: IpAddr,
    local: bool,
}

/// What the kernel says of an interface.
struct Interface {
    device: Device,
    up: bool,
    mac: Option<[u8; 6]>,
    mtu: u32,
    /// What it is a VLAN of, if it is one.
    trunk: Option<Trunk>,
}

/// The interface that a VLAN's frames really leave by, and the tag that they have there.
#[derive(Clone, Copy)]
struct Trunk {
    interface: u32,
    tag: Vlan,
}

/// What the kernel says of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Neighbour {
    Known([u8; 6]),
    Asking,
    Silent,
}

/// Neighbours by interface and address.
type Neighbours = BTreeMap<(u32, IpAddr), Neighbour>;

/// All that the kernel says at one moment.
struct Answers {
    routes: BTreeMap<IpAddr, Result<Route, String>>,
    interfaces: BTreeMap<u32, Interface>,
    neighbours: Neighbours,
}

impl Answers {
    /// Puts together what the kernel says, and the neighbours that are in use.
    ///
    /// `former` are those of the last time. A neighbour on an interface that was down or away isn't among them: it may
    /// be another one when the interface is back.
    fn network(&self, former: &Neighbours) -> (Network, Neighbours) {
        let mut in_use = Neighbours::new();
        let mut neighbour = |interface, address| {
            let key = (interface, address);
            let present = self.neighbours.get(&key).copied().unwrap_or(Neighbour::Asking);
            let state = settled(former.get(&key).copied(), present);
            in_use.insert(key, state);
            state
        };
        let mut hop = |backend, route: &Result<Route, String>| {
            let route = route.as_ref().map_err(|reason| Unresolved::NoRoute(reason.clone()))?;
            let interface = self
                .interfaces
                .get(&route.interface)
                .ok_or_else(|| Unresolved::NoRoute(format!("its interface {} is gone", route.interface)))?;
            next_hop(backend, route, interface, &mut neighbour)
        };
        let next_hops = self.routes.iter().map(|(&backend, route)| (backend, hop(backend, route))).collect();
        let devices = self.interfaces.iter().map(|(&index, found)| (index, found.device.clone())).collect();
        (Network { next_hops, devices }, in_use)
    }
}

/// What a neighbour is taken for.
///
/// While the kernel asks, the last answer holds: one that it forgot for want of use keeps its address until it fails to
/// answer, and one that doesn't answer stays silent, although the kernel asks anew.
fn settled(former: Option<Neighbour>, present: Neighbour) -> Neighbour {
    match (former, present) {
        (Some(former), Neighbour::Asking) => former,
        (_, present) => present,
    }
}

/// The next hop of one backend.
fn next_hop(
    backend: IpAddr,
    route: &Route,
    interface: &Interface,
    neighbour: impl FnOnce(u32, IpAddr) -> Neighbour,
) -> Result<NextHop, Unresolved> {
    let name = || interface.device.name.clone();
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
    // XDP sends by the interface below, and tags the frames itself.
    let trunk = interface.trunk.unwrap_or(Trunk { interface: route.interface, tag: Vlan::NONE });
    Ok(NextHop {
        link: Link { egress: trunk.interface, mtu, vlan: trunk.tag, addresses },
        source: route.source,
        gateway: route.gateway,
    })
}

#[cfg(test)]
mod tests;
