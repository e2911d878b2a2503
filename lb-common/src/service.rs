//! What the service map holds.

use crate::address::Address;
use crate::clock::Epoch;
use crate::flags::flags;
use crate::flow::{Flow, IpVersion, Protocol};
use crate::siphash::Keyed;

/// Services that the maps have room for, unless the configuration says otherwise.
pub const CAPACITY: usize = 1024;

/// Names a service: VIP, port and protocol.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceKey {
    /// See [`Vip::name`](crate::vip::Vip::name).
    vip: Address,
    /// Port, protocol and [`Scope`], from the lowest octet on: compared at once.
    rest: u32,
}

/// Which packets of a VIP a service takes.
#[derive(Clone, Copy)]
struct Scope(u8);

impl Scope {
    /// Those to its port.
    const PORT: Scope = Scope(0);
    /// Those to any port that has no service of its own.
    const ANY_PORT: Scope = Scope(1);
    /// Fragments, which name no port.
    const FRAGMENTS: Scope = Scope(2);
}

impl ServiceKey {
    #[inline(always)]
    const fn with(vip: Address, port: u16, protocol: Protocol, scope: Scope) -> Self {
        ServiceKey { vip, rest: port as u32 | (protocol.0 as u32) << 16 | (scope.0 as u32) << 24 }
    }

    /// The service of one port, which is in host byte order.
    #[inline(always)]
    #[must_use]
    pub const fn new(vip: Address, port: u16, protocol: Protocol) -> Self {
        ServiceKey::with(vip, port, protocol, Scope::PORT)
    }

    /// The service of all other ports.
    #[inline(always)]
    #[must_use]
    pub const fn any_port(vip: Address, protocol: Protocol) -> Self {
        ServiceKey::with(vip, 0, protocol, Scope::ANY_PORT)
    }

    /// The service of fragments whose port is unknown.
    #[inline(always)]
    #[must_use]
    pub const fn fragments(vip: Address, protocol: Protocol) -> Self {
        ServiceKey::with(vip, 0, protocol, Scope::FRAGMENTS)
    }

    /// What it adds to the hashes of its flows, if it is of one address and port.
    #[must_use]
    pub fn hash(&self, flags: ServiceFlags, keyed: Keyed) -> u64 {
        let flow = Flow {
            version: if self.vip.is_mapped() { IpVersion::V4 } else { IpVersion::V6 },
            source: Address::default(),
            destination: self.vip,
            source_port: 0,
            destination_port: self.rest as u16,
            protocol: Protocol((self.rest >> 16) as u8),
        };
        flow.reduced(flags).destination_hash(keyed)
    }

    /// The name as three words, of which the last has 32 bits.
    #[inline(always)]
    #[must_use]
    pub const fn words(&self) -> [u64; 3] {
        let [high, low] = self.vip.words();
        [high, low, self.rest as u64]
    }

    /// The name that these words are.
    #[inline(always)]
    #[must_use]
    pub const fn from_words([high, low, rest]: [u64; 3]) -> Self {
        ServiceKey { vip: Address::from_words([high, low]), rest: rest as u32 }
    }
}

/// A service as the datapath sees it.
///
/// Table number and size stand in one word of the entry, so that both change in one store: a table of another size needs
/// another number.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Number of its counters.
    pub index: u32,
    /// What it does with flows.
    pub flags: ServiceFlags,
    /// Number of its lookup table.
    pub table: u32,
    /// Slots of that table.
    pub slots: u32,
    /// Entries behind the slots: backends in the order of their turns, for schedulers that go by turns.
    pub turns: u32,
}

impl Service {
    /// Entries of its lookup table: slots, and turns behind them.
    #[inline(always)]
    #[must_use]
    pub const fn entries(&self) -> u32 {
        self.slots.wrapping_add(self.turns)
    }
}

flags! {
    /// What a service does with flows.
    ///
    /// Bits 4 to 7 are its [`Scheduler`], bits 8 to 11 the length of its QUIC server IDs, 0 for none, bits 16 to 29 the
    /// epochs for which its flows may pause.
    ServiceFlags {
        /// Every flow of a client goes to the same backend, whatever its ports.
        BY_SOURCE = 1,
        /// Every flow between two addresses goes to the same backend, fragments included.
        BY_ADDRESSES = 2,
        /// Nobody can serve: who begins a flow that has no backend is told so.
        REJECTS = 4,
        /// What its flows show of its backends is counted.
        WATCHED = 8,
        /// Its lookup table is of the usual size: the directory says so, nobody else has to.
        USUAL_TABLE = 0x1000,
    }
}

