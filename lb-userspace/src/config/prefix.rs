//! Prefixes of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::value;

/// All addresses that begin alike; a single one if all of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    /// The first of them: the bits behind the prefix are zero.
    pub address: IpAddr,
    /// Bits that count: at most 32 for IPv4, 128 for IPv6.
    pub length: u8,
}

impl fmt::Display for Prefix {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        if self.is_one_address() {
            self.address.fmt(out)
        } else {
            write!(out, "{}/{}", self.address, self.length)
        }
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> String {
        prefix.to_string()
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(text: String) -> Result<Prefix, String> {
        value::vip(&text)
    }
}

impl Prefix {
    /// The prefix that is this address alone.
    #[must_use]
    pub const fn of_one(address: IpAddr) -> Self {
        Prefix { address, length: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The prefix of that length that the address is in.
    #[must_use]
    pub fn around(address: IpAddr, length: u8) -> Self {
        let prefix = Prefix { address, length };
        let address = match address {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & !prefix.free_bits_v4()).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !prefix.free_bits_v6()).into(),
        };
        Prefix { address, length }
    }

    /// The last of its addresses: the bits behind the prefix are ones.
    #[must_use]
    pub fn last(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() | self.free_bits_v4()).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() | self.free_bits_v6()).into(),
        }
    }

    /// Whether the address is one of its own.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.is_of(address) && Prefix::around(address, self.length) == *self
    }

    /// Whether it is a single address.
    #[must_use]
    pub fn is_one_address(&self) -> bool {
        self.free_bits() == 0
    }

    /// Whether it is of that address's IP version.
    #[must_use]
    pub fn is_of(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
    }

    /// Bits that don't count.
    #[must_use]
    pub fn free_bits(&self) -> u8 {
        Prefix::of_one(self.address).length - self.length
    }

    /// Bits that count of the 128 of an IPv6 or mapped IPv4 address.
    #[must_use]
    pub fn mapped_length(&self) -> u32 {
        u32::from(128 - self.free_bits())
    }

    fn free_bits_v4(&self) -> u32 {
        !u32::MAX.unbounded_shl(self.free_bits().into())
    }

    fn free_bits_v6(&self) -> u128 {
        !u128::MAX.unbounded_shl(self.free_bits().into())
    }
}
