//! Tells of single packets, for those who want to see what becomes of them.

use super::{Tables, Trail};
use crate::event::{Event, NO_SERVICE};
use crate::packet::Packet;
use crate::verdict::End;

/// Octets that are copied at once.
const CHUNK: usize = 8;

/// Tells of a packet if it is its turn: the first of every so many of its verdict, so that what is rare is seen beside
/// what is frequent. `number` is how many of them this CPU has had.
#[inline(always)]
pub fn sample<P: Packet, T: Tables>(packet: &P, tables: &T, end: End, trail: Trail, number: u64) {
    let Some(sampling) = tables.sampling() else { return };
    let counter = end.counter();
    let Some(&every) = sampling.every.get(counter).filter(|&&every| every != 0) else { return };

    let is_wanted = sampling.service == NO_SERVICE || sampling.service == trail.service;
    if !is_wanted || !number.wrapping_sub(1).is_multiple_of(u64::from(every)) {
        return;
    }
    let answered_by = if end.is_answered() { tables.ingress() } else { 0 };
    let egress = end.egress().unwrap_or(answered_by);
    let told = tables.take_event(counter, sampling.most)
        && tables.tell(|event| {
            event.number = number;
            event.counter = counter as u32;
            event.every = every;
            event.ingress = tables.ingress();
            event.egress = egress;
            event.service = trail.service;
            event.backend = u32::from(trail.backend.0);
            event.length = packet.length() as u32;
            event.captured = capture(packet, event);
        });
    if !told {
        tables.count_lost(counter);
    }
}

/// Whether packets that end so are told of.
#[inline(always)]
pub fn is_told<T: Tables>(tables: &T, end: End) -> bool {
    let every = tables.sampling().and_then(|sampling| sampling.every.get(end.counter()));
    every.is_some_and(|&every| every != 0)
}

/// Copies the first octets, and returns how many.
#[inline(always)]
fn capture(packet: &impl Packet, event: &mut Event) -> u32 {
    let mut captured = 0;
    for chunk in event.octets.as_chunks_mut::<CHUNK>().0 {
        let Some(octets) = packet.octets(captured) else { break };
        *chunk = *octets;
        captured += CHUNK;
    }
    // The last of a short frame.
    for _ in 1..CHUNK {
        let (Some(&[octet]), Some(place)) = (packet.octets(captured), event.octets.get_mut(captured)) else {
            break;
        };
        *place = octet;
        captured += 1;
    }
    captured as u32
}
