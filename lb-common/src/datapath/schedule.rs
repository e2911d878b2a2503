//! The backend of a new flow, where that isn't a function of the flow.

use super::Tables;
use crate::service::{Scheduler, Service};
use crate::slot::{BackendIndex, Slot, slot_of};
use crate::standing::Takes;

/// Backends that are asked for their flows, of a service that looks for the one with the fewest.
pub const MOST_ASKED: u32 = 64;

/// The next flow's backend, if there is one that takes it.
#[inline(always)]
pub fn next<T: Tables>(tables: &T, service: &Service) -> Option<BackendIndex> {
    match service.flags.scheduler() {
        Scheduler::ROUND_ROBIN => {
            in_slot(tables, service, tables.turn(service.index).checked_rem(service.slots)?)
        }
        Scheduler::TWO_CHOICES => least(tables, service, 2, |_| any_slot(tables, service)),
        Scheduler::LEAST_CONNECTIONS => {
            // Of equals it isn't always the first.
            let start = any_slot(tables, service);
            least(tables, service, MOST_ASKED, |number| {
                let slot = start + number;
                if slot < service.slots { slot } else { slot - service.slots }
            })
        }
        _ => in_slot(tables, service, any_slot(tables, service)),
    }
}

#[inline(always)]
fn any_slot<T: Tables>(tables: &T, service: &Service) -> u32 {
    slot_of(u64::from(tables.random()) << 32, service.slots)
}

#[inline(always)]
fn in_slot<T: Tables>(tables: &T, service: &Service, slot: u32) -> Option<BackendIndex> {
    tables.slot(service.table, slot).map(Slot::current)
}

/// The backend with the fewest flows for its weight, of those in `most` slots.
#[inline(always)]
fn least<T: Tables>(
    tables: &T,
    service: &Service,
    most: u32,
    slot: impl Fn(u32) -> u32,
) -> Option<BackendIndex> {
    let mut best = BackendIndex::NONE;
    // Flows and weight of the best so far; as a fraction, none is greater.
    let (mut flows, mut weight) = (u64::from(u32::MAX), 0);
    for number in 0..most {
        if number >= service.slots {
            break;
        }
        let backend = in_slot(tables, service, slot(number))?;
        if let Some(standing) = tables.standing(backend)
            && standing.takes(service.index).has(Takes::NEW)
        {
            let (its_flows, its_weight) = (standing.flows() + 1, standing.weight());
            if its_flows * weight < flows * its_weight || weight == 0 {
                (best, flows, weight) = (backend, its_flows, its_weight);
            }
        }
    }
    (best != BackendIndex::NONE).then_some(best)
}