/// Scheduler, QUIC, and an answer where there is no backend.
const ASKS_MORE: u32 = 0xff << 4 | ServiceFlags::REJECTS.0;

const JOINS: u32 = ServiceFlags::BY_SOURCE.0 | ServiceFlags::BY_ADDRESSES.0;

const IDLE: u32 = (1 << Epoch::BITS) - 1;

/// How a new flow's backend is chosen. An integer, because what the map holds may have been written by anyone.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scheduler(pub u8);

impl Scheduler {
    /// By the flow's hash: as a function of the flow it needs no memory.
    pub const HASH: Scheduler = Scheduler(0);
    /// The table's slots in turn.
    pub const ROUND_ROBIN: Scheduler = Scheduler(1);
    /// A slot at random.
    pub const RANDOM: Scheduler = Scheduler(2);
    /// The one with fewer flows for its weight, of two slots at random.
    pub const TWO_CHOICES: Scheduler = Scheduler(3);
    /// The one with the fewest flows for its weight, of all slots.
    pub const LEAST_CONNECTIONS: Scheduler = Scheduler(4);
}

impl ServiceFlags {
    /// With server IDs of `length` octets, 1 to 8, in QUIC's connection IDs.
    #[must_use]
    pub const fn with_quic(self, length: u8) -> Self {
        ServiceFlags(self.0 & !(0xf << 8) | (length as u32) << 8)
    }

    /// With flows that may pause for so many epochs, at most [`Epoch::LONGEST`].
    #[must_use]
    pub const fn with_idle(self, epochs: u32) -> Self {
        ServiceFlags(self.0 & !(IDLE << 16) | (epochs & IDLE) << 16)
    }

    /// Epochs for which its flows may pause.
    #[inline(always)]
    #[must_use]
    pub const fn idle(self) -> u32 {
        self.0 >> 16 & IDLE
    }

    /// With that scheduler.
    #[must_use]
    pub const fn with_scheduler(self, scheduler: Scheduler) -> Self {
        ServiceFlags(self.0 & !(0xf << 4) | (scheduler.0 as u32) << 4)
    }

    /// Whether a stable slot alone says where a flow goes, and nobody asks for more.
    #[inline(always)]
    #[must_use]
    pub const fn follows_slot(self) -> bool {
        self.0 & (0xf << 4 | ServiceFlags::REJECTS.0 | ServiceFlags::WATCHED.0) == 0
    }

    /// Whether each flow has a hash of its own, and there is no more to a packet than its slot, if that is stable.
    #[inline(always)]
    #[must_use]
    pub const fn is_plain(self) -> bool {
        self.0 & (ASKS_MORE | JOINS | ServiceFlags::WATCHED.0) == 0
    }

    /// Whether there is more to a packet than its slot.
    #[inline(always)]
    #[must_use]
    pub const fn asks_more(self) -> bool {
        self.0 & ASKS_MORE != 0
    }

    /// Its scheduler.
    #[inline(always)]
    #[must_use]
    pub const fn scheduler(self) -> Scheduler {
        Scheduler((self.0 >> 4) as u8 & 0xf)
    }

    /// Whether several connections, or all of a client's, count as one flow.
    #[inline(always)]
    #[must_use]
    pub const fn joins_connections(self) -> bool {
        self.0 & JOINS != 0
    }

    /// Octets of the server IDs; 0 if the service isn't QUIC's.
    #[inline(always)]
    #[must_use]
    pub const fn quic(self) -> u32 {
        self.0 >> 8 & 0xf
    }
}

/// Names a backend by the ID that it puts into QUIC's connection IDs.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuicKey {
    service: u32,
    configuration: u32,
    server_id: u64,
}

impl QuicKey {
    /// The server of that ID in a service.
    #[inline(always)]
    #[must_use]
    pub const fn new(service: u32, id: crate::wire::quic::ServerId) -> Self {
        QuicKey { service, configuration: id.configuration as u32, server_id: id.octets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_does_stands_side_by_side() {
        let flags = ServiceFlags::BY_SOURCE.with_quic(8).with_idle(Epoch::LONGEST);
        let flags = flags.with_scheduler(Scheduler::LEAST_CONNECTIONS);
        assert_eq!(
            (flags.quic(), flags.idle(), flags.scheduler()),
            (8, Epoch::LONGEST, Scheduler::LEAST_CONNECTIONS)
        );
        assert!(flags.has(ServiceFlags::BY_SOURCE) && !flags.has(ServiceFlags::BY_ADDRESSES));
        let changed = flags.with_quic(0).with_idle(1).with_scheduler(Scheduler::HASH);
        assert_eq!(changed, ServiceFlags::BY_SOURCE.with_idle(1));
    }
}
