//! Routes, links and neighbours, asked of the kernel over netlink.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use lb_common::wire::ethernet::Vlan;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    InfoData, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, VlanProtocol,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia};
use rtnetlink::sys::SocketAddr;
use rtnetlink::{Handle, MulticastGroup, RouteMessageBuilder, new_connection, new_multicast_connection};

use tokio::time::sleep;
use tracing::warn;

use super::{Answers, Device, Interface, Neighbour, Neighbours, Network, Route, Trunk, settled};

/// Changes of the network come in bursts: routes by the thousand when a routing daemon starts.
const BURST: Duration = Duration::from_millis(50);

/// Asks the kernel, and hears of changes.
pub struct Resolver {
    handle: Handle,
    /// The neighbours in use, as of the last look.
    neighbours: Neighbours,
    has_ended: bool,
    events: Box<
        dyn futures_util::Stream<Item = (NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>
            + Send
            + Sync
            + Unpin,
    >,
}

impl Resolver {
    /// Opens the netlink sockets; must be called within a tokio runtime.
    ///
    /// # Errors
    /// The kernel refuses a socket.
    pub fn new() -> Result<Self> {
        let (connection, handle, _) = new_connection().context("netlink socket")?;
        tokio::spawn(connection);
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Neigh,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ];
        let (connection, _, events) = new_multicast_connection(&groups).context("netlink socket")?;
        tokio::spawn(connection);
        Ok(Resolver { handle, neighbours: Neighbours::new(), has_ended: false, events: Box::new(events) })
    }

    /// Waits for a change of routes, links, addresses or neighbours in use, and for the burst that it belongs to.
    ///
    /// A change that was heard of is lost if this is cancelled: look again then.
    pub async fn changed(&mut self) {
        loop {
            match self.events.next().await {
                Some((message, _)) if matters(&message.payload, &self.neighbours) => break,
                Some(_) => {}
                None => self.ended().await,
            }
        }
        sleep(BURST).await;
        // All that came meanwhile is seen by the same look. The end of the events is met the next time.
        while let Some(Some(_)) = self.events.next().now_or_never() {}
    }

    /// The kernel tells no more: who waits for a change waits for ever.
    async fn ended(&mut self) {
        if !self.has_ended {
            self.has_ended = true;
            warn!("the kernel's news of routes, links and neighbours has ended; changes are seen later");
        }
        std::future::pending::<()>().await;
    }

    /// Looks at the network: the next hop of each address.
    ///
    /// The kernel is told that every neighbour is in use, so that it asks for those it doesn't know and verifies those
    /// that it does: the packets themselves don't pass through it, and it would forget them.
    ///
    /// # Errors
    /// The kernel doesn't answer at all.
    pub async fn look(&mut self, backends: &BTreeSet<IpAddr>) -> Result<Network> {
        let interfaces = self.interfaces().await?;
        let entries = self.neighbours().await?;
        let neighbours = entries.iter().filter_map(neighbour).collect();
        let mut answers = Answers { routes: BTreeMap::new(), interfaces, neighbours };
        for &backend in backends {
            let route = self.route(backend).await.map_err(|error| error.to_string());
            answers.routes.insert(backend, route);
        }
        let (network, neighbours) = answers.network(&self.neighbours);
        self.neighbours = neighbours;
        let fixed: BTreeSet<_> = entries
            .iter()
            .filter(|entry| is_fixed(entry))
            .filter_map(neighbour)
            .map(|(key, _)| key)
            .collect();
        for &(interface, address) in self.neighbours.keys().filter(|key| !fixed.contains(*key)) {
            self.use_neighbour(interface, address).await;
        }
        Ok(network)
    }

    async fn route(&self, backend: IpAddr) -> Result<Route> {
        let request = match backend {
            IpAddr::V4(ip) => {
                RouteMessageBuilder::<std::net::Ipv4Addr>::new().destination_prefix(ip, 32).build()
            }
            IpAddr::V6(ip) => {
                RouteMessageBuilder::<std::net::Ipv6Addr>::new().destination_prefix(ip, 128).build()
            }
        };
        let answer = self.handle.route().get(request).execute().try_next().await?;
        answer
            .and_then(|answer| route(&answer))
            .context("the kernel's answer names no interface and source address")
    }

    async fn interfaces(&self) -> Result<BTreeMap<u32, Interface>> {
        let links: Vec<LinkMessage> = self.handle.link().get().execute().try_collect().await?;
        Ok(links.iter().map(|link| (link.header.index, interface(link))).collect())
    }

