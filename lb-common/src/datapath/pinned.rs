//! Flows whose slot alone doesn't say where they go: it is changing, or the service doesn't choose by hash.
//!
//! What may happen here, and why no live flow loses its backend by it, is argued in `docs/consistency.md`.

use super::datagram::Datagram;
use super::{Owner, Tables, schedule};
use crate::clock::Epoch;
use crate::flow::Protocol;
use crate::packet::Packet;
use crate::pin::{Bucket, EVICTING, PLACES, Pin, PinKey, change};
use crate::service::{Scheduler, Service, ServiceFlags};
use crate::slot::{BackendIndex, Slot};
use crate::standing::Takes;
use crate::verdict::PinEvent;
use crate::wire::{ports, quic, tcp};

/// What a packet says about its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// The flow begins.
    First,
    /// It began, unless it is one of datagrams: those may begin at any time.
    Middle,
    /// It is about to end.
    Last,
    /// The packet is about the flow, not of it.
    Related,
    /// It is one of many datagrams or connections that count as one flow: of the others nothing is known.
    Datagram,
}

impl Phase {
    /// The phase of that number.
    #[inline(always)]
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        match number {
            0 => Phase::First,
            1 => Phase::Middle,
            2 => Phase::Last,
            3 => Phase::Related,
            _ => Phase::Datagram,
        }
    }
}

/// What this packet says about its flow.
#[inline(always)]
pub(super) fn phase<P: Packet>(packet: &P, datagram: &Datagram, owner: &Owner) -> Phase {
    let flags = owner.service.flags;
    if owner.is_related {
        return Phase::Related;
    }
    if flags.joins_connections() {
        return Phase::Datagram;
    }
    if datagram.protocol == Protocol::TCP {
        return match tcp::flags(packet, datagram.offset) {
            Some(flags) if flags.begins() => Phase::First,
            Some(flags) if flags.ends() => Phase::Last,
            _ => Phase::Middle,
        };
    }
    let payload = datagram.offset + usize::from(ports::UDP_LENGTH);
    if flags.quic() == 0 {
        Phase::Datagram
    } else if quic::begins(packet, payload) {
        Phase::First
    } else {
        Phase::Middle
    }
}

/// What the answer depends on.
pub struct Question {
    /// The service.
    pub service: Service,
    /// The slot of its table that the flow falls into.
    pub slot: Slot,
    /// The flow's hash.
    pub flow_hash: u64,
    /// What the packet says about its flow.
    pub phase: Phase,
}

/// A question in words, as a function of the kernel's programs may be asked it.
pub type QuestionWords = [u64; 5];

impl Question {
    /// The question in words.
    #[inline(always)]
    #[must_use]
    pub fn words(&self) -> QuestionWords {
        let Service { index, flags, table, slots, turns } = self.service;
        [
            u64::from(index) | u64::from(flags.0) << 32,
            u64::from(table) | u64::from(slots) << 32,
            u64::from(self.slot.0) | (self.phase as u64) << 32,
            self.flow_hash,
            u64::from(turns),
        ]
    }

    /// The question that these words are.
    #[inline(always)]
    #[must_use]
    pub fn from_words([first, second, third, flow_hash, turns]: QuestionWords) -> Self {
        Question {
            service: Service {
                index: first as u32,
                flags: ServiceFlags((first >> 32) as u32),
                table: second as u32,
                slots: (second >> 32) as u32,
                turns: turns as u32,
            },
            slot: Slot(third as u32),
            flow_hash,
            phase: Phase::from_number(third >> 32),
        }
    }
}

/// The backend of such a flow.
#[inline(always)]
pub fn backend<T: Tables>(tables: &T, question: &Question) -> BackendIndex {
    let Question { service, slot, flow_hash, phase } = question;
    let (slot, phase) = (*slot, *phase);
    let key = PinKey::new(*flow_hash, service.index);
    let begins = phase == Phase::First;
    let mut flow = Pinnable { tables, service, slot, key, phase, begins, now: tables.now().epoch() };
    match tables.pins(key.bucket()) {
        Some(bucket) => flow.known(bucket).unwrap_or_else(|| flow.unknown(bucket)),
        None => slot.current(),
    }
}

/// A packet and what its flow's pin depends on.
struct Pinnable<'a, T> {
    tables: &'a T,
    service: &'a Service,
    slot: Slot,
    key: PinKey,
    phase: Phase,
    /// Whether it has no backend that it could lose: it is new, or lost the one that it had.
    begins: bool,
    now: Epoch,
}

/// Where a flow goes that has no pin yet.
struct Choice {
    backend: BackendIndex,
    /// Where its packets go while there is no room for a pin.
    fallback: BackendIndex,
    /// Whether the pin has to be confirmed by a second packet.
    is_provisional: bool,
    may_evict: bool,
}

