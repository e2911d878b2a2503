//! Flows and their hash.

use crate::address::Address;
use crate::service::ServiceFlags;
use crate::siphash::{HashKey, siphash13};

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

    /// What is hashed, in words: source address, destination address, source port, destination port, protocol, all in
    /// network order; 13 octets for IPv4, 37 for IPv6.
    #[inline(always)]
    #[must_use]
    pub fn message(&self) -> Message {
        let source_port = u64::from(self.source_port.swap_bytes());
        let destination_port = u64::from(self.destination_port.swap_bytes());
        let last = source_port | destination_port << 16 | u64::from(self.protocol.0) << 32;
        match self.version {
            IpVersion::V4 => {
                let addresses =
                    u64::from(self.source.v4_word()) | u64::from(self.destination.v4_word()) << 32;
                Message { words: [addresses, 0, 0, 0], last: last | LENGTH_V4 }
            }
            IpVersion::V6 => {
                let [source, source_low] = self.source.words();
                let [destination, destination_low] = self.destination.words();
                Message { words: [source, source_low, destination, destination_low], last: last | LENGTH_V6 }
            }
        }
    }

    /// The keyed hash that places the flow in its service's lookup table: SipHash-1-3 of its message.
    #[inline(always)]
    #[must_use]
    pub fn hash(&self, key: HashKey) -> u64 {
        self.message().hash(key)
    }
}

/// A flow as it is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The octets but for the last few; of IPv4, only the first word counts.
    pub words: [u64; 4],
    /// The last octets, and how many there are in all.
    pub last: u64,
}

const LENGTH_V4: u64 = 13 << 56;
const LENGTH_V6: u64 = 37 << 56;

impl Message {
    /// Its hash.
    #[inline(always)]
    #[must_use]
    pub fn hash(&self, key: HashKey) -> u64 {
        if self.last >> 56 == LENGTH_V4 >> 56 {
            siphash13(key, [self.words[0]], self.last)
        } else {
            siphash13(key, self.words, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use core::hash::Hasher;

    use siphasher::sip::SipHasher13;

    use super::*;

    const KEY: [u8; 16] = [7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 99];

    fn reference(parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&KEY);
        parts.iter().for_each(|part| hasher.write(part));
        hasher.finish()
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
        let tail = [0x12, 0x34, 0, 80, 6];
        assert_eq!(v4.hash(HashKey::new(KEY)), reference(&[&source, &destination, &tail]));

        let source = core::array::from_fn(|i| i as u8 + 0x20);
        let destination = core::array::from_fn(|i| i as u8 + 0x90);
        let v6 = Flow {
            version: IpVersion::V6,
            source: Address::v6(source),
            destination: Address::v6(destination),
            ..v4
        };
        assert_eq!(v6.hash(HashKey::new(KEY)), reference(&[&source, &destination, &tail]));
    }
}
