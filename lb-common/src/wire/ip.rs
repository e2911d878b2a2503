//! What the fixed headers of both versions say.

use crate::address::Address;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Octets;
use crate::wire::ethernet::EtherType;

/// The fixed part of a header.
pub trait Header {
    /// The same, of another packet.
    type Of<'packet>: Header + Copy;

    /// Its version.
    const VERSION: IpVersion;

    /// What a frame says that carries one.
    const ETHERTYPE: EtherType;

    /// Its octets.
    const LENGTH: usize;

    /// The header at `offset`; `None` if the frame ends before.
    fn at(packet: &impl Octets, offset: usize) -> Option<Self::Of<'_>>;

    /// Whether it is the header of a whole packet, and all of it: legal, without options.
    fn is_plain(&self) -> bool;

    /// Source address.
    fn source(&self) -> Address;

    /// Destination address.
    fn destination(&self) -> Address;

    /// DSCP and ECN.
    fn traffic_class(&self) -> u8;

    /// Routers that the packet may still pass.
    fn hop_limit(&self) -> u8;

    /// Octets of the packet, header included.
    fn length(&self) -> u16;

    /// What follows: in IPv6 the payload or an extension header.
    fn next(&self) -> Protocol;
}
