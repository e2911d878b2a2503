//! What makes an address this host's: a VIP alone is an address of the loopback interface, a prefix of VIPs is a route of
//! the kernel's local table, which takes in all of them.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressScope, CacheInfo,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::config::Prefix;
use crate::netlink;

/// The kernel's table of what is its own (`RT_TABLE_LOCAL` in `linux/rtnetlink.h`).
const LOCAL_TABLE: u8 = 255;

/// Adds a VIP.
///
/// # Errors
/// The kernel's, also if it is there already.
pub fn add(vip: Prefix, loopback: u32) -> io::Result<()> {
    let message = if vip.is_one_address() {
        RouteNetlinkMessage::NewAddress(address(vip.address, loopback))
    } else {
        RouteNetlinkMessage::NewRoute(route(vip, loopback))
    };
    netlink::change(message, NLM_F_CREATE | NLM_F_EXCL)
}

/// Removes a VIP, and says whether it was there.
///
/// # Errors
/// The kernel's.
pub fn remove(vip: Prefix, loopback: u32) -> io::Result<bool> {
    let message = if vip.is_one_address() {
        RouteNetlinkMessage::DelAddress(address(vip.address, loopback))
    } else {
        RouteNetlinkMessage::DelRoute(route(vip, loopback))
    };
    match netlink::change(message, 0) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::ESRCH)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Every address of this network namespace, with the index of its interface.
///
/// # Errors
/// The kernel doesn't tell.
pub fn addresses() -> Result<Vec<(u32, IpAddr)>> {
    let answers = netlink::dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()));
    let mut addresses = Vec::new();
    for answer in answers.context("list the addresses")? {
        let RouteNetlinkMessage::NewAddress(message) = answer else { continue };
        let ips = message.attributes.iter().filter_map(|attribute| match attribute {
            AddressAttribute::Local(ip) | AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        });
        addresses.extend(ips.map(|ip| (message.header.index, ip)));
    }
    Ok(addresses)
}

/// The prefixes that are local by a route to that interface.
///
/// # Errors
/// The kernel doesn't tell.
pub fn prefixes(loopback: u32) -> Result<BTreeSet<Prefix>> {
    let answers = netlink::dump(RouteNetlinkMessage::GetRoute(RouteMessage::default()));
    let routes = answers.context("list the routes")?.into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewRoute(message) => local_prefix(&message, loopback),
        _ => None,
    });
    Ok(routes.collect())
}

fn local_prefix(message: &RouteMessage, loopback: u32) -> Option<Prefix> {
    let header = &message.header;
    let is_local = header.table == LOCAL_TABLE && header.kind == RouteType::Local;
    let is_here = message.attributes.contains(&RouteAttribute::Oif(loopback));
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        RouteAttribute::Destination(RouteAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    });
    (is_local && is_here).then_some(Prefix { address: address?, length: header.destination_prefix_length })
}

fn address(vip: IpAddr, loopback: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = loopback;
    message.attributes = vec![AddressAttribute::Local(vip), AddressAttribute::Address(vip)];
    match vip {
        IpAddr::V4(_) => {
            message.header.family = AddressFamily::Inet;
            message.header.prefix_len = 32;
            // Not a source for the host's own connections, whose replies would end at some other backend.
            message.header.scope = AddressScope::Host;
        }
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            message.header.prefix_len = 128;
            // Every backend has it: detecting duplicates would only find them.
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
            // Deprecated from the start, valid for ever: not a source either (RFC 6724, rule 3).
            let mut lifetime = CacheInfo::default();
            lifetime.ifa_preferred = 0;
            lifetime.ifa_valid = u32::MAX;
            message.attributes.push(AddressAttribute::CacheInfo(lifetime));
        }
    }
    message
}

fn route(vip: Prefix, loopback: u32) -> RouteMessage {
    match vip.address {
        IpAddr::V4(first) => RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(first, vip.length)
            .output_interface(loopback)
            .table_id(LOCAL_TABLE.into())
            .kind(RouteType::Local)
            .scope(RouteScope::Host)
            .protocol(RouteProtocol::Static)
            .build(),
        IpAddr::V6(first) => RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(first, vip.length)
            .output_interface(loopback)
            .table_id(LOCAL_TABLE.into())
            .kind(RouteType::Local)
            .protocol(RouteProtocol::Static)
            .build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_prefix_is_read_as_it_is_written() {
        for vip in ["192.0.2.64/28", "2001:db8:f:1::/64"].map(|text| crate::config::vip(text).unwrap()) {
            assert_eq!(local_prefix(&route(vip, 1), 1), Some(vip));
            assert_eq!(local_prefix(&route(vip, 1), 2), None, "on another interface");
            let mut elsewhere = route(vip, 1);
            elsewhere.header.table = 254;
            assert_eq!(local_prefix(&elsewhere, 1), None, "in another table");
        }
    }
}
