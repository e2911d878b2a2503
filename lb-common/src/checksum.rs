//! The Internet checksum (RFC 1071).

use crate::address::Address;

/// A one's complement sum of 16-bit words in network order, not yet folded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u32);

impl Sum {
    /// The sum that a prepared header carries; see [`Sum::folded`].
    #[inline(always)]
    #[must_use]
    pub const fn start(prepared: u16) -> Self {
        Sum(prepared as u32)
    }

    /// Adds one word.
    #[inline(always)]
    #[must_use]
    pub const fn word(self, word: u16) -> Self {
        Sum(self.0 + word as u32)
    }

    /// Adds octets; the last of an odd number counts as the high half of a word.
    ///
    /// At most 64 KiB, or the sum overflows.
    #[must_use]
    pub fn octets(self, octets: &[u8]) -> Self {
        octets.chunks(2).fold(self, |sum, pair| match *pair {
            [high, low] => sum.word(u16::from_be_bytes([high, low])),
            [high] => sum.word(u16::from_be_bytes([high, 0])),
            _ => sum,
        })
    }

    /// Adds an IPv6 address, as part of a pseudo-header.
    #[inline(always)]
    #[must_use]
    pub const fn address(self, address: Address) -> Self {
        let [high, low] = address.words();
        let mut sum = self;
        let mut shift = 0;
        while shift < 64 {
            sum = sum.word(((high >> shift) as u16).swap_bytes()).word(((low >> shift) as u16).swap_bytes());
            shift += 16;
        }
        sum
    }

    /// A header's checksum after one of its words was replaced (RFC 1624, equation 3).
    #[inline(always)]
    #[must_use]
    pub const fn replaced(checksum: u16, former: u16, present: u16) -> u16 {
        Sum(0).word(!checksum).word(!former).word(present).checksum()
    }

    /// The sum in 16 bits, before it is complemented.
    #[inline(always)]
    #[must_use]
    pub const fn folded(self) -> u16 {
        let once = (self.0 & 0xffff) + (self.0 >> 16);
        (once + (once >> 16)) as u16
    }

    /// What goes into the header.
    #[inline(always)]
    #[must_use]
    pub const fn checksum(self) -> u16 {
        !self.folded()
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    /// RFC 1071, section 3.
    #[test]
    fn example_of_the_rfc() {
        let sum = Sum::default().octets(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.folded(), 0xddf2);
        assert_eq!(sum.checksum(), !0xddf2);
    }

    /// RFC 1624, section 4.
    #[test]
    fn a_replaced_word() {
        assert_eq!(Sum::replaced(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn an_odd_octet_is_padded_with_zero() {
        assert_eq!(Sum::default().octets(&[0x12]).folded(), 0x1200);
    }
}
