//! From the configuration and what is known of the network to what the maps should hold, and how to get there.
//!
//! Pure: no I/O, no clock.

mod tables;

use std::collections::BTreeMap;
use std::net::IpAddr;

use lb_common::address::Address;
use lb_common::backend::{Backend, Ends};
use lb_common::service::{QuicKey, Service, ServiceFlags, ServiceKey};
use lb_common::settings::Settings;
use lb_common::slot::{BackendIndex, Slot};
use lb_common::standing::Role;
use lb_common::vip::{Vip, VipFlags};

use crate::address::of_ip;
use crate::config::{self, Affinity, Config, Forwarding, Fragments, Prefix};
use crate::image::Image;
use crate::maglev::{Member, Table};
use crate::next_hop::{NextHop, NextHops, Unresolved};

pub use tables::Tables;

/// What the maps should hold, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Their content.
    pub image: Image,
    /// The services in the order of the configuration.
    pub services: Vec<DesiredService>,
    /// The lookup tables by what they were built for.
    pub tables: Tables,
}

/// How a service came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredService {
    /// Number of its counters.
    pub index: u32,
    /// Of its lookup table; see [`Table::fingerprint`].
    pub fingerprint: u64,
    /// Its backends in the order of the configuration.
    pub backends: Vec<DesiredBackend>,
}

/// How a backend came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredBackend {
    /// Its number.
    pub index: BackendIndex,
    /// How many of its service's slots are its own.
    pub slots: u32,
    /// Why it takes no packets, if it can't be reached.
    pub obstacle: Option<Obstacle>,
}

/// Why a backend is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no way to it.
    Unresolved(Unresolved),
    /// Its packets would need a router, which `l2` forwarding can't pass.
    BehindRouter(IpAddr),
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Obstacle::Unresolved(reason) => reason.fmt(out),
            Obstacle::BehindRouter(router) => {
                write!(out, "it is behind router {router}, but l2 forwarding needs it on the link; use ipip")
            }
        }
    }
}

/// What the maps should hold.
///
/// Numbers follow the order of the configuration: services from 0, backends from 1. Lookup tables are of the backends
/// that can be reached from this node.
#[must_use]
pub fn desired(config: &Config, next_hops: &NextHops) -> Desired {
    desired_after(&Tables::default(), config, next_hops)
}

/// The same, where `former` tables are known: those that are still wanted aren't built again.
#[must_use]
pub fn desired_after(former: &Tables, config: &Config, next_hops: &NextHops) -> Desired {
    let mut desired = Desired::default();
    let mut backend_numbers = (1..=BackendIndex::MAX.0).map(BackendIndex);
    let vips = vips(config, &mut desired.image);
    for (index, service) in (0..).zip(&config.services) {
        let backends: Vec<_> = service
            .backends
            .iter()
            .zip(&mut backend_numbers)
            .map(|(backend, number)| (number, reach(config, service, backend.address, next_hops)))
            .collect();
        let table = desired.tables.table(former, &members(service, &backends), service.table_size);
        let placed = place(&mut desired.image, index, vips[&service.vip], service, &backends, &table);
        desired.services.push(placed);
    }
    let own = |is_version: fn(&IpAddr) -> bool| {
        let sources = next_hops.values().flatten().map(|hop| hop.source);
        sources.filter(is_version).map(of_ip).min().unwrap_or_default()
    };
    desired.image.settings = Settings {
        own_v4: own(IpAddr::is_ipv4),
        own_v6: own(IpAddr::is_ipv6),
        has_prefixes: u64::from(!desired.image.prefixes.is_empty()),
    };
    desired
}

/// Adds the VIPs to the image, and returns their numbers.
fn vips(config: &Config, image: &mut Image) -> BTreeMap<Prefix, u32> {
    let mut numbers = BTreeMap::new();
    for service in &config.services {
        let next = numbers.len() as u32;
        let index = *numbers.entry(service.vip).or_insert(next);
        let any_port = config.services.iter().any(|other| other.vip == service.vip && other.port.is_none());
        let mut flags = VipFlags::default();
        flags.set(VipFlags::ANSWERS_ECHO, config.answer_echo);
        flags.set(VipFlags::HAS_ANY_PORT, any_port);
        let vip = Vip { index, flags };
        let address = of_ip(service.vip.address);
        if service.vip.is_one_address() {
            image.vips.insert(address, vip);
        } else {
            image.prefixes.insert((address, service.vip.mapped_length()), vip);
        }
    }
    numbers
}

