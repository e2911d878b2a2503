//! VIPs on the loopback interface.

use std::io;
use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressScope, CacheInfo,
};
use rtnetlink::packet_route::link::LinkFlags;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use tracing::{info, warn};

use crate::attach::interface::Interface;
use crate::attach::netlink;

/// The VIPs that weren't there before. Dropping it removes them, and no others.
#[derive(Debug)]
pub struct Vips {
    /// The index of the loopback interface.
    loopback: u32,
    added: Vec<IpAddr>,
}

impl Vips {
    /// Adds those that are missing.
    pub fn add(wanted: &[IpAddr]) -> Result<Vips> {
        let interfaces = Interface::all()?;
        let is_loopback = |interface: &&Interface| interface.flags.contains(LinkFlags::Loopback);
        let loopback = interfaces.iter().find(is_loopback).context("there is no loopback interface")?;
        if !loopback.flags.contains(LinkFlags::Up) {
            bail!("{0} is down, and addresses on it don't work: ip link set {0} up", loopback.name);
        }
        warn_if_elsewhere(wanted, &interfaces)?;

        let mut vips = Vips { loopback: loopback.index, added: Vec::new() };
        for &vip in wanted {
            let message = RouteNetlinkMessage::NewAddress(message(vip, loopback.index));
            match netlink::change(message, NLM_F_CREATE | NLM_F_EXCL) {
                Ok(()) => {
                    info!("{vip} added to {}", loopback.name);
                    vips.added.push(vip);
                }
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                    info!("{vip} was on {} already, and stays", loopback.name);
                }
                Err(error) => return Err(refused(vip, &loopback.name, error)),
            }
        }
        Ok(vips)
    }
}

impl Drop for Vips {
    fn drop(&mut self) {
        for vip in self.added.iter().rev() {
            match netlink::change(RouteNetlinkMessage::DelAddress(message(*vip, self.loopback)), 0) {
                Ok(()) => info!("{vip} removed"),
                Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) => {
                    info!("{vip} was removed by someone else");
                }
                Err(error) => warn!("{vip} stays: {error}"),
            }
        }
    }
}

fn message(vip: IpAddr, index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
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

/// A VIP on an interface that does ARP or neighbour discovery draws the clients' packets here, past the balancer.
fn warn_if_elsewhere(wanted: &[IpAddr], interfaces: &[Interface]) -> Result<()> {
    let addresses = netlink::dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()));
    for address in addresses.context("list the addresses")? {
        let RouteNetlinkMessage::NewAddress(address) = address else { continue };
        let vip = address.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(ip) | AddressAttribute::Address(ip) if wanted.contains(ip) => Some(ip),
            _ => None,
        });
        let interface = interfaces.iter().find(|interface| interface.index == address.header.index);
        if let (Some(vip), Some(Interface { name, flags, .. })) = (vip, interface)
            && !flags.intersects(LinkFlags::Loopback | LinkFlags::Noarp)
        {
            warn!("{vip} is an address of {name} too, which tells the link that it is here; remove it there");
        }
    }
    Ok(())
}

fn refused(vip: IpAddr, loopback: &str, error: io::Error) -> anyhow::Error {
    let ipv6_is_off = vip.is_ipv6() && matches!(error.raw_os_error(), Some(libc::EACCES | libc::EOPNOTSUPP));
    let error = anyhow::Error::new(error);
    if ipv6_is_off {
        return error.context(format!(
            "{vip}: IPv6 is switched off on {loopback} (sysctl net.ipv6.conf.{loopback}.disable_ipv6)"
        ));
    }
    error.context(format!("add {vip} to {loopback}"))
}
