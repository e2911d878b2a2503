//! How a packet's walk through the balancer ends, and where that is counted.

/// The end of a walk. Each packet has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Rewritten, and to be sent out of that interface.
    Transmit {
        /// Index of the interface.
        egress: u32,
    },
    /// Untouched, and left to the kernel.
    Pass(PassReason),
    /// Of a service, and discarded.
    Drop(DropReason),
}

/// Defines a list of reasons once: the variants, how many there are, and their names in counters and output.
macro_rules! reasons {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every reason, in the order of its counters.
            pub const ALL: [$name; [$($text),*].len()] = [$($name::$variant),*];

            /// The name in counters and output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    /// Why a packet is left to the kernel.
    PassReason {
        /// Neither IPv4 nor IPv6: ARP, VLAN tags and others.
        NotIp = "not_ip",
        /// The frame ends within the headers.
        Truncated = "truncated",
        /// An IPv4 header that isn't of version 4 and five words: options.
        Ipv4Options = "ipv4_options",
        /// A part of an IPv4 packet.
        Fragment = "fragment",
        /// Neither TCP nor UDP: ICMP, IPv6 extension headers and others.
        OtherProtocol = "other_protocol",
        /// No service has this address, port and protocol.
        NoService = "no_service",
    }
}

reasons! {
    /// Why a packet of a service is discarded.
    DropReason {
        /// The IP header announces more than the frame holds, or less than the headers need.
        BadLength = "bad_length",
        /// The slot has no backend: none is configured or none can be reached.
        NoBackend = "no_backend",
        /// With its outer header the packet would be longer than the egress interface takes.
        ExceedsMtu = "exceeds_mtu",
        /// The driver left no room in front of the frame for an outer header.
        NoHeadroom = "no_headroom",
    }
}

/// Counters of a node, one array a CPU: received, transmitted, then one for each [`PassReason`] and [`DropReason`].
pub type NodeCounters = [u64; NODE_COUNTERS];

/// How many counters a node has.
pub const NODE_COUNTERS: usize = FIRST_DROP + DropReason::ALL.len();

/// Place of the number of packets received.
pub const RECEIVED: usize = 0;
/// Place of the number of packets transmitted.
pub const TRANSMITTED: usize = 1;
const FIRST_PASS: usize = 2;
const FIRST_DROP: usize = FIRST_PASS + PassReason::ALL.len();

impl Verdict {
    /// The place of this verdict in [`NodeCounters`].
    #[inline(always)]
    #[must_use]
    pub const fn counter(self) -> usize {
        match self {
            Verdict::Transmit { .. } => TRANSMITTED,
            Verdict::Pass(reason) => FIRST_PASS + reason as usize,
            Verdict::Drop(reason) => FIRST_DROP + reason as usize,
        }
    }
}

/// What was forwarded, and what was not, for one service on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounters {
    /// What went to its backends.
    pub forwarded: Traffic,
    /// Packets dropped, by [`DropReason`].
    pub dropped: [u64; DropReason::ALL.len()],
}

/// Packets and octets of one direction.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// IP packets as they came in.
    pub packets: u64,
    /// Their octets by their own headers: without Ethernet, without outer headers.
    pub octets: u64,
}

impl Traffic {
    /// Counts one packet.
    #[inline(always)]
    pub fn add(&mut self, octets: u16) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u64::from(octets));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_a_counter_of_its_own() {
        let mut seen = [0; NODE_COUNTERS];
        seen[RECEIVED] += 1;
        seen[Verdict::Transmit { egress: 1 }.counter()] += 1;
        PassReason::ALL.iter().for_each(|&reason| seen[Verdict::Pass(reason).counter()] += 1);
        DropReason::ALL.iter().for_each(|&reason| seen[Verdict::Drop(reason).counter()] += 1);
        assert_eq!(seen, [1; NODE_COUNTERS]);
    }
}
