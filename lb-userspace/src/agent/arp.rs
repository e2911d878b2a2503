//! Keeping the host silent about its VIPs on the link, where the router must find only the load balancer.
//!
//! IPv6 needs nothing: neighbour discovery answers only for addresses of the interface that was asked, and the VIPs
//! are on the loopback interface (seen on Linux 6.18).

use anyhow::Result;

use super::record::Record;
use super::sysctl::Raised;
use crate::config::Prefix;

/// What ARP may not do while the VIPs are here.
///
/// The kernel takes the greater of `all` and the interface's own setting. It is raised in `all`, because every
/// interface of the host would answer for an address on loopback, also those that the agent isn't told of and those
/// that come later.
const SETTINGS: [(&str, u32); 2] = [
    // Answer only for addresses of the interface that was asked.
    ("net.ipv4.conf.all.arp_ignore", 1),
    // Ask with an address of the interface, not with the VIP that a reply to a client has as its source: the router
    // would learn from the question that the VIP is here.
    ("net.ipv4.conf.all.arp_announce", 2),
];

/// The settings in force. Dropping it restores the former ones.
#[derive(Debug)]
pub struct Silence<'record> {
    _raised: Vec<Raised<'record>>,
}

impl<'record> Silence<'record> {
    /// Imposes it, if one of the VIPs is of IPv4.
    pub fn impose(vips: &[Prefix], record: &'record Record) -> Result<Self> {
        // What a killed agent raised stays so to the end: its VIPs may still be here.
        let mut raised: Vec<_> = Raised::left(record).filter(Raised::is_in_force).collect();
        if vips.iter().any(|vip| vip.address.is_ipv4()) {
            for (name, value) in SETTINGS {
                raised.extend(Raised::to(name, value, record)?);
            }
        }
        Ok(Silence { _raised: raised })
    }
}
