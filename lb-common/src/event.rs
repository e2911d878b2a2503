//! What the datapath tells of single packets, and which it tells of.

use core::mem::offset_of;

use crate::verdict::NODE_COUNTERS;

/// First octets of a frame that an event holds: room for a tag, an outer and an inner IPv6 header, UDP and TCP.
pub const CAPTURED: usize = 128;

/// The number of no service.
pub const NO_SERVICE: u32 = u32::MAX;

/// One packet, and what became of it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in nanoseconds since the node started (`CLOCK_MONOTONIC`).
    pub time: u64,
    /// How many packets of this verdict the CPU has had, with this one.
    pub number: u64,
    /// Place of the verdict in [`NodeCounters`](crate::verdict::NodeCounters).
    pub counter: u32,
    /// One in so many packets of this verdict is told of.
    pub every: u32,
    /// Index of the interface that the packet came in by.
    pub ingress: u32,
    /// Index of the interface that it leaves by; 0 if it leaves by none.
    pub egress: u32,
    /// Number of the service's counters, or [`NO_SERVICE`].
    pub service: u32,
    /// Number of the backend that the frame was rewritten for, or 0.
    pub backend: u32,
    /// Octets of the frame as it leaves.
    pub length: u32,
    /// How many of them are held.
    pub captured: u32,
    /// The first of them; what stands behind is of no meaning.
    pub octets: [u8; CAPTURED],
}

const _: () = assert!(
    size_of::<Event>() == 48 + CAPTURED && CAPTURED.is_multiple_of(8),
    "whole words, without padding"
);

impl Event {
    /// Nothing.
    pub const EMPTY: Event = Event {
        time: 0,
        number: 0,
        counter: 0,
        every: 0,
        ingress: 0,
        egress: 0,
        service: NO_SERVICE,
        backend: 0,
        length: 0,
        captured: 0,
        octets: [0; CAPTURED],
    };

    /// The event that these octets of memory are; `None` if there are fewer or more.
    #[must_use]
    pub fn from_memory(memory: &[u8]) -> Option<Event> {
        let memory: &[u8; size_of::<Event>()] = memory.try_into().ok()?;
        let word = |at: usize| u32::from_ne_bytes(core::array::from_fn(|i| memory[at + i]));
        let long = |at: usize| u64::from_ne_bytes(core::array::from_fn(|i| memory[at + i]));
        Some(Event {
            time: long(offset_of!(Event, time)),
            number: long(offset_of!(Event, number)),
            counter: word(offset_of!(Event, counter)),
            every: word(offset_of!(Event, every)),
            ingress: word(offset_of!(Event, ingress)),
            egress: word(offset_of!(Event, egress)),
            service: word(offset_of!(Event, service)),
            backend: word(offset_of!(Event, backend)),
            length: word(offset_of!(Event, length)),
            captured: word(offset_of!(Event, captured)),
            octets: core::array::from_fn(|i| memory[offset_of!(Event, octets) + i]),
        })
    }

    /// The octets that are held.
    #[must_use]
    pub fn held(&self) -> &[u8] {
        self.octets.get(..self.captured as usize).unwrap_or(&self.octets)
    }
}

/// Which packets are told of.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// One in so many, by the verdict's place in [`NodeCounters`](crate::verdict::NodeCounters); 0 for none.
    pub every: [u32; NODE_COUNTERS],
    /// How many of each verdict a CPU may tell of in a tick.
    pub most: u32,
    /// The only service whose packets are told of, or [`NO_SERVICE`] for all packets.
    pub service: u32,
}

impl Sampling {
    /// No packet is told of.
    pub const OFF: Sampling = Sampling { every: [0; NODE_COUNTERS], most: 0, service: NO_SERVICE };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_from_where_it_stands() {
        let memory: [u8; size_of::<Event>()] = core::array::from_fn(|i| i as u8);
        let event = Event::from_memory(&memory).unwrap();
        assert_eq!(event.time, u64::from_ne_bytes([0, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(event.captured, u32::from_ne_bytes([44, 45, 46, 47]));
        assert_eq!(event.octets, core::array::from_fn(|i| i as u8 + 48));
        assert_eq!(Event::from_memory(&memory[1..]), None);
    }

    #[test]
    fn no_more_is_held_than_there_is_room_for() {
        let event = Event { captured: 3, ..Event::EMPTY };
        assert_eq!(event.held(), [0; 3]);
        assert_eq!(Event { captured: 129, ..event }.held(), [0; CAPTURED]);
    }
}
