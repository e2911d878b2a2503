//! That what is measured is what it is called: sampled packets come out as they do on the host.

use anyhow::{Result, ensure};
use lb_common::service::{Scheduler, ServiceFlags};
use lb_common::slot::{BackendIndex, Slot};
use lb_common::verdict::{NODE_COUNTERS, NodeCounters, RECEIVED, Verdict};
use lb_userspace::image::Image;

use super::rig::{Player, Rig};
use super::trace::Trace;
use crate::datapath::host::{Action, Host, Outcome};

/// Packets of a trace that are looked at.
const LOOKED_AT: usize = 64;

/// What packets of a case come to.
pub struct Agreement {
    /// How many were looked at.
    pub packets: usize,
    /// What the driver is told to do with the first of them.
    pub action: Action,
    /// Places of the counters that their verdicts have.
    counters: Vec<usize>,
}

impl Agreement {
    /// Plays some packets to the loaded program, which has seen none yet, and to the host's.
    ///
    /// # Errors
    /// They disagree, or the kernel refuses.
    pub fn of(rig: &mut Rig, image: &Image, trace: &Trace) -> Result<Agreement> {
        let host = Host::new(image);
        // By these schedulers chance decides: any backend is right.
        let any = image.services.values().any(|service| !is_function_of_packets(service.flags));
        let hosts: Vec<Host> = if any { of_each_backend(image) } else { Vec::new() };
        let (mut counters, mut first) = (Vec::new(), None);
        // An even stride would see only one of two kinds that take turns.
        let stride = (trace.steps.len() / LOOKED_AT) | 1;
        for step in (0..trace.steps.len()).step_by(stride) {
            let packet = trace.packet(step);
            let expected = host.run(&packet);
            counters.extend((1..NODE_COUNTERS).filter(|&counter| expected.counted.node[counter] != 0));
            let (action, frame) = rig.one(Player::Case, step)?;
            first.get_or_insert(action);
            let is = |expected: &Outcome| expected.action == action && expected.frame == frame;
            ensure!(
                is(&expected) || hosts.iter().any(|host| is(&host.run(&packet))),
                "packet {step} became {action:?} {frame:02x?}, but on the host {:?} {:02x?}",
                expected.action,
                expected.frame
            );
        }
        counters.sort_unstable();
        counters.dedup();
        let packets = trace.steps.len().div_ceil(stride);
        Ok(Agreement { packets, action: first.unwrap_or(Action::Drop), counters })
    }

    /// That every packet since `before` had one of these verdicts.
    ///
    /// # Errors
    /// One had another.
    pub fn check(&self, before: &NodeCounters, after: &NodeCounters) -> Result<()> {
        for counter in (0..NODE_COUNTERS).filter(|counter| *counter != RECEIVED) {
            let moved = after[counter] - before[counter];
            ensure!(
                moved == 0 || self.counters.contains(&counter),
                "{moved} packets had another verdict: {:?}",
                Verdict::of_counter(counter)
            );
        }
        Ok(())
    }
}

fn is_function_of_packets(flags: ServiceFlags) -> bool {
    matches!(flags.scheduler(), Scheduler::HASH | Scheduler::ROUND_ROBIN)
}

/// A host for each backend, which sends everything to it.
fn of_each_backend(image: &Image) -> Vec<Host> {
    let only = |backend: &BackendIndex| {
        let mut image = image.clone();
        for service in image.services.values_mut() {
            service.flags = service.flags.with_scheduler(Scheduler::HASH);
        }
        for table in image.tables.values_mut() {
            *table = std::sync::Arc::new(vec![Slot::stable(*backend); table.len()]);
        }
        Host::new(&image)
    };
    image.backends.keys().map(only).collect()
}
