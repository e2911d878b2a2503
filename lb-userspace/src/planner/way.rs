//! The way to a backend, as the datapath's maps know it.

use std::net::IpAddr;

use lb_common::backend::{Backend, Ends};

use crate::config::{self, Config, Forwarding};
use crate::next_hop::{NextHop, NextHops, Unresolved};

/// Why a backend is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no way to it.
    Unresolved(Unresolved),
    /// Its packets would need a router, which `l2` forwarding can't pass.
    BehindRouter(IpAddr),
    /// It can't serve, as its checks say.
    Failing(String),
    /// Others are to be preferred for new flows.
    Standby(String),
}

impl Obstacle {
    /// Whether it keeps from old flows too.
    #[must_use]
    pub fn is_down(&self) -> bool {
        match self {
            Obstacle::Unresolved(_) | Obstacle::BehindRouter(_) | Obstacle::Failing(_) => true,
            Obstacle::Standby(_) => false,
        }
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Obstacle::Unresolved(reason) => reason.fmt(out),
            Obstacle::BehindRouter(router) => {
                write!(out, "it is behind router {router}, but l2 forwarding needs it on the link; use ipip")
            }
            Obstacle::Failing(reason) | Obstacle::Standby(reason) => out.write_str(reason),
        }
    }
}

/// The map's entry for a backend, if there is a way to it.
pub(super) fn way(
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
