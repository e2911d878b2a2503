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
    let backend = tables.slot(service, service.slots + turn).map(Slot::current);
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
    let mut least = u64::MAX;
    for number in 0..most {
        if number >= service.turns {
            break;
        }
        let asked = at_turn(tables, service, turn(number)).and_then(|backend| load(tables, service, backend));
        // However it went on here, it goes on alike; see `Packet::forget`.
        least = tables.forget(least.min(asked.unwrap_or(u64::MAX)));
    }
    (least != u64::MAX).then_some(BackendIndex(least as u16))
}

/// The flows of a backend for its weight, if it takes new ones, in the upper 48 bits, and its number: so the least of several
/// names itself.
#[inline(always)]
fn load<T: Tables>(tables: &T, service: &Service, backend: BackendIndex) -> Option<u64> {
    let standing = tables.standing(backend)?;
    if !standing.takes(service.index).has(Takes::NEW) {
        return None;
    }
    let load = ((standing.flows() + 1) << 16).checked_div(standing.weight())?;
    Some(load << 16 | u64::from(backend.0))
}
