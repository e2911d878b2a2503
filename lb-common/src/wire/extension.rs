//! IPv6 extension headers (RFC 8200, section 4).

use super::ipv6;
use crate::flow::Protocol;
use crate::packet::Packet;

/// Headers that are looked behind. RFC 8504 lets hosts limit a chain; legal use has at most one of each kind.
const MOST_HEADERS: usize = 6;

const HOP_BY_HOP: Protocol = Protocol(0);
const ROUTING: Protocol = Protocol(43);
const FRAGMENT: Protocol = Protocol(44);
const DESTINATION_OPTIONS: Protocol = Protocol(60);

/// What a chain of headers leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// What stands behind the chain.
    pub protocol: Protocol,
    /// Octets of the frame before it.
    pub offset: usize,
    /// Which part of a packet it is.
    pub fragment: Fragment,
}

/// Which part of a packet this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Not 0 unless it is all of the packet. No `Option` around the others: of one that is copied about, the compiler
    /// also copies what isn't there, which the verifier refuses.
    part: u32,
    /// Octets of the fragmentable part before this.
    pub offset: u32,
    /// What the parts have in common.
    pub identification: u32,
}

impl Fragment {
    /// All of a packet.
    pub const WHOLE: Fragment = Fragment { part: 0, offset: 0, identification: 0 };

    /// A part of a packet, with `offset` octets before it.
    #[inline(always)]
    #[must_use]
    pub const fn part(offset: u16, identification: u32) -> Self {
        Fragment { part: 1, offset: offset as u32, identification }
    }

    /// Whether there are other parts.
    #[inline(always)]
    #[must_use]
    pub const fn is_part(&self) -> bool {
        self.part != 0
    }

    /// Whether it is a part that doesn't begin with the transport header.
    #[inline(always)]
    #[must_use]
    pub const fn is_later(&self) -> bool {
        self.offset != 0
    }
}

/// Why a chain leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The frame ends within a header.
    Truncated,
    /// More headers than are looked behind.
    TooLong,
    /// A routing header that has another destination in it: this isn't the last one.
    Routed,
}

/// Follows the chain of a packet whose IPv6 header stands at `offset` and names `first` as the next header.
///
/// # Errors
/// Why it leads nowhere.
#[inline(always)]
pub fn follow(packet: &impl Packet, offset: usize, first: Protocol) -> Result<Chain, Broken> {
    let chain = Chain { protocol: first, offset: offset + ipv6::LENGTH, fragment: Fragment::WHOLE };
    if is_extension(first) {
        follow_headers(packet, chain).map(|chain| chain.forgotten(packet))
    } else {
        Ok(chain)
    }
}

/// Whether that is the number of an extension header, behind which another one follows.
#[inline(always)]
#[must_use]
pub fn is_extension(protocol: Protocol) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS)
}

#[inline(always)]
fn follow_headers(packet: &impl Packet, mut chain: Chain) -> Result<Chain, Broken> {
    for _ in 0..MOST_HEADERS {
        if !is_extension(chain.protocol) {
            return Ok(chain);
        }
        let header: &[u8; 8] = packet.octets(chain.offset).ok_or(Broken::Truncated)?;
        let mut length = usize::from(header[1]) * 8 + 8;
        match chain.protocol {
            ROUTING if header[3] != 0 => return Err(Broken::Routed),
            FRAGMENT => {
                let offset = u16::from_be_bytes([header[2], header[3]]) & 0xfff8;
                let identification = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                let whole = offset == 0 && header[3] & 1 == 0;
                chain.fragment = if whole { Fragment::WHOLE } else { Fragment::part(offset, identification) };
                length = 8;
            }
            _ => {}
        }
        chain.protocol = Protocol(header[0]);
        chain.offset += length;
        // Behind a later fragment's header stands the middle of something.
        if chain.fragment.is_later() {
            return Ok(chain);
        }
    }
    if is_extension(chain.protocol) { Err(Broken::TooLong) } else { Ok(chain) }
}

/// Octets that all headers of a chain may have: what the longest ones could add up to.
const LONGEST: u64 = 0x3fff;

impl Chain {
    /// The same, of which nothing is known; see [`Packet::forget`].
    #[inline(always)]
    fn forgotten(self, packet: &impl Packet) -> Self {
        let fragment = self.fragment;
        let offsets = self.offset as u64 & LONGEST | u64::from(fragment.offset & 0xffff) << 16;
        let part = u64::from(fragment.part & 1);
        let word = packet.forget(offsets | u64::from(self.protocol.0) << 32 | part << 40);
        Chain {
            protocol: Protocol((word >> 32) as u8),
            offset: (word & LONGEST) as usize,
            fragment: Fragment {
                part: (word >> 40) as u32 & 1,
                offset: (word >> 16) as u32 & 0xffff,
                identification: fragment.identification,
            },
        }
    }
}
