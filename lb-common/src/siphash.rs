//! SipHash-1-3 over messages of a few known words.
//!
//! A pseudo-random function with a 128-bit key (Aumasson and Bernstein, "`SipHash`: a fast short-input PRF", 2012,
//! with one compression and three finalization rounds): who doesn't know the key cannot tell which flows share a
//! slot. The same function as Rust's `siphasher::sip::SipHasher13` and the Linux kernel's `hsiphash` on 64-bit
//! machines.

use core::fmt;

/// The 128-bit key, the same on every node that shares a service.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct HashKey {
    words: [u64; 2],
}

impl HashKey {
    /// The key as the sixteen octets that configurations and the function's authors write.
    #[must_use]
    pub const fn new(octets: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(octets);
        HashKey { words: [both as u64, (both >> 64) as u64] }
    }

    /// Tells keys apart without telling them: the hash of nothing, which is no flow's.
    #[must_use]
    pub fn check(self) -> u64 {
        Keyed::new(self).siphash13([], 0)
    }
}

/// A secret, as its key.
impl fmt::Debug for Keyed {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("Keyed(secret)")
    }
}

/// A secret: it is in no log.
impl fmt::Debug for HashKey {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("HashKey(secret)")
    }
}

/// The function under one key, as far as it gets before it takes a word of the message.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Keyed {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl Keyed {
    /// The function under that key.
    #[inline(always)]
    #[must_use]
    pub const fn new(key: HashKey) -> Self {
        let [first, second] = key.words;
        let v1 = second ^ 0x646f_7261_6e64_6f6d;
        let v0 = (first ^ 0x736f_6d65_7073_6575).wrapping_add(v1);
        Keyed {
            v0: v0.rotate_left(32),
            v1: v1.rotate_left(13) ^ v0,
            v2: first ^ 0x6c79_6765_6e65_7261,
            v3: second ^ 0x7465_6462_7974_6573,
        }
    }

    /// The hash of a message of `words` followed by the last, incomplete word.
    ///
    /// `last` holds the 0 to 7 remaining octets, its top octet is the whole message's length modulo 256.
    #[inline(always)]
    #[must_use]
    pub fn siphash13<const N: usize>(mut self, words: [u64; N], last: u64) -> u64 {
        let first = words.first().copied().unwrap_or(last);
        self.v3 ^= first;
        self.rest_of_round();
        self.v0 ^= first;
        words.iter().skip(1).for_each(|&word| self.compress(word));
        if N > 0 {
            self.compress(last);
        }
        self.v2 ^= 0xff;
        self.round();
        self.round();
        self.round();
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    #[inline(always)]
    fn compress(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }

    #[inline(always)]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.rest_of_round();
    }

    /// What of a round the message's word takes part in.
    #[inline(always)]
    fn rest_of_round(&mut self) {
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::{HashKey, Keyed};

    const KEY: HashKey = HashKey::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

    /// The message 00 01 02 … in the form that `siphash13` takes.
    fn word(first: u8) -> u64 {
        u64::from_le_bytes(core::array::from_fn(|i| first + i as u8))
    }

    fn last(first: u8, length: u8) -> u64 {
        let octet = |i: usize| if first as usize + i < length as usize { first + i as u8 } else { 0 };
        let octets = core::array::from_fn(|i| if i == 7 { length } else { octet(i) });
        u64::from_le_bytes(octets)
    }

    /// Key 00 … 0f and messages 00 01 …, as in the authors' vectors; the results for one compression and three
    /// finalization rounds are those that the crate siphasher tests itself with.
    #[test]
    fn published_vectors() {
        let hashes = [
            Keyed::new(KEY).siphash13([], last(0, 0)),
            Keyed::new(KEY).siphash13([], last(0, 7)),
            Keyed::new(KEY).siphash13([word(0)], last(8, 8)),
            Keyed::new(KEY).siphash13([word(0)], last(8, 13)),
            Keyed::new(KEY).siphash13([word(0), word(8), word(16), word(24)], last(32, 37)),
        ];
        let published = [
            [0xdc, 0xc4, 0x0f, 0x05, 0x58, 0x01, 0xac, 0xab],
            [0x40, 0x11, 0xb1, 0x9b, 0x98, 0x7d, 0x92, 0xd3],
            [0x8e, 0x9a, 0x29, 0x8d, 0x11, 0x95, 0x90, 0x36],
            [0xa7, 0xff, 0x29, 0x12, 0x0c, 0x76, 0x6f, 0x30],
            [0x57, 0x30, 0xc3, 0xa3, 0x2d, 0x1c, 0x10, 0xb6],
        ];
        assert_eq!(hashes.map(u64::to_le_bytes), published);
    }
}