impl<T: Tables> Pinnable<'_, T> {
    /// Where the flow is pinned to, if it is. One whose backend doesn't take it any more begins anew.
    #[inline(always)]
    fn known(&mut self, bucket: &Bucket) -> Option<BackendIndex> {
        // Found in whichever place, it goes on alike; see `Packet::forget`.
        let number = self.tables.forget(bucket.find(self.key) as u64) as usize;
        if number >= PLACES {
            return None;
        }
        let place = bucket.place(number);
        let pin = Pin(place.load());
        if pin.has_expired(self.service.flags.idle(), self.now) {
            change(place, pin, Pin::NONE);
            return None;
        }
        let takes = self.takes(pin.backend());
        let is_another = self.begins && (pin.is_closing() || !takes.has(Takes::NEW));
        if takes.has(Takes::KNOWN) && !is_another {
            let touched = self.touched(pin);
            if touched != pin && change(place, pin, touched) && touched.is_closing() && !pin.is_closing() {
                self.count_flow(pin.backend(), -1);
            }
            return Some(pin.backend());
        }
        if self.phase == Phase::Related {
            return None;
        }
        change(place, pin, Pin::NONE);
        if !self.begins {
            self.tables.count_pin(self.service.index, PinEvent::Moved);
            self.begins = true;
        }
        None
    }

    /// Where the flow belongs that isn't pinned, and from now on is.
    #[inline(always)]
    fn unknown(&self, bucket: &Bucket) -> BackendIndex {
        let Some(choice) = self.choice() else { return self.slot.current() };
        if self.phase == Phase::Related || choice.backend == BackendIndex::NONE {
            return choice.backend;
        }
        let mut pin = Pin::new(self.key, choice.backend, self.now);
        if choice.is_provisional {
            pin = pin.provisional();
        }
        if self.phase == Phase::Last {
            pin = pin.closing();
        }
        let service = self.service.index;
        let number = bucket.room(choice.is_provisional, choice.may_evict, self.now) as u64;
        let number = self.tables.forget(number) as usize;
        let place = bucket.place(number);
        // Another packet may have taken the place meanwhile: that is as if there were none.
        if number == PLACES || !change(place, Pin(place.load()), pin) {
            self.tables.count_pin(service, PinEvent::Refused);
            return choice.fallback;
        }
        self.tables.count_pin(service, PinEvent::Made);
        if number >= EVICTING {
            self.tables.count_pin(service, PinEvent::Evicted);
        }
        if !pin.is_closing() {
            self.count_flow(choice.backend, 1);
        }
        choice.backend
    }

    /// Where the flow belongs, and whether to remember it; `None` if it is the current backend's without a pin.
    #[inline(always)]
    fn choice(&self) -> Option<Choice> {
        if self.service.flags.scheduler() != Scheduler::HASH {
            return Some(self.scheduled());
        }
        let previous = self.slot.previous()?;
        let takes = self.takes(previous);
        let backend = if self.begins || !takes.has(Takes::KNOWN) { self.slot.current() } else { previous };
        // The next packet is sent to the previous backend if this one isn't remembered: so this one may be, too.
        let may_stay = self.begins && takes.has(Takes::NEW);
        let fallback = if may_stay { previous } else { backend };
        let is_provisional = self.phase == Phase::First;
        Some(Choice { backend, fallback, is_provisional, may_evict: !may_stay })
    }

    /// By the scheduler, if the flow may begin with this packet; else, and where there is no room, by the slot.
    #[inline(always)]
    fn scheduled(&self) -> Choice {
        let fallback = self.slot.current();
        let begins = self.begins || self.phase == Phase::Datagram;
        let backend = if begins { schedule::next(self.tables, self.service) } else { None };
        let backend = backend.unwrap_or(fallback);
        let is_provisional = matches!(self.phase, Phase::First | Phase::Datagram);
        Choice { backend, fallback, is_provisional, may_evict: false }
    }

    #[inline(always)]
    fn takes(&self, backend: BackendIndex) -> Takes {
        self.tables.standing(backend).map_or(Takes::NONE, |standing| standing.takes(self.service.index))
    }

    #[inline(always)]
    fn touched(&self, pin: Pin) -> Pin {
        match self.phase {
            Phase::First => pin.seen(self.now),
            Phase::Middle | Phase::Datagram => pin.confirmed().seen(self.now),
            Phase::Last => pin.confirmed().closing().seen(self.now),
            Phase::Related => pin,
        }
    }

    /// Counts a flow that began or ended, for the schedulers that ask how many a backend has.
    #[inline(always)]
    fn count_flow(&self, backend: BackendIndex, change: i32) {
        if self.service.flags.scheduler() != Scheduler::HASH
            && let Some(standing) = self.tables.standing(backend)
        {
            standing.count_flow(change);
        }
    }
}
