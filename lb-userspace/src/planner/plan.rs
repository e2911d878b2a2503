//! How to get from what the maps hold to what they should hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use lb_common::address::Address;
use lb_common::backend::Backend;
use lb_common::service::{QuicKey, Service, ServiceKey};
use lb_common::settings::Settings;
use lb_common::slot::{BackendIndex, Slot};
use lb_common::standing::Role;
use lb_common::vip::Vip;

use crate::image::Image;

/// One write to a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Enters or replaces a backend.
    Backend(BackendIndex, Backend),
    /// Gives a backend its role in its service.
    Role(BackendIndex, Role),
    /// Installs a new table.
    Table(u32, Arc<Vec<Slot>>),
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
    /// Takes out a VIP.
    NoVip(Address),
    /// Takes out a VIP that is a prefix.
    NoPrefix((Address, u32)),
    /// Takes out a service.
    NoService(ServiceKey),
    /// Takes out a QUIC server ID.
    NoQuic(QuicKey),
    /// Takes out a table.
    NoTable(u32),
}

/// How to get from what the maps hold to what they should hold.
///
/// In an order in which nothing names what isn't there yet: backends, then the slots that name them, then the services
/// that name the tables, then the VIPs that name those; then the other way round what isn't wanted any more. The entries
/// of backends stay: a packet may be on its way to one.
#[must_use]
pub fn plan(present: &Image, desired: &Image) -> Vec<Write> {
    let mut writes = changed(&present.backends, &desired.backends, Write::Backend);
    writes.extend(changed(&present.roles, &desired.roles, Write::Role));
    for (&number, slots) in &desired.tables {
        match present.tables.get(&number) {
            Some(former) if Arc::ptr_eq(former, slots) => {}
            Some(former) if former.len() == slots.len() => {
                let changed: Vec<_> =
                    (0..).zip(&**slots).zip(&**former).filter(|((_, slot), former)| slot != former).collect();
                if !changed.is_empty() {
                    let slots = changed.into_iter().map(|((place, slot), _)| (place, *slot)).collect();
                    writes.push(Write::Slots(number, slots));
                }
            }
            _ => writes.push(Write::Table(number, Arc::clone(slots))),
        }
    }
    writes.extend(changed(&present.quic, &desired.quic, Write::Quic));
    writes.extend(changed(&present.services, &desired.services, Write::Service));
    writes.extend(changed(&present.prefixes, &desired.prefixes, Write::Prefix));
    if present.settings != desired.settings {
        writes.push(Write::Settings(desired.settings));
    }
    writes.extend(changed(&present.vips, &desired.vips, Write::Vip));

    writes.extend(surplus(&present.vips, &desired.vips, Write::NoVip));
    writes.extend(surplus(&present.prefixes, &desired.prefixes, Write::NoPrefix));
    writes.extend(surplus(&present.services, &desired.services, Write::NoService));
    writes.extend(surplus(&present.quic, &desired.quic, Write::NoQuic));
    // Who isn't wanted at all has no part in anything.
    writes.extend(surplus(&present.roles, &desired.roles, |index| Write::Role(index, Role::default())));
    writes.extend(surplus(&present.tables, &desired.tables, Write::NoTable));
    writes
}

/// A write for each entry that isn't wanted.
fn surplus<K: Ord + Copy, V>(
    present: &BTreeMap<K, V>,
    desired: &BTreeMap<K, V>,
    write: impl Fn(K) -> Write,
) -> Vec<Write> {
    present.keys().filter(|key| !desired.contains_key(key)).map(|&key| write(key)).collect()
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
        Write::Role(index, role) if *role == Role::default() => {
            image.roles.remove(index);
        }
        Write::Role(index, role) => {
            image.roles.insert(*index, *role);
        }
        Write::Table(number, slots) => {
            image.tables.insert(*number, Arc::clone(slots));
        }
        Write::Slots(number, slots) => {
            if let Some(table) = image.tables.get_mut(number) {
                let table = Arc::make_mut(table);
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
        Write::NoVip(address) => drop(image.vips.remove(address)),
        Write::NoPrefix(prefix) => drop(image.prefixes.remove(prefix)),
        Write::NoService(key) => drop(image.services.remove(key)),
        Write::NoQuic(key) => drop(image.quic.remove(key)),
        Write::NoTable(number) => drop(image.tables.remove(number)),
    }
}
