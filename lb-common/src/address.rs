//! IP addresses as the maps hold them.

use crate::flow::IpVersion;

/// An IPv6 address, or an IPv4 address in its mapped form `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2).
///
/// The sixteen octets in network order, held as two words so that copying, comparing and hashing take two
/// instructions each.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    words: [u64; 2],
}

/// The first four octets of the second word of a mapped IPv4 address.
const MAPPED: u32 = u32::from_le_bytes([0, 0, 0xff, 0xff]);

impl Address {
    /// An IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn v4(octets: [u8; 4]) -> Self {
        let low = MAPPED as u64 | (u32::from_le_bytes(octets) as u64) << 32;
        Address { words: [0, low] }
    }

    /// An IPv6 address.
    #[inline(always)]
    #[must_use]
    pub const fn v6(octets: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(octets);
        Address { words: [both as u64, (both >> 64) as u64] }
    }

    /// The address of these words; see [`Address::words`].
    #[must_use]
    pub const fn from_words(words: [u64; 2]) -> Self {
        Address { words }
    }

    /// The octets in network order, as two little-endian words.
    #[inline(always)]
    #[must_use]
    pub const fn words(self) -> [u64; 2] {
        self.words
    }

    /// The four octets of an IPv4 address as one little-endian word; meaningless for IPv6.
    #[inline(always)]
    #[must_use]
    pub const fn v4_word(self) -> u32 {
        (self.words[1] >> 32) as u32
    }

    /// The four octets of an IPv4 address; meaningless for IPv6.
    #[inline(always)]
    #[must_use]
    pub const fn v4_octets(self) -> [u8; 4] {
        self.v4_word().to_le_bytes()
    }

    /// Whether it is an IPv4 address in its mapped form: on the wire, no IPv6 packet has one (RFC 4291, 2.5.5.2).
    #[inline(always)]
    #[must_use]
    pub const fn is_mapped(self) -> bool {
        self.words[0] == 0 && self.words[1] as u32 == MAPPED
    }

    /// What one client has of addresses: one of IPv4, the first 64 bits of IPv6 (RFC 6177).
    #[inline(always)]
    #[must_use]
    pub const fn of_client(self) -> Self {
        if self.words[0] == 0 { self } else { Address { words: [self.words[0], 0] } }
    }

    /// Whether the first `bits` of the 128 are the other address's. An IPv4 prefix is 96 bits longer here.
    #[must_use]
    pub const fn shares_prefix(self, other: Address, bits: u32) -> bool {
        let differing = u128::from_be_bytes(self.octets()) ^ u128::from_be_bytes(other.octets());
        differing.leading_zeros() >= bits
    }

    /// Whether an error may be sent there: not to nobody, not to itself, and not to many at once (RFC 1122,
    /// section 3.2.2; RFC 4443, section 2.4).
    #[inline(always)]
    #[must_use]
    pub const fn is_a_host(self, version: IpVersion) -> bool {
        match version {
            IpVersion::V4 => {
                let [first, ..] = self.v4_octets();
                first != 0 && first != 127 && first < 224
            }
            IpVersion::V6 => {
                let first = self.words[0] as u8;
                // ::/96 holds nobody, the loopback address, and what was once IPv4.
                first != 0xff && (self.words[0] != 0 || self.words[1] as u32 != 0)
            }
        }
    }

    /// The sixteen octets in network order.
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        (self.words[0] as u128 | (self.words[1] as u128) << 64).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_ipv4_address_is_its_mapped_ipv6_address() {
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1];
        assert_eq!(Address::v4([192, 0, 2, 1]), Address::v6(mapped));
        assert_eq!(Address::v4([192, 0, 2, 1]).octets(), mapped);
        assert_eq!(Address::v4([192, 0, 2, 1]).v4_word(), u32::from_le_bytes([192, 0, 2, 1]));
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        let v6 = |fifth: u8, last: u8| {
            Address::v6([0x20, 1, 0xd, 0xb8, fifth, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, last])
        };
        assert_eq!(v6(1, 1).of_client(), v6(1, 2).of_client());
        assert_ne!(v6(1, 1).of_client(), v6(2, 1).of_client());
        assert_ne!(Address::v4([192, 0, 2, 1]).of_client(), Address::v4([192, 0, 2, 2]).of_client());
    }
}
