//! Leads slots on their way to where they should be, and lets go of what nobody needs any more.

use std::collections::BTreeMap;

use anyhow::Result;
use lb_common::clock::Tick;
use lb_common::verdict::PinEvent;

use super::Daemon;
use crate::census::Census;
use crate::kernel_clock;
use crate::planner;

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

    /// Looks through the whole connection table, and tells the schedulers that ask how many flows a backend has.
    fn look(&self, now: Tick) -> Census {
        let services = &self.desired.services;
        let census = planner::look(&self.config, services, &self.present, self.balancer.buckets(), now);
        for (service, desired) in self.config.services.iter().zip(services) {
            for backend in desired.backends.iter().filter(|_| service.flows.are_pinned()) {
                let open = census.open.get(&backend.index).copied().unwrap_or_default();
                self.balancer.standings()[usize::from(backend.index.0)].set_flows(open);
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