type Reached = (BackendIndex, Result<Backend, Obstacle>);

/// Who shares the slots of a service's lookup table.
fn members<'name>(service: &'name config::Service, backends: &[Reached]) -> Vec<Member<'name>> {
    let backends = service.backends.iter().zip(backends);
    backends
        .map(|(backend, (_, entry))| Member {
            name: &backend.name,
            weight: if entry.is_ok() { backend.weight } else { 0 },
        })
        .collect()
}

/// Adds one service to the image.
fn place(
    image: &mut Image,
    index: u32,
    vip: u32,
    service: &config::Service,
    backends: &[Reached],
    table: &Table,
) -> DesiredService {
    let mut entries: Vec<_> =
        table.slots.iter().map(|&member| Slot::stable(backends[member as usize].0)).collect();
    entries.resize(service.table_size as usize, Slot::stable(BackendIndex::NONE));

    image.tables.insert(index, entries);
    let mut flags = ServiceFlags::default().with_quic(service.quic_server_id_length);
    flags.set(ServiceFlags::BY_SOURCE, service.affinity == Affinity::Source);
    flags.set(ServiceFlags::BY_ADDRESSES, service.fragments == Fragments::ByAddresses);
    let entry = Service { index, flags, table: index, slots: service.table_size };
    let key = match service.port {
        Some(port) => ServiceKey::new(vip, port, service.protocol),
        None => ServiceKey::any_port(vip, service.protocol),
    };
    image.services.insert(key, entry);
    if service.fragments == Fragments::ByAddresses {
        image.services.insert(ServiceKey::fragments(vip, service.protocol), entry);
    }
    // One that can't be reached keeps its ID, which leads nowhere: the flow's slot counts.
    let named = service.backends.iter().zip(backends).filter_map(|(backend, (number, reached))| {
        let number = if reached.is_ok() { *number } else { BackendIndex::NONE };
        Some((QuicKey::new(index, backend.quic_server_id?), number))
    });
    image.quic.extend(named);
    let reachable = backends.iter().filter_map(|(number, entry)| Some((*number, *entry.as_ref().ok()?)));
    image.backends.extend(reachable);

    let backends = backends
        .iter()
        .zip(&table.shares)
        .map(|((number, entry), &slots)| DesiredBackend {
            index: *number,
            slots,
            obstacle: entry.as_ref().err().cloned(),
        })
        .collect();
    DesiredService { index, fingerprint: table.fingerprint, backends }
}

/// The map's entry for a backend, if there is a way to it.
fn reach(
    config: &Config,
    service: &config::Service,
    address: IpAddr,
    next_hops: &NextHops,
) -> Result<Backend, Obstacle> {
    let no_route = |reason: String| Obstacle::Unresolved(Unresolved::NoRoute(reason));
    let NextHop { link, source, gateway } = match next_hops.get(&address) {
        Some(found) => found.clone().map_err(Obstacle::Unresolved)?,
        None => return Err(no_route("not asked for yet".into())),
    };
    let prefix = config.tunnel_source(source);
    let (source, spread_bits) = (prefix.address, prefix.free_bits().min(16));
    let ends = match (source, address) {
        (IpAddr::V4(source), IpAddr::V4(address)) => Ends::V4(source.octets(), address.octets()),
        (IpAddr::V6(source), IpAddr::V6(address)) => Ends::V6(source.octets(), address.octets()),
        (source, _) => {
            return Err(no_route(format!("the source address {source} is of the other IP version")));
        }
    };
    match (service.forwarding, gateway) {
        (Forwarding::L2, Some(router)) => Err(Obstacle::BehindRouter(router)),
        (Forwarding::L2, None) => Ok(Backend::l2(link)),
        (Forwarding::Ipip, _) => Ok(Backend::ipip(link, ends, spread_bits)),
        (Forwarding::Gue { port }, _) => Ok(Backend::gue(link, ends, spread_bits, port)),
    }
}

