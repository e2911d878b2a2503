//! From the configuration and what is known of the network to what the maps should hold, and how to get there.
//!
//! Pure: no I/O, no clock.

use std::net::IpAddr;

use lb_common::backend::Backend;
use lb_common::service::{Service, ServiceKey};
use lb_common::slot::{BackendIndex, Slot};

use crate::address::of_ip;
use crate::config::{self, Config, Forwarding};
use crate::image::Image;
use crate::maglev::{Member, Table};
use crate::next_hop::{NextHop, NextHops, Unresolved};

/// What the maps should hold, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Their content.
    pub image: Image,
    /// The services in the order of the configuration.
    pub services: Vec<DesiredService>,
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
    let mut desired = Desired::default();
    let mut backend_numbers = (1..=BackendIndex::MAX.0).map(BackendIndex);
    for (index, service) in (0..).zip(&config.services) {
        let backends: Vec<_> = service
            .backends
            .iter()
            .zip(&mut backend_numbers)
            .map(|(backend, number)| (number, reach(service.forwarding, backend.address, next_hops)))
            .collect();
        desired.services.push(place(&mut desired.image, index, service, &backends));
    }
    desired
}

type Reached = (BackendIndex, Result<Backend, Obstacle>);

/// Adds one service to the image.
fn place(image: &mut Image, index: u32, service: &config::Service, backends: &[Reached]) -> DesiredService {
    let members: Vec<_> = service
        .backends
        .iter()
        .zip(backends)
        .map(|(backend, (_, entry))| Member {
            name: &backend.name,
            weight: if entry.is_ok() { backend.weight } else { 0 },
        })
        .collect();
    let table = Table::build(&members, service.table_size);

    let mut slots = vec![0; members.len()];
    table.slots.iter().for_each(|&member| slots[member as usize] += 1);
    let fingerprint = table.fingerprint;
    let mut entries: Vec<_> =
        table.slots.iter().map(|&member| Slot::stable(backends[member as usize].0)).collect();
    entries.resize(service.table_size as usize, Slot::stable(BackendIndex::NONE));

    image.tables.insert(index, entries);
    let key = ServiceKey::new(of_ip(service.address), service.port, service.protocol);
    image.services.insert(key, Service { index, table: index, slots: service.table_size });
    let reachable = backends.iter().filter_map(|(number, entry)| Some((*number, *entry.as_ref().ok()?)));
    image.backends.extend(reachable);

    let backends = backends
        .iter()
        .zip(slots)
        .map(|((number, entry), slots)| DesiredBackend {
            index: *number,
            slots,
            obstacle: entry.as_ref().err().cloned(),
        })
        .collect();
    DesiredService { index, fingerprint, backends }
}

/// The map's entry for a backend, if there is a way to it.
fn reach(forwarding: Forwarding, address: IpAddr, next_hops: &NextHops) -> Result<Backend, Obstacle> {
    let NextHop { link, source, gateway } = match next_hops.get(&address) {
        Some(found) => found.clone().map_err(Obstacle::Unresolved)?,
        None => return Err(Obstacle::Unresolved(Unresolved::NoRoute("not asked for yet".into()))),
    };
    match (forwarding, source, address) {
        (Forwarding::L2, ..) => match gateway {
            Some(router) => Err(Obstacle::BehindRouter(router)),
            None => Ok(Backend::l2(link)),
        },
        (Forwarding::Ipip, IpAddr::V4(source), IpAddr::V4(address)) => {
            Ok(Backend::ipip_v4(link, source.octets(), address.octets()))
        }
        (Forwarding::Ipip, IpAddr::V6(source), IpAddr::V6(address)) => {
            Ok(Backend::ipip_v6(link, source.octets(), address.octets()))
        }
        (Forwarding::Ipip, source, _) => Err(Obstacle::Unresolved(Unresolved::NoRoute(format!(
            "the source address {source} is of the other IP version"
        )))),
    }
}

/// One write to a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Enters or replaces a backend.
    Backend(BackendIndex, Backend),
    /// Installs a new table.
    Table(u32, Vec<Slot>),
    /// Changes slots of a table where they are.
    Slots(u32, Vec<(u32, Slot)>),
    /// Enters or replaces a service.
    Service(ServiceKey, Service),
}

/// How to get from what the maps hold to what they should hold.
///
/// In an order in which nothing names what isn't there yet: backends, then the slots that name them, then the services
/// that name the tables. What nothing names any more stays: a packet may be on its way to it.
#[must_use]
pub fn plan(present: &Image, desired: &Image) -> Vec<Write> {
    let mut writes = Vec::new();
    for (&index, backend) in &desired.backends {
        if present.backends.get(&index) != Some(backend) {
            writes.push(Write::Backend(index, *backend));
        }
    }
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
    for (&key, &service) in &desired.services {
        if present.services.get(&key) != Some(&service) {
            writes.push(Write::Service(key, service));
        }
    }
    writes
}

/// What the maps hold after a write; the kernel's side of it is the applier.
pub fn write(image: &mut Image, write: &Write) {
    match write {
        Write::Backend(index, backend) => {
            image.backends.insert(*index, *backend);
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
        Write::Service(key, service) => {
            image.services.insert(*key, *service);
        }
    }
}

#[cfg(test)]
mod tests;
