//! VIPs on the loopback interface.

use std::io;
use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use rtnetlink::packet_route::link::LinkFlags;
use tracing::{info, warn};

use super::local;
use super::record::Record;
use crate::config::Prefix;
use crate::interface::Interface;

/// The VIPs that weren't there before. Dropping it removes them, and no others.
#[derive(Debug)]
pub struct Vips<'record> {
    /// The index of the loopback interface.
    loopback: u32,
    added: Vec<Prefix>,
    record: &'record Record,
}

impl<'record> Vips<'record> {
    /// Adds those that are missing.
    pub fn add(wanted: &[Prefix], record: &'record Record) -> Result<Self> {
        let interfaces = Interface::all()?;
        let is_loopback = |interface: &&Interface| interface.flags.contains(LinkFlags::Loopback);
        let loopback = interfaces.iter().find(is_loopback).context("there is no loopback interface")?;
        if !loopback.flags.contains(LinkFlags::Up) {
            bail!("{0} is down, and addresses on it don't work: ip link set {0} up", loopback.name);
        }
        let addresses = local::addresses()?;
        check_elsewhere(wanted, &addresses, &interfaces)?;

        let mut vips = Vips { loopback: loopback.index, added: record.vips(), record };
        vips.remove_all_but(wanted);
        let present = Present::on(loopback.index, addresses, wanted)?;
        for &vip in wanted {
            let is_ours = vips.added.contains(&vip);
            if present.has(vip) {
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
            if let Err(error) = local::add(vip, loopback.index) {
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
    fn remove_all_but(&mut self, kept: &[Prefix]) {
        for vip in std::mem::take(&mut self.added).into_iter().rev() {
            if kept.contains(&vip) {
                self.added.insert(0, vip);
                continue;
            }
            match local::remove(vip, self.loopback) {
                Ok(true) => info!("{vip} removed"),
                Ok(false) => info!("{vip} was removed by someone else"),
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

/// What is on the loopback interface.
struct Present(Vec<Prefix>);

impl Present {
    /// Routes are looked at only if a prefix is wanted: there may be a million of them.
    fn on(loopback: u32, addresses: Vec<(u32, IpAddr)>, wanted: &[Prefix]) -> Result<Present> {
        let addresses = addresses.into_iter().filter(|(index, _)| *index == loopback);
        let mut present: Vec<_> = addresses.map(|(_, address)| Prefix::of_one(address)).collect();
        if wanted.iter().any(|vip| !vip.is_one_address()) {
            present.extend(local::prefixes(loopback)?);
        }
        Ok(Present(present))
    }

    fn has(&self, vip: Prefix) -> bool {
        self.0.contains(&vip)
    }
}

/// A VIP on an interface that does ARP or neighbour discovery draws the clients' packets here, past the balancer. A prefix
/// around such an interface's address would make its neighbours this host itself.
fn check_elsewhere(wanted: &[Prefix], addresses: &[(u32, IpAddr)], interfaces: &[Interface]) -> Result<()> {
    for interface in interfaces {
        if interface.flags.intersects(LinkFlags::Loopback | LinkFlags::Noarp) {
            continue;
        }
        let name = &interface.name;
        for (_, address) in addresses.iter().filter(|(index, _)| *index == interface.index) {
            for vip in wanted.iter().filter(|vip| vip.contains(*address)) {
                ensure!(
                    vip.is_one_address(),
                    "{vip} contains {address}, an address of {name}, whose neighbours would be cut off; name the VIPs \
                     alone, or a longer prefix"
                );
                warn!(
                    "{vip} is an address of {name} too, which tells the link that it is here; remove it there"
                );
            }
        }
    }
    Ok(())
}

fn refused(vip: Prefix, loopback: &str, error: io::Error) -> anyhow::Error {
    let ipv6_is_off =
        vip.address.is_ipv6() && matches!(error.raw_os_error(), Some(libc::EACCES | libc::EOPNOTSUPP));
    let error = anyhow::Error::new(error);
    if ipv6_is_off {
        return error.context(format!(
            "{vip}: IPv6 is switched off on {loopback} (sysctl net.ipv6.conf.{loopback}.disable_ipv6)"
        ));
    }
    error.context(format!("add {vip} to {loopback}"))
}