/// One write to a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Enters or replaces a backend.
    Backend(BackendIndex, Backend),
    /// Gives a backend its role in its service.
    Role(BackendIndex, Role),
    /// Installs a new table.
    Table(u32, Vec<Slot>),
    /// Changes slots of a table where they are.
    Slots(u32, Vec<(u32, Slot)>),
    /// Enters or replaces a backend's QUIC server ID.
    Quic(QuicKey, BackendIndex),
    /// Enters or replaces a service.
    Service(ServiceKey, Service),
    /// Enters or replaces a VIP.
    Vip(Address, Vip),
    /// Enters or replaces a VIP that is a prefix: its address and the bits of its 128 that count.
    Prefix((Address, u32), Vip),
    /// Replaces what is known of the node.
    Settings(Settings),
}

/// How to get from what the maps hold to what they should hold.
///
/// In an order in which nothing names what isn't there yet: backends, then the slots that name them, then the services
/// that name the tables, then the VIPs that name those. What nothing names any more stays: a packet may be on its way to it.
#[must_use]
pub fn plan(present: &Image, desired: &Image) -> Vec<Write> {
    let mut writes = changed(&present.backends, &desired.backends, Write::Backend);
    writes.extend(changed(&present.roles, &desired.roles, Write::Role));
    for (&number, slots) in &desired.tables {
        match present.tables.get(&number) {
            Some(former) if former.len() == slots.len() => {
                let changed: Vec<_> =
                    (0..).zip(slots).zip(former).filter(|((_, slot), former)| slot != former).collect();
                if !changed.is_empty() {
                    let slots = changed.into_iter().map(|((place, slot), _)| (place, *slot)).collect();
                    writes.push(Write::Slots(number, slots));
                }
            }
            _ => writes.push(Write::Table(number, slots.clone())),
        }
    }
    writes.extend(changed(&present.quic, &desired.quic, Write::Quic));
    writes.extend(changed(&present.services, &desired.services, Write::Service));
    writes.extend(changed(&present.prefixes, &desired.prefixes, Write::Prefix));
    if present.settings != desired.settings {
        writes.push(Write::Settings(desired.settings));
    }
    writes.extend(changed(&present.vips, &desired.vips, Write::Vip));
    writes
}

/// A write for each entry that isn't there yet or is another.
fn changed<K: Ord + Copy, V: PartialEq + Copy>(
    present: &BTreeMap<K, V>,
    desired: &BTreeMap<K, V>,
    write: impl Fn(K, V) -> Write,
) -> Vec<Write> {
    let differing = desired.iter().filter(|(key, value)| present.get(key) != Some(value));
    differing.map(|(&key, &value)| write(key, value)).collect()
}

/// What the maps hold after a write; the kernel's side of it is the applier.
pub fn write(image: &mut Image, write: &Write) {
    match write {
        Write::Backend(index, backend) => {
            image.backends.insert(*index, *backend);
        }
        Write::Role(index, role) => {
            image.roles.insert(*index, *role);
        }
        Write::Table(number, slots) => {
            image.tables.insert(*number, slots.clone());
        }
        Write::Slots(number, slots) => {
            if let Some(table) = image.tables.get_mut(number) {
                for &(place, slot) in slots {
                    table[place as usize] = slot;
                }
            }
        }
        Write::Quic(key, index) => {
            image.quic.insert(*key, *index);
        }
        Write::Service(key, service) => {
            image.services.insert(*key, *service);
        }
        Write::Vip(address, vip) => {
            image.vips.insert(*address, *vip);
        }
        Write::Prefix(prefix, vip) => {
            image.prefixes.insert(*prefix, *vip);
        }
        Write::Settings(settings) => image.settings = *settings,
    }
}

#[cfg(test)]
mod tests;
