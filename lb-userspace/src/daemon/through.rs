//! Checks through VIPs: the program that forwards them, and what stands in their way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Daemon;
use crate::checks::{Checks, obstacle};
use crate::config::{Config, Service};
use crate::events::{Event, tell};

/// What stands in the way of checks, by the VIPs that they are sent to.
pub(super) type Obstacles = BTreeMap<IpAddr, String>;

/// The VIPs that checks are sent to.
pub(super) fn vips(config: &Config) -> BTreeSet<IpAddr> {
    config.services.iter().filter_map(Service::checked_vip).collect()
}

/// What stands in the way of a service's checks.
pub(super) fn obstacle_of(obstacles: &Obstacles, service: &Service) -> Option<String> {
    obstacles.get(&service.checked_vip()?).cloned()
}

impl Daemon {
    /// Has the program of checks on the interfaces that are there, if any check is sent to a VIP, and tells what stands in the
    /// way of those: whether that is something else now.
    pub(super) fn follow_checks(&mut self) -> bool {
        let vips = vips(&self.config);
        let attached = if vips.is_empty() {
            self.checks = Checks::default();
            Ok(())
        } else {
            let interfaces =
                self.attachments.iter().map(|attached| (attached.index, attached.interface.as_str()));
            self.balancer.check_program().and_then(|program| self.checks.follow(program, interfaces))
        };
        let interfaces = self.checks.interfaces();
        let found = vips.into_iter().filter_map(|vip| {
            // Where the program can't be, nothing else matters.
            let reason = if let Err(error) = &attached {
                format!("{error:#}")
            } else {
                let hop = self.network.next_hops.get(&vip)?;
                obstacle(vip, hop, &interfaces, &self.network)?.to_string()
            };
            Some((vip, reason))
        });
        let found: Obstacles = found.collect();
        if found == self.obstacles {
            return false;
        }
        let former = std::mem::replace(&mut self.obstacles, found);
        for service in &self.config.services {
            let (before, now) = (obstacle_of(&former, service), obstacle_of(&self.obstacles, service));
            if before != now {
                tell(Event::ChecksObstructed { service: service.name.clone(), reason: now });
            }
        }
        true
    }
}
