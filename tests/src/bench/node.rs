//! What the maps of a node hold that is set up for a case.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use lb_common::backend::Link;
use lb_common::flow::IpVersion;
use lb_common::slot::{BackendIndex, Slot};
use lb_common::wire::ethernet::Vlan;
use lb_userspace::config::Config;
use lb_userspace::next_hop::{NextHop, NextHops};
use lb_userspace::planner::desired;

use super::case::{Node, Slots};
use crate::datapath::services::{INGRESS, NODE_MAC, NODE_V4, NODE_V6, ip};

pub use lb_userspace::config::MapSizes;
pub use lb_userspace::image::Image;

/// The port of every service.
pub const PORT: u16 = 80;

/// The VIP of a service, by its number.
#[must_use]
pub fn vip(version: IpVersion, service: usize) -> IpAddr {
    let [high, low] = (service as u16).to_be_bytes();
    match version {
        IpVersion::V4 => Ipv4Addr::new(198, 18, high, low).into(),
        IpVersion::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0x12, service as u16).into(),
    }
}

/// The address of a backend, by its number.
#[must_use]
pub fn backend(version: IpVersion, number: usize) -> IpAddr {
    let [.., high, middle, low] = number.to_be_bytes();
    match version {
        IpVersion::V4 => Ipv4Addr::new(172, 16 + high, middle, low).into(),
        IpVersion::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xb, 0, 0, 0, 0, number as u16).into(),
    }
}

/// What the maps hold, and how large they are.
///
/// # Errors
/// The configuration isn't one.
pub fn maps(node: &Node, protocol: &str) -> Result<(Image, MapSizes)> {
    let config = Config::parse(&text(node, protocol), Path::new("lb.yaml"))?;
    let mut image = desired(&config, &next_hops(node)).image;
    for service in image.services.values() {
        let Some(table) = image.tables.get_mut(&service.table) else { continue };
        let table = Arc::make_mut(table);
        let stable = table.clone();
        // The rotation of some schedulers stands behind the slots.
        for (number, slot) in table.iter_mut().enumerate().take(service.slots as usize) {
            let current = slot.current();
            *slot = match node.slots {
                Slots::Stable => *slot,
                Slots::Migrating => Slot::migrating(current, another(&stable, number)),
                Slots::Tracked => Slot::tracked(current),
            };
        }
    }
    Ok((image, config.maps))
}

/// A backend of the table other than the slot's.
fn another(table: &[Slot], number: usize) -> BackendIndex {
    let current = table[number].current();
    let behind = table.iter().cycle().skip(number).take(table.len()).map(|slot| slot.current());
    behind.into_iter().find(|backend| *backend != current).unwrap_or(current)
}

fn text(node: &Node, protocol: &str) -> String {
    let mut text = format!(
        "version: 1\ninterfaces: [{{name: lo}}]\nanswer_echo: true\nmaps: {{flows: {}}}\nservices:\n",
        node.flows
    );
    let port = if node.is_any_port { "any".into() } else { PORT.to_string() };
    for service in 0..node.services {
        let _ = write!(
            text,
            "  - {{vip: \"{}\", port: {port}, protocol: {protocol}, forwarding: {}, scheduler: {}, \
             table_size: {}, backends: [",
            vip(node.version, service),
            node.forwarding,
            node.scheduler,
            node.table_size
        );
        for number in service * node.backends..(service + 1) * node.backends {
            let _ = write!(text, "{{address: \"{}\"}}, ", backend(node.outer, number));
        }
        text.push_str("]}\n");
    }
    text
}

/// Each backend is a next hop of its own, on the interface that packets come in by.
fn next_hops(node: &Node) -> NextHops {
    let source = match node.outer {
        IpVersion::V4 => ip(NODE_V4),
        IpVersion::V6 => ip(NODE_V6),
    };
    let hop = |number: usize| {
        let mut addresses = [2; 12];
        addresses[2..6].copy_from_slice(&(number as u32).to_be_bytes());
        addresses[6..].copy_from_slice(&NODE_MAC);
        let link = Link { egress: INGRESS, mtu: 1500, vlan: Vlan::NONE, addresses };
        (backend(node.outer, number), Ok(NextHop { link, source, gateway: None }))
    };
    (0..node.services * node.backends).map(hop).collect()
}