    async fn neighbours(&self) -> Result<Vec<NeighbourMessage>> {
        Ok(self.handle.neighbours().get().execute().try_collect().await?)
    }

    /// What the kernel would do when it sends a packet there itself. If it can't, the next look shows why.
    async fn use_neighbour(&self, interface: u32, address: IpAddr) {
        let request = self.handle.neighbours().add(interface, address);
        let _ = request.state(NeighbourState::None).flags(NeighbourFlags::Use).replace().execute().await;
    }
}

/// Whether an event can change a next hop, with these neighbours in use. A neighbour that is merely being verified
/// doesn't, nor one that no packet goes to.
fn matters(payload: &NetlinkPayload<RouteNetlinkMessage>, in_use: &Neighbours) -> bool {
    use RouteNetlinkMessage::{DelNeighbour, NewNeighbour};
    match payload {
        NetlinkPayload::InnerMessage(DelNeighbour(_)) => false,
        NetlinkPayload::InnerMessage(NewNeighbour(entry)) => {
            neighbour(entry).is_some_and(|(key, present)| {
                let former = in_use.get(&key);
                former.is_some_and(|&former| settled(Some(former), present) != former)
            })
        }
        // Overrun: there was more than the socket holds, and nobody knows what.
        NetlinkPayload::InnerMessage(_) | NetlinkPayload::Overrun(_) => true,
        _ => false,
    }
}

fn route(answer: &RouteMessage) -> Option<Route> {
    let mut interface = None;
    let mut gateway = None;
    let mut source = None;
    for attribute in &answer.attributes {
        match attribute {
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Via(RouteVia::Inet(address)) => gateway = Some((*address).into()),
            RouteAttribute::Via(RouteVia::Inet6(address)) => gateway = Some((*address).into()),
            RouteAttribute::PrefSource(address) => source = ip(address),
            _ => {}
        }
    }
    let local = answer.header.kind == RouteType::Local;
    Some(Route { interface: interface?, gateway, source: source?, local })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

fn interface(link: &LinkMessage) -> Interface {
    let up = link.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp);
    let device = Device { name: String::new(), kind: None };
    let mut interface = Interface { device, up, mac: None, mtu: 0, trunk: None };
    let (mut below, mut tag) = (None, None);
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.device.name.clone_from(name),
            LinkAttribute::Link(index) => below = Some(*index),
            LinkAttribute::LinkInfo(infos) => {
                tag = infos.iter().find_map(vlan_tag);
                interface.device.kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            LinkAttribute::Address(mac) => interface.mac = mac.as_slice().try_into().ok(),
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            _ => {}
        }
    }
    interface.trunk = below.zip(tag).map(|(interface, tag)| Trunk { interface, tag });
    interface
}

/// The tag of a VLAN; none for a service provider's (802.1ad), which isn't written.
fn vlan_tag(info: &LinkInfo) -> Option<Vlan> {
    let LinkInfo::Data(InfoData::Vlan(facts)) = info else { return None };
    let customers = facts.contains(&InfoVlan::Protocol(VlanProtocol::Ieee8021Q));
    let number = facts.iter().find_map(|fact| match fact {
        InfoVlan::Id(number) => Some(*number),
        _ => None,
    });
    number.filter(|&number| customers && number != 0).map(Vlan)
}

/// Whether nobody is ever asked for a neighbour: an administrator knows it. The kernel would take its use for the wish to
/// ask, and forget what the administrator said.
fn is_fixed(entry: &NeighbourMessage) -> bool {
    matches!(entry.header.state, NeighbourState::Permanent | NeighbourState::Noarp)
}

fn neighbour(entry: &NeighbourMessage) -> Option<((u32, IpAddr), Neighbour)> {
    let mut address = None;
    let mut mac = None;
    for attribute in &entry.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => address = Some(IpAddr::V4(*ip)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => address = Some(IpAddr::V6(*ip)),
            NeighbourAttribute::LinkLayerAddress(octets) => mac = octets.as_slice().try_into().ok(),
            _ => {}
        }
    }
    let state = match (entry.header.state, mac) {
        (NeighbourState::Failed, _) => Neighbour::Silent,
        (NeighbourState::Incomplete | NeighbourState::None, _) | (_, None) => Neighbour::Asking,
        (_, Some(mac)) => Neighbour::Known(mac),
    };
    Some(((entry.header.ifindex, address?), state))
}

#[cfg(test)]
mod tests {
    use futures_util::{future, stream};
    use rtnetlink::packet_core::NetlinkHeader;
    use tokio::time::timeout;

    use super::*;

