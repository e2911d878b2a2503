//! Leads slots on their way to where they should be, and lets go of what nobody needs any more.

use std::collections::BTreeMap;

use anyhow::Result;
use lb_common::clock::{Tick, epochs};
use lb_common::standing::Takes;
use lb_common::verdict::PinEvent;

use super::Daemon;
use crate::census::{Census, Pinning, Question};
use crate::kernel_clock;

/// Ticks after a change of slots in which no look through the connection table is made: a packet that saw a former slot has
/// long ended its walk by then.
const QUIET: u32 = 2;

impl Daemon {
    /// Does what the time brings.
    pub(super) fn settle(&mut self) -> Result<()> {
        let pins_all = self.config.services.iter().any(|service| service.flows.are_pinned());
        if !self.planner.waits() && !pins_all {
            self.census = Census::default();
            return Ok(());
        }
        let now = kernel_clock::now()?;
        if now.since(self.changed) < QUIET {
            return self.update();
        }
        let census = self.look(now);
        self.planner.looked(&self.config, &self.present, &census);
        self.refused = self.refusals()?;
        let updated = self.update_after(Some(&census));
        self.census = census;
        updated
    }

    /// Looks through the whole connection table.
    fn look(&self, now: Tick) -> Census {
        let pinnings: BTreeMap<u32, Pinning> = self
            .config
            .services
            .iter()
            .zip(&self.desired.services)
            .filter_map(|(service, desired)| {
                let slots = self.present.tables.get(&desired.index)?.get(..service.table_size as usize)?;
                let idle = epochs(service.flows.idle_timeout);
                Some((desired.index, Pinning { slots, idle, pins_all: service.flows.are_pinned() }))
            })
            .collect();
        let keepers = self.present.roles.iter().filter(|(_, role)| role.takes.has(Takes::KNOWN));
        let keepers = keepers.map(|(&index, role)| (index, role.service)).collect();
        let mut census = Census::default();
        let question = Question { services: &pinnings, keepers: &keepers, now: now.epoch() };
        census.look(self.balancer.buckets(), &question);
        for (index, role) in &self.present.roles {
            if pinnings.get(&role.service).is_some_and(|service| service.pins_all) {
                let open = census.open.get(index).copied().unwrap_or_default();
                self.balancer.standings()[usize::from(index.0)].set_flows(open);
            }
        }
        census
    }

    fn refusals(&self) -> Result<BTreeMap<u32, u64>> {
        let services = self.balancer.counters(&self.present)?.services;
        Ok(services
            .into_iter()
            .map(|(number, counted)| (number, counted.pins[PinEvent::Refused as usize]))
            .collect())
    }
}
