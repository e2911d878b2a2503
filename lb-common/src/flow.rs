//! Flows and their hash.

use crate::address::Address;
use crate::service::ServiceFlags;
use crate::siphash::Keyed;

/// A transport protocol's number in IP headers (IANA "Assigned Internet Protocol Numbers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Internet control message protocol.
    pub const ICMP: Protocol = Protocol(1);
    /// IPv4 encapsulated in IP (RFC 2003).
    pub const IPV4: Protocol = Protocol(4);
    /// Transmission control protocol.
    pub const TCP: Protocol = Protocol(6);
    /// User datagram protocol.
    pub const UDP: Protocol = Protocol(17);
    /// IPv6 encapsulated in IP (RFC 2473).
    pub const IPV6: Protocol = Protocol(41);
    /// Internet control message protocol of IPv6.
    pub const ICMPV6: Protocol = Protocol(58);
}

/// Which of the two internet protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

impl IpVersion {
    /// The number that says in an outer header that a packet of this version is inside.
    #[inline(always)]
    #[must_use]
    pub const fn as_payload(self) -> Protocol {
        match self {
            IpVersion::V4 => Protocol::IPV4,
            IpVersion::V6 => Protocol::IPV6,
        }
    }
}

/// One 5-tuple, as packets from the client carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// IP version of both addresses.
    pub version: IpVersion,
    /// The client's address.
    pub source: Address,
    /// The VIP.
    pub destination: Address,
    /// The client's port, host byte order.
    pub source_port: u16,
    /// The service's port, host byte order.
    pub destination_port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

impl Flow {
    /// The flow, less what its service doesn't tell flows apart by.
    #[inline(always)]
    #[must_use]
    pub fn reduced(mut self, flags: ServiceFlags) -> Self {
        if flags.has(ServiceFlags::BY_SOURCE) || flags.has(ServiceFlags::BY_ADDRESSES) {
            self.source_port = 0;
            self.destination_port = 0;
        }
        if flags.has(ServiceFlags::BY_SOURCE) {
            self.destination = Address::default();
            self.protocol = Protocol(0);
        }
        self
    }

    /// The keyed hash that places the flow in its service's lookup table: its client's, and its destination's added to it
    /// bit by bit.
    #[inline(always)]
    #[must_use]
    pub fn hash(&self, keyed: Keyed) -> u64 {
        of_client(keyed, self.version, self.source, self.source_port) ^ self.destination_hash(keyed)
    }

    /// What the destination's address, port and protocol add to the hash: SipHash-1-3 of the octets, in network order; 7 for
    /// IPv4, 19 for IPv6.
    ///
    /// A service of one address and port has it in its entry, so that only the client remains to be hashed for each packet.
    #[inline(always)]
    #[must_use]
    pub fn destination_hash(&self, keyed: Keyed) -> u64 {
        let rest = u64::from(self.destination_port.swap_bytes()) | u64::from(self.protocol.0) << 16;
        hash(keyed, self.version, self.destination, rest, 3)
    }
}

/// What a client's address and port add to the hashes of its flows: SipHash-1-3 of the octets, in network order; 6 for
/// IPv4, 18 for IPv6.
#[inline(always)]
#[must_use]
pub fn of_client(keyed: Keyed, version: IpVersion, address: Address, port: u16) -> u64 {
    hash(keyed, version, address, u64::from(port.swap_bytes()), 2)
}

/// The hash of an address and of the `length` octets of `rest`, at most three.
#[inline(always)]
fn hash(keyed: Keyed, version: IpVersion, address: Address, rest: u64, length: u64) -> u64 {
    match version {
        IpVersion::V4 => keyed.siphash13([], u64::from(address.v4_word()) | rest << 32 | (4 + length) << 56),
        IpVersion::V6 => keyed.siphash13(address.words(), rest | (16 + length) << 56),
    }
}

#[cfg(test)]
mod tests {
    use core::hash::Hasher;

    use siphasher::sip::SipHasher13;

    use super::*;
    use crate::siphash::HashKey;

    const KEY: [u8; 16] = [7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 99];

    fn of_octets(parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&KEY);
        parts.iter().for_each(|part| hasher.write(part));
        hasher.finish()
    }

    fn reference(source: &[u8], destination: &[u8]) -> u64 {
        of_octets(&[source, &[0x12, 0x34]]) ^ of_octets(&[destination, &[0, 80, 6]])
    }

    #[test]
    fn the_hash_is_that_of_the_octets_on_the_wire() {
        let (source, destination) = ([203, 0, 113, 7], [192, 0, 2, 1]);
        let v4 = Flow {
            version: IpVersion::V4,
            source: Address::v4(source),
            destination: Address::v4(destination),
            source_port: 0x1234,
            destination_port: 80,
            protocol: Protocol::TCP,
        };
        assert_eq!(v4.hash(Keyed::new(HashKey::new(KEY))), reference(&source, &destination));

        let source = core::array::from_fn(|i| i as u8 + 0x20);
        let destination = core::array::from_fn(|i| i as u8 + 0x90);
        let v6 = Flow {
            version: IpVersion::V6,
            source: Address::v6(source),
            destination: Address::v6(destination),
            ..v4
        };
        assert_eq!(v6.hash(Keyed::new(HashKey::new(KEY))), reference(&source, &destination));
    }
}
