//! What a benchmark's generator in the kernel sends: one frame, of which each packet has a flow's addresses, ports and
//! checksums.

/// Octets of a frame that are written anew for each packet.
pub const RESTORED: usize = 64;

/// Flows that there is room for.
pub const MOST_FLOWS: usize = 1 << 20;

/// Counters of what arrives: by the last octet of the MAC address, up to 15; 16 further on if it is for a VIP still.
pub const ARRIVALS: usize = 32;

/// First octet of every VIP's address.
pub const VIP_NETWORK: u8 = 198;

/// The frame, and how far it is.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// How the frame begins: Ethernet, then IPv4 without options.
    pub octets: [u8; RESTORED],
    /// When the first packet of those that count was sent, in nanoseconds.
    pub began: u64,
    /// When the last one was.
    pub ended: u64,
    /// Index of the interface that it is sent by.
    pub egress: u32,
    /// Where the checksum of TCP or UDP stands.
    pub checksum_at: u32,
    /// Flows that take turns, at least 1.
    pub flows: u32,
    /// The flow that comes next.
    pub next: u32,
    /// Packets before those that count.
    pub first: u32,
    /// Packets before the end.
    pub last: u32,
    /// Packets that were sent.
    pub sent: u32,
    /// For the alignment.
    pub unused: u32,
}

/// A flow: words as they stand in the frame.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shot {
    /// The client's address.
    pub client: u32,
    /// Source and destination port.
    pub ports: u32,
    /// Of the IPv4 header.
    pub network_checksum: u16,
    /// Of TCP or UDP.
    pub transport_checksum: u16,
    /// For the alignment.
    pub unused: u32,
}

const _: () = assert!(size_of::<Course>() == 112 && size_of::<Shot>() == 16);
