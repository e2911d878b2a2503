//! How a packet's walk through the balancer ends, and where that is counted.

use core::hint;

use crate::packet::Packet;

/// The end of a walk. Each packet has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[repr(u32)]
pub enum Verdict {
    /// Rewritten for a backend, and to be sent out of that interface.
    Forward {
        /// Index of the interface.
        egress: u32,
    },
    /// Replaced by an answer to its sender, to be sent out of the interface that it came in by.
    Answer(Answer),
    /// Untouched, and left to the kernel.
    Pass(PassReason),
    /// For a VIP, and discarded.
    Drop(DropReason),
}

// Verdicts and reasons are words: the verifier refuses misaligned accesses to the stack, which the compiler makes of
// smaller parts of an enum.

/// Defines a list of reasons once: the variants, how many there are, and their names in counters and output.
macro_rules! reasons {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
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
        /// Neither IPv4 nor IPv6, also behind VLAN tags.
        NotIp = "not_ip",
        /// The frame ends before the destination address.
        Truncated = "truncated",
        /// The frame is for a group of hosts: every balancer on the link would forward it.
        ForMany = "for_many",
        /// The destination isn't a VIP.
        NotAVip = "not_a_vip",
        /// No service of the VIP has this port and protocol.
        NoService = "no_service",
        /// For a VIP, but not TCP, UDP or ICMP.
        OtherProtocol = "other_protocol",
        /// ICMP for a VIP that isn't about a flow of a service, and no echo request that is to be answered.
        Icmp = "icmp",
    }
}

reasons! {
    /// Why a packet for a VIP is discarded.
    DropReason {
        /// The IP header's version or length isn't legal.
        BadHeader = "bad_header",
        /// The IP header announces more than the frame holds, or less than the headers need.
        BadLength = "bad_length",
        /// The packet may pass no further router, and its sender was told enough times.
        HopLimit = "hop_limit",
        /// More IPv6 extension headers than are looked behind.
        LongChain = "long_chain",
        /// An IPv6 routing header has another destination in it.
        RoutingHeader = "routing_header",
        /// A part of a packet whose first part wasn't seen.
        UnknownFragment = "unknown_fragment",
        /// The slot has no backend: none is configured or none can be reached.
        NoBackend = "no_backend",
        /// Too long for the way to the backend, and its sender was told enough times.
        ExceedsMtu = "exceeds_mtu",
        /// The driver left no room in front of the frame for an outer header.
        NoHeadroom = "no_headroom",
        /// The interface towards the backend has gone.
        NoInterface = "no_interface",
    }
}

reasons! {
    /// What a packet for a VIP is answered with, instead of being forwarded.
    Answer {
        /// Echo request: echo reply.
        EchoReply = "echo_reply",
        /// The packet may pass no further router.
        TimeExceeded = "time_exceeded",
        /// Too long for the way to the backend: "fragmentation needed" or "packet too big".
        TooBig = "too_big",
        /// It begins a flow, and none of the service's backends can serve: "port unreachable".
        Rejected = "rejected",
    }
}

reasons! {
    /// What happened to the pin of a flow.
    PinEvent {
        /// It was made.
        Made = "made",
        /// It took the place of a provisional one, of a flow that had sent one packet.
        Evicted = "evicted",
        /// There was no room for it.
        Refused = "refused",
        /// It led to a backend that doesn't take its flow any more, and leads to another one now.
        Moved = "moved",
    }
}

/// Counters of a node, one array a CPU: received, forwarded, then one for each [`Answer`], [`PassReason`] and
/// [`DropReason`].
pub type NodeCounters = [u64; NODE_COUNTERS];

/// How many counters a node has.
pub const NODE_COUNTERS: usize = FIRST_DROP + DropReason::ALL.len();

/// Place of the number of packets received.
pub const RECEIVED: usize = 0;
/// Place of the number of packets sent to backends.
pub const FORWARDED: usize = 1;
const FIRST_ANSWER: usize = 2;
const FIRST_PASS: usize = FIRST_ANSWER + Answer::ALL.len();
const FIRST_DROP: usize = FIRST_PASS + PassReason::ALL.len();

/// A verdict as two numbers.
///
/// All ways through the walk end in one. As numbers that could be any, the kernel's verifier takes it for the same end,
/// where it would go on once for each variant of a [`Verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct End {
    counter: usize,
    egress: u32,
}

impl End {
    /// The numbers of a verdict.
    #[inline(always)]
    pub const fn of(verdict: Verdict) -> Self {
        let egress = if let Verdict::Forward { egress } = verdict { egress } else { 0 };
        End { counter: verdict.counter(), egress }
    }

