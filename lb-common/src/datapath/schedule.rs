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
            at_turn(tables, service, tables.turn(service.index).checked_rem(service.turns)?)
        }
        Scheduler::TWO_CHOICES => least(tables, service, 2, |_| any_turn(tables, service)),
        Scheduler::LEAST_CONNECTIONS => {
            // Of equals it isn't always the first.
            let start = any_turn(tables, service);
            least(tables, service, MOST_ASKED, |number| {
                let turn = start + number;
                if turn < service.turns { turn } else { turn - service.turns }
            })
        }
        _ => at_turn(tables, service, any_turn(tables, service)),
    }
}

#[inline(always)]
fn any_turn<T: Tables>(tables: &T, service: &Service) -> u32 {
    slot_of(u64::from(tables.random()) << 32, service.turns)
}

/// The rotation stands behind the slots.
#[inline(always)]
fn at_turn<T: Tables>(tables: &T, service: &Service, turn: u32) -> Option<BackendIndex> {
    let backend = tables.slot(service.table, service.slots + turn).map(Slot::current);
    backend.filter(|backend| *backend != BackendIndex::NONE)
}

/// The backend with the fewest flows for its weight, of those at `most` turns.
#[inline(always)]
fn least<T: Tables>(
    tables: &T,
    service: &Service,
    most: u32,
    turn: impl Fn(u32) -> u32,
) -> Option<BackendIndex> {
    let mut best = BackendIndex::NONE;
    // Flows and weight of the best so far; as a fraction, none is greater.
    let (mut flows, mut weight) = (u64::from(u32::MAX), 0);
    for number in 0..most {
        if number >= service.turns {
            break;
        }
        let backend = at_turn(tables, service, turn(number))?;
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
