//! Routes, links and neighbours, asked of the kernel over netlink.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia};
use rtnetlink::sys::SocketAddr;
use rtnetlink::{Handle, MulticastGroup, RouteMessageBuilder, new_connection, new_multicast_connection};

use super::{Interface, Neighbour, NextHop, NextHops, Route, Unresolved, next_hop};

/// Asks the kernel, and hears of changes.
pub struct Resolver {
    handle: Handle,
    events: Box<
        dyn futures_util::Stream<Item = (NetlinkMessage<RouteNetlinkMessage>, SocketAddr)> + Send + Unpin,
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
        Ok(Resolver { handle, events: Box::new(events) })
    }

    /// Waits until routes, links, addresses or neighbours changed.
    pub async fn changed(&mut self) {
        loop {
            match self.events.next().await {
                Some((message, _)) if matters(&message.payload) => return,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// The next hop of each address.
    ///
    /// The kernel is told that every neighbour is in use, so that it asks for those it doesn't know and verifies those
    /// that it does: the packets themselves don't pass through it, and it would forget them.
    ///
    /// # Errors
    /// The kernel doesn't answer at all.
    pub async fn resolve(&self, backends: &BTreeSet<IpAddr>) -> Result<NextHops> {
        let interfaces = self.interfaces().await?;
        let neighbours = self.neighbours().await?;
        let neighbour =
            |interface, address| neighbours.get(&(interface, address)).copied().unwrap_or(Neighbour::Asking);
        let mut found = NextHops::new();
        let mut in_use = BTreeSet::new();
        for &backend in backends {
            let hop = match self.route(backend).await {
                Ok(route) => {
                    in_use.insert((route.interface, route.gateway.unwrap_or(backend)));
                    through(backend, &route, &interfaces, neighbour)
                }
                Err(error) => Err(Unresolved::NoRoute(error.to_string())),
            };
            found.insert(backend, hop);
        }
        for (interface, address) in in_use {
            self.use_neighbour(interface, address).await;
        }
        Ok(found)
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

    async fn interfaces(&self) -> Result<HashMap<u32, Interface>> {
        let links: Vec<LinkMessage> = self.handle.link().get().execute().try_collect().await?;
        Ok(links.iter().map(|link| (link.header.index, interface(link))).collect())
    }

    async fn neighbours(&self) -> Result<HashMap<(u32, IpAddr), Neighbour>> {
        let entries: Vec<NeighbourMessage> = self.handle.neighbours().get().execute().try_collect().await?;
        Ok(entries.iter().filter_map(neighbour).collect())
    }

    /// What the kernel would do when it sends a packet there itself. If it can't, the next look shows why.
    async fn use_neighbour(&self, interface: u32, address: IpAddr) {
        let request = self.handle.neighbours().add(interface, address);
        let _ = request.state(NeighbourState::None).flags(NeighbourFlags::Use).replace().execute().await;
    }
}

fn through(
    backend: IpAddr,
    route: &Route,
    interfaces: &HashMap<u32, Interface>,
    neighbour: impl Fn(u32, IpAddr) -> Neighbour,
) -> Result<NextHop, Unresolved> {
    let interface = interfaces
        .get(&route.interface)
        .ok_or_else(|| Unresolved::NoRoute(format!("its interface {} is gone", route.interface)))?;
    next_hop(backend, route, interface, neighbour)
}

/// Whether an event can change a next hop. A neighbour that is merely being verified doesn't.
fn matters(payload: &NetlinkPayload<RouteNetlinkMessage>) -> bool {
    match payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(entry)) => !matches!(
            entry.header.state,
            NeighbourState::Delay | NeighbourState::Probe | NeighbourState::Incomplete | NeighbourState::None
        ),
        NetlinkPayload::InnerMessage(_) => true,
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
    let mut interface = Interface { name: String::new(), up, mac: None, mtu: 0 };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name.clone_from(name),
            LinkAttribute::Address(mac) => interface.mac = mac.as_slice().try_into().ok(),
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            _ => {}
        }
    }
    interface
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
