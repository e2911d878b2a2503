//! Ethernet II (IEEE 802.3, clause 3) with VLAN tags (IEEE 802.1Q).

use crate::packet::{Octets, Packet};

/// Octets of a header without tags.
pub const LENGTH: usize = 14;
/// Octets of the shortest frame that network cards send, without its checksum: what is shorter is padded.
pub const SHORTEST_FRAME: usize = 60;
/// Octets of one tag.
pub const TAG_LENGTH: usize = 4;
/// Octets of both MAC addresses.
pub const ADDRESSES_LENGTH: usize = 12;

/// Tags that are looked behind: a service tag and a customer tag (IEEE 802.1ad).
const MOST_TAGS: usize = 2;

/// As many bits as the length of a header with tags has.
const LONGEST: usize = 0x1f;

/// Destination and source MAC address, as they stand in the frame.
pub type Addresses = [u8; ADDRESSES_LENGTH];

/// What a frame carries (IANA "IEEE 802 Numbers").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl EtherType {
    /// Internet protocol version 4.
    pub const IPV4: EtherType = EtherType(0x0800);
    /// A customer's tag (IEEE 802.1Q).
    pub const VLAN: EtherType = EtherType(0x8100);
    /// Internet protocol version 6.
    pub const IPV6: EtherType = EtherType(0x86dd);
    /// A service provider's tag (IEEE 802.1ad).
    pub const SERVICE_VLAN: EtherType = EtherType(0x88a8);

    /// The type that these two octets say.
    #[inline(always)]
    #[must_use]
    pub const fn from_octets(octets: [u8; 2]) -> Self {
        EtherType(u16::from_be_bytes(octets))
    }
}

/// What stands behind the MAC addresses and tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Its type.
    pub ethertype: EtherType,
    /// Octets before it.
    pub offset: usize,
    /// Whether the frame is for a group of hosts: broadcast or multicast.
    pub is_for_many: bool,
}

/// What follows the header without tags: the payload, or a tag. `None` if the frame ends before.
#[inline(always)]
pub fn next(packet: &impl Octets) -> Option<Payload> {
    let header: &[u8; LENGTH] = packet.octets(0)?;
    Some(Payload {
        ethertype: EtherType::from_octets([header[12], header[13]]),
        offset: LENGTH,
        is_for_many: header[0] & 1 == 1,
    })
}

/// The payload of a frame, behind at most two tags; `None` if the frame ends before.
#[inline(always)]
pub fn payload(packet: &impl Packet) -> Option<Payload> {
    let mut payload = next(packet)?;
    if !payload.is_tag() {
        return Some(payload);
    }
    for _ in 0..MOST_TAGS {
        if !payload.is_tag() {
            break;
        }
        let tag: &[u8; TAG_LENGTH] = packet.octets(payload.offset)?;
        payload.ethertype = EtherType::from_octets([tag[2], tag[3]]);
        payload.offset += TAG_LENGTH;
    }
    payload.offset = packet.forget(payload.offset as u64) as usize & LONGEST;
    Some(payload)
}

impl Payload {
    #[inline(always)]
    fn is_tag(&self) -> bool {
        matches!(self.ethertype, EtherType::VLAN | EtherType::SERVICE_VLAN)
    }
}

/// Where the type of a payload stands that `offset` octets of the frame are before.
#[inline(always)]
#[must_use]
pub const fn type_before(offset: usize) -> usize {
    // The mask tells the verifier that it isn't before the frame.
    offset.wrapping_sub(2) & LONGEST
}

/// Both MAC addresses; `None` if the frame is shorter.
#[inline(always)]
pub fn addresses(packet: &impl Packet) -> Option<Addresses> {
    packet.octets(0).copied()
}

/// A frame's tag: priority and VLAN, or none.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vlan(pub u16);

impl Vlan {
    /// No tag.
    pub const NONE: Vlan = Vlan(0);

    /// Octets that the tag takes.
    #[inline(always)]
    #[must_use]
    pub const fn length(self) -> usize {
        if self.0 == Vlan::NONE.0 { 0 } else { TAG_LENGTH }
    }
}

/// Writes a frame's header: addresses, the tag if there is one, and the type. `None` if the frame is shorter.
#[inline(always)]
#[must_use]
pub fn emit(packet: &mut impl Octets, addresses: &Addresses, vlan: Vlan, ethertype: EtherType) -> Option<()> {
    if vlan == Vlan::NONE {
        let header: &mut [u8; LENGTH] = packet.octets_mut(0)?;
        super::copy(header.first_chunk_mut()?, addresses);
        super::put::<ADDRESSES_LENGTH, 2, _>(header, ethertype.0.to_be_bytes());
    } else {
        let header: &mut [u8; LENGTH + TAG_LENGTH] = packet.octets_mut(0)?;
        super::copy(header.first_chunk_mut()?, addresses);
        super::put::<ADDRESSES_LENGTH, 2, _>(header, EtherType::VLAN.0.to_be_bytes());
        super::put::<{ ADDRESSES_LENGTH + 2 }, 2, _>(header, vlan.0.to_be_bytes());
        super::put::<{ ADDRESSES_LENGTH + 4 }, 2, _>(header, ethertype.0.to_be_bytes());
    }
    Some(())
}