    const INTERFACE: u32 = 7;
    const BACKEND: std::net::Ipv4Addr = std::net::Ipv4Addr::new(198, 51, 100, 11);

    fn event(interface: u32, state: NeighbourState, mac: Option<[u8; 6]>) -> RouteNetlinkMessage {
        let mut entry = NeighbourMessage::default();
        entry.header.ifindex = interface;
        entry.header.state = state;
        entry.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet(BACKEND)));
        entry.attributes.extend(mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.to_vec())));
        RouteNetlinkMessage::NewNeighbour(entry)
    }

    #[test]
    fn a_neighbour_matters_if_it_is_in_use_and_another_than_before() {
        use NeighbourState::{Delay, Failed, Incomplete, Probe, Reachable, Stale};
        let (mac, other) = (Some([9; 6]), Some([8; 6]));
        let (known, silent, asking) = (Neighbour::Known([9; 6]), Neighbour::Silent, Neighbour::Asking);
        let rows = [
            ("verified", known, INTERFACE, Reachable, mac, false),
            ("in doubt", known, INTERFACE, Stale, mac, false),
            ("about to be verified", known, INTERFACE, Delay, mac, false),
            ("being verified", known, INTERFACE, Probe, mac, false),
            ("asked for anew", known, INTERFACE, Incomplete, None, false),
            ("another MAC address", known, INTERFACE, Reachable, other, true),
            ("silent", known, INTERFACE, Failed, None, true),
            ("of another interface", known, INTERFACE + 1, Failed, None, false),
            ("still silent", silent, INTERFACE, Failed, None, false),
            ("silent, asked again", silent, INTERFACE, Incomplete, None, false),
            ("back", silent, INTERFACE, Reachable, mac, true),
            ("an answer at last", asking, INTERFACE, Reachable, mac, true),
        ];
        for (what, former, interface, state, mac, expected) in rows {
            let in_use = [((INTERFACE, BACKEND.into()), former)].into();
            let payload = NetlinkPayload::InnerMessage(event(interface, state, mac));
            assert_eq!(matters(&payload, &in_use), expected, "{what}");
        }
    }

    #[test]
    fn a_vlan_names_the_interface_below_and_its_tag() {
        let trunk = |protocol, number| {
            let facts = vec![InfoVlan::Protocol(protocol), InfoVlan::Id(number)];
            let mut link = LinkMessage::default();
            link.attributes = vec![
                LinkAttribute::Link(2),
                LinkAttribute::LinkInfo(vec![LinkInfo::Data(InfoData::Vlan(facts))]),
            ];
            interface(&link).trunk.map(|trunk| (trunk.interface, trunk.tag))
        };
        assert_eq!(trunk(VlanProtocol::Ieee8021Q, 100), Some((2, Vlan(100))));
        assert_eq!(trunk(VlanProtocol::Ieee8021Ad, 100), None);
        // A veth names its peer in the same way, but isn't a VLAN.
        let mut veth = LinkMessage::default();
        veth.attributes = vec![LinkAttribute::Link(2)];
        assert!(interface(&veth).trunk.is_none());
    }

    #[test]
    fn news_that_were_lost_matter_as_links_and_routes_do() {
        let none = Neighbours::new();
        let link = RouteNetlinkMessage::DelLink(LinkMessage::default());
        let route = RouteNetlinkMessage::NewRoute(RouteMessage::default());
        assert!(matters(&NetlinkPayload::Overrun(Vec::new()), &none));
        assert!(matters(&NetlinkPayload::InnerMessage(link), &none));
        assert!(matters(&NetlinkPayload::InnerMessage(route), &none));
        assert!(!matters(&NetlinkPayload::Noop, &none));
    }

    #[tokio::test]
    async fn a_burst_is_one_change_and_the_end_is_none() {
        let mut resolver = Resolver::new().unwrap();
        let message = || {
            let route = RouteNetlinkMessage::NewRoute(RouteMessage::default());
            let payload = NetlinkPayload::InnerMessage(route);
            (NetlinkMessage::new(NetlinkHeader::default(), payload), SocketAddr::new(0, 0))
        };
        let burst = stream::iter((0..2000).map(move |_| message()));
        resolver.events = Box::new(burst.chain(stream::once(future::pending())));
        resolver.changed().await;
        assert!(timeout(BURST * 4, resolver.changed()).await.is_err(), "a second one");

        resolver.events = Box::new(stream::empty());
        for _ in 0..2 {
            assert!(timeout(BURST * 4, resolver.changed()).await.is_err());
            assert!(resolver.has_ended);
        }
    }
}
