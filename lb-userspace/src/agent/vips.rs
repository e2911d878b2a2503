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

use super::record::Record;
use crate::interface::Interface;
use crate::netlink;

/// The VIPs that weren't there before. Dropping it removes them, and no others.
#[derive(Debug)]
pub struct Vips<'record> {
    /// The index of the loopback interface.
    loopback: u32,
    added: Vec<IpAddr>,
    record: &'record Record,
}

impl<'record> Vips<'record> {
    /// Adds those that are missing.
    pub fn add(wanted: &[IpAddr], record: &'record Record) -> Result<Self> {
        let interfaces = Interface::all()?;
        let is_loopback = |interface: &&Interface| interface.flags.contains(LinkFlags::Loopback);
        let loopback = interfaces.iter().find(is_loopback).context("there is no loopback interface")?;
        if !loopback.flags.contains(LinkFlags::Up) {
            bail!("{0} is down, and addresses on it don't work: ip link set {0} up", loopback.name);
        }
        let present = addresses()?;
        warn_if_elsewhere(wanted, &present, &interfaces);

        let mut vips = Vips { loopback: loopback.index, added: record.vips(), record };
        vips.remove_all_but(wanted);
        for &vip in wanted {
            let is_present = present.contains(&(loopback.index, vip));
            let is_ours = vips.added.contains(&vip);
            if is_present {
                if is_ours {
                    info!("{vip} was left on {} by an agent that was killed", loopback.name);
                } else {
                    info!("{vip} was on {} already, and stays", loopback.name);
                }
                continue;
            }
            if !is_ours {
                record.note_vip(vip)?;
            }
            let message = RouteNetlinkMessage::NewAddress(message(vip, loopback.index));
            if let Err(error) = netlink::change(message, NLM_F_CREATE | NLM_F_EXCL) {
                record.strike_vip(vip);
                return Err(refused(vip, &loopback.name, error));
            }
            if !is_ours {
                vips.added.push(vip);
            }
            info!("{vip} added to {}", loopback.name);
        }
        Ok(vips)
    }

    /// Removes those that were added, the last one first, and keeps what shall stay.
    fn remove_all_but(&mut self, kept: &[IpAddr]) {
        for vip in std::mem::take(&mut self.added).into_iter().rev() {
            if kept.contains(&vip) {
                self.added.insert(0, vip);
                continue;
            }
            match netlink::change(RouteNetlinkMessage::DelAddress(message(vip, self.loopback)), 0) {
                Ok(()) => info!("{vip} removed"),
                Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) => {
                    info!("{vip} was removed by someone else");
                }
                Err(error) => {
                    // It stays on record for the next agent.
                    warn!("{vip} stays: {error}");
                    continue;
                }
            }
            self.record.strike_vip(vip);
        }
    }
}

impl Drop for Vips<'_> {
    fn drop(&mut self) {
        self.remove_all_but(&[]);
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

/// Every address of this network namespace, with the index of its interface.
fn addresses() -> Result<Vec<(u32, IpAddr)>> {
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

/// A VIP on an interface that does ARP or neighbour discovery draws the clients' packets here, past the balancer.
fn warn_if_elsewhere(wanted: &[IpAddr], present: &[(u32, IpAddr)], interfaces: &[Interface]) {
    for vip in wanted {
        let elsewhere = interfaces.iter().find(|interface| {
            present.contains(&(interface.index, *vip))
                && !interface.flags.intersects(LinkFlags::Loopback | LinkFlags::Noarp)
        });
        if let Some(Interface { name, .. }) = elsewhere {
            warn!("{vip} is an address of {name} too, which tells the link that it is here; remove it there");
        }
    }
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
