//! Why checks can't go through a VIP on this node, known before the first one.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::next_hop::{Network, NextHop, Unresolved};

/// Why checks can't go through a VIP on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    vip: IpAddr,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The VIP is an address of the node's.
    Local,
    /// The kernel takes the VIP for a neighbour, and nobody answers for it.
    OnLink { interface: String },
    /// The route's interface isn't one that the program is on.
    Elsewhere { interface: String },
    /// The route doesn't lead anywhere.
    NoWay(Unresolved),
}

/// Why checks can't go through a VIP; none if they can, or it isn't known yet.
///
/// `found` is what [`Resolver::look`](crate::next_hop::Resolver::look) says of the VIP's own address, and `interfaces` are
/// those that the program of checks is on.
#[must_use]
pub fn obstacle(
    vip: IpAddr,
    found: &Result<NextHop, Unresolved>,
    interfaces: &BTreeSet<u32>,
    network: &Network,
) -> Option<Obstacle> {
    let kind = match found {
        Ok(hop) if interfaces.contains(&hop.link.egress) => return None,
        Ok(hop) => Kind::Elsewhere { interface: network.name(hop.link.egress) },
        Err(Unresolved::Pending { .. }) => return None,
        Err(Unresolved::Local) => Kind::Local,
        Err(Unresolved::NoAnswer { neighbour, interface }) if *neighbour == vip => {
            Kind::OnLink { interface: interface.clone() }
        }
        Err(reason) => Kind::NoWay(reason.clone()),
    };
    Some(Obstacle { vip, kind })
}

impl fmt::Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let vip = self.vip;
        match &self.kind {
            Kind::Local => write!(
                out,
                "{vip} is an address of this node, so that checks through it would never leave; take it off the node, \
                 which doesn't need it, or check with `via: direct`"
            ),
            Kind::OnLink { interface } => write!(
                out,
                "{vip} is taken for a host on {interface}, where nobody answers for it, so that checks through it would \
                 never leave; route it by a router (ip route add {vip} via ROUTER dev {interface}), or check with \
                 `via: direct`"
            ),
            Kind::Elsewhere { interface } => write!(
                out,
                "the route to {vip} leaves by {interface}, which isn't one of lbd's interfaces; route it by one that is, \
                 add {interface} to `interfaces`, or check with `via: direct`"
            ),
            Kind::NoWay(reason) => write!(
                out,
                "checks through {vip} can't leave: {reason}; the node needs a route to it, such as a default route, or \
                 check with `via: direct`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use lb_common::backend::Link;
    use lb_common::wire::ethernet::Vlan;

    use super::*;
    use crate::next_hop::Device;

    #[test]
    fn each_obstacle_has_its_words() {
        let vip = IpAddr::from([192, 0, 2, 1]);
        let device = Device { name: "eth1".into(), kind: None };
        let network = Network { devices: [(2, device)].into(), ..Network::default() };
        let link = |egress| Link { egress, mtu: 1500, vlan: Vlan::NONE, addresses: [0; 12] };
        let by = |egress| Ok(NextHop { link: link(egress), source: vip, gateway: None });
        let interface = || "eth0".to_owned();
        let router = IpAddr::from([198, 51, 100, 1]);
        let rows = [
            (by(1), None),
            (Err(Unresolved::Pending { neighbour: vip, interface: interface() }), None),
            (by(2), Some("the route to 192.0.2.1 leaves by eth1, which isn't one of lbd's interfaces;")),
            (Err(Unresolved::Local), Some("192.0.2.1 is an address of this node,")),
            (
                Err(Unresolved::NoAnswer { neighbour: vip, interface: interface() }),
                Some("192.0.2.1 is taken for a host on eth0, where nobody answers for it,"),
            ),
            (
                Err(Unresolved::NoAnswer { neighbour: router, interface: interface() }),
                Some("checks through 192.0.2.1 can't leave: 198.51.100.1 doesn't answer on eth0;"),
            ),
            (
                Err(Unresolved::NoRoute("Network is unreachable".into())),
                Some("checks through 192.0.2.1 can't leave: no route: Network is unreachable;"),
            ),
        ];
        for (found, words) in rows {
            let said = obstacle(vip, &found, &[1].into(), &network).map(|obstacle| obstacle.to_string());
            assert_eq!(said.is_some(), words.is_some(), "{found:?}: {said:?}");
            let begins = said.zip(words).is_none_or(|(said, words)| said.starts_with(words));
            assert!(begins, "{found:?}");
        }
    }
}
