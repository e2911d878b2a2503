//! What benchmarks play to a loaded program: one frame, of which each packet of a trace changes a few fields.

/// Octets of a frame that are written anew for each packet.
pub const RESTORED: usize = 64;

/// Packets that a trace has room for.
pub const LONGEST: usize = 1 << 20;

/// The frame, and where in it packets differ. Places are octets from its first one, up to 127.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// How the frame begins.
    pub octets: [u8; RESTORED],
    /// Octets of the frame; no fewer than [`RESTORED`].
    pub length: u32,
    /// Where the client's address stands, or the last 32 bits of it.
    pub client_at: u32,
    /// Where the VIP stands, or the last 32 bits of it.
    pub vip_at: u32,
    /// Where both ports stand.
    pub ports_at: u32,
    /// Where TCP's control bits stand.
    pub control_at: u32,
    /// Packets in the trace, at least 1.
    pub steps: u32,
}

/// One packet of a trace: words as they stand in the frame.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The client's address.
    pub client: u32,
    /// The VIP.
    pub vip: u32,
    /// Source and destination port.
    pub ports: u32,
    /// TCP's control bits, in the lowest octet, and perhaps [`NEW`].
    pub control: u32,
}

/// In a step's control bits: its client is another one in each series, so that the flow never came before.
pub const NEW: u32 = 1 << 31;

/// How far it is, for one series of packets.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Where the frame's first octet was when the series began; 0 before.
    pub home: u64,
    /// Where it is.
    pub start: u64,
    /// When the first packet of those that count began, in nanoseconds.
    pub began: u64,
    /// When the packet after the last of them began.
    pub ended: u64,
    /// The step that comes next.
    pub next: u32,
    /// What makes a client another one: the bits of the address that change.
    pub salt: u32,
    /// Packets before those that count.
    pub first: u32,
    /// Packets before the end.
    pub last: u32,
    /// Packets that were played; counted by an atomic addition.
    pub played: u32,
    /// For the alignment.
    pub unused: u32,
}

const _: () = assert!(size_of::<Stage>() == 88 && size_of::<Step>() == 16 && size_of::<Progress>() == 56);