    /// The same, of which nothing is known; see [`Packet::forget`].
    #[inline(always)]
    pub fn forgotten(self, packet: &impl Packet) -> Self {
        let word = packet.forget(self.counter as u64 | u64::from(self.egress) << 32);
        // Once, where the compiler would compare one register and use another.
        let counter = hint::black_box((word & 0xff) as usize);
        End { counter, egress: (word >> 32) as u32 }
    }

    /// Where it is counted in [`NodeCounters`].
    #[inline(always)]
    #[must_use]
    pub const fn counter(self) -> usize {
        self.counter
    }

    /// The interface to send the packet out of, if it is forwarded.
    #[inline(always)]
    #[must_use]
    pub const fn egress(self) -> Option<u32> {
        if self.counter() == FORWARDED { Some(self.egress) } else { None }
    }

    /// Whether it is to be sent out of the interface that it came in by, as an answer.
    #[inline(always)]
    #[must_use]
    pub const fn is_answered(self) -> bool {
        self.counter() >= FIRST_ANSWER && self.counter() < FIRST_PASS
    }

    /// Whether it is the kernel's.
    #[inline(always)]
    #[must_use]
    pub const fn is_passed(self) -> bool {
        self.counter() >= FIRST_PASS && self.counter() < FIRST_DROP
    }

    /// The verdict, if the numbers are one's.
    #[must_use]
    pub fn verdict(self) -> Option<Verdict> {
        match self.egress() {
            Some(egress) => Some(Verdict::Forward { egress }),
            None => Verdict::of_counter(self.counter()),
        }
    }
}

impl Verdict {
    /// The place of this verdict in [`NodeCounters`].
    #[inline(always)]
    #[must_use]
    pub const fn counter(self) -> usize {
        match self {
            Verdict::Forward { .. } => FORWARDED,
            Verdict::Answer(answer) => FIRST_ANSWER + answer as usize,
            Verdict::Pass(reason) => FIRST_PASS + reason as usize,
            Verdict::Drop(reason) => FIRST_DROP + reason as usize,
        }
    }

    /// The verdict that is counted there; of a forwarded packet, no interface is known.
    #[must_use]
    pub fn of_counter(counter: usize) -> Option<Verdict> {
        let within = |first: usize| counter.wrapping_sub(first);
        let answer = || Answer::ALL.get(within(FIRST_ANSWER)).map(|&answer| Verdict::Answer(answer));
        let pass = || PassReason::ALL.get(within(FIRST_PASS)).map(|&reason| Verdict::Pass(reason));
        let drop = || DropReason::ALL.get(within(FIRST_DROP)).map(|&reason| Verdict::Drop(reason));
        let forward = (counter == FORWARDED).then_some(Verdict::Forward { egress: 0 });
        forward.or_else(answer).or_else(pass).or_else(drop)
    }

    /// The name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Forward { .. } => "forwarded",
            Verdict::Answer(_) => "answered",
            Verdict::Pass(_) => "passed",
            Verdict::Drop(_) => "dropped",
        }
    }

    /// The name of its reason, or of the answer.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Verdict::Forward { .. } => None,
            Verdict::Answer(answer) => Some(answer.name()),
            Verdict::Pass(reason) => Some(reason.name()),
            Verdict::Drop(reason) => Some(reason.name()),
        }
    }
}

/// What was forwarded, and what was not, for one service on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounters {
    /// What went to its backends.
    pub forwarded: Traffic,
    /// Packets that were answered with an error instead of being forwarded.
    pub answered: u64,
    /// Packets dropped, by [`DropReason`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// What happened to pins of its flows, by [`PinEvent`].
    pub pins: [u64; PinEvent::ALL.len()],
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
        seen[Verdict::Forward { egress: 1 }.counter()] += 1;
        Answer::ALL.iter().for_each(|&answer| seen[Verdict::Answer(answer).counter()] += 1);
        PassReason::ALL.iter().for_each(|&reason| seen[Verdict::Pass(reason).counter()] += 1);
        DropReason::ALL.iter().for_each(|&reason| seen[Verdict::Drop(reason).counter()] += 1);
        assert_eq!(seen, [1; NODE_COUNTERS]);
    }

    #[test]
    fn a_counter_tells_its_verdict() {
        assert_eq!(Verdict::of_counter(RECEIVED), None);
        for counter in FORWARDED..NODE_COUNTERS {
            assert_eq!(Verdict::of_counter(counter).map(Verdict::counter), Some(counter));
        }
        assert_eq!(Verdict::of_counter(NODE_COUNTERS), None);
        assert_eq!(Verdict::of_counter(usize::MAX), None);
    }
}
