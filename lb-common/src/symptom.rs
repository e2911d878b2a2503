//! What is seen of a backend's troubles, in the one direction that passes here.

use crate::atomic::Word32;

/// SYNs that are remembered, each in 4 octets: so many flows may begin between a SYN and its repetition, a second later,
/// before the greater part of repetitions is taken for new flows.
pub const SYNS: usize = 1 << 16;

/// What a segment shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Sign {
    /// A flow begins.
    Begins,
    /// Its SYN was sent again: nobody has answered it.
    Again,
    /// The client resets it.
    Reset,
}

/// What was seen of a backend's flows. Its numbers come around.
#[repr(C, align(8))]
#[derive(Default)]
pub struct Symptoms {
    signs: [Word32; 3],
    _unused: Word32,
}

const _: () = assert!(size_of::<Symptoms>() == 16, "four to a cache line");

impl Symptoms {
    /// Counts a sign.
    #[inline(always)]
    pub fn count(&self, sign: Sign) {
        if let Some(number) = self.signs.get(sign as usize) {
            number.add(1);
        }
    }

    /// The numbers.
    #[must_use]
    pub fn signs(&self) -> Signs {
        let [begun, again, resets] = &self.signs;
        Signs { begun: begun.load(), again: again.load(), resets: resets.load() }
    }
}

/// How many signs were seen of a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Flows that began.
    pub begun: u32,
    /// SYNs that were sent again.
    pub again: u32,
    /// Segments by which clients reset their flows.
    pub resets: u32,
}

impl Signs {
    /// Counts one.
    pub fn count(&mut self, sign: Sign) {
        let number = match sign {
            Sign::Begins => &mut self.begun,
            Sign::Again => &mut self.again,
            Sign::Reset => &mut self.resets,
        };
        *number = number.wrapping_add(1);
    }

    /// What was seen since then.
    #[must_use]
    pub const fn since(self, earlier: Signs) -> Signs {
        Signs {
            begun: self.begun.wrapping_sub(earlier.begun),
            again: self.again.wrapping_sub(earlier.again),
            resets: self.resets.wrapping_sub(earlier.resets),
        }
    }
}

/// A SYN, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syn {
    /// Its place among [`SYNS`].
    pub place: u32,
    /// What stands there. Another SYN at the same place has the same in one of 4,294,967,296 cases.
    pub fingerprint: u32,
}

impl Syn {
    /// The SYN of a flow that begins with that sequence number.
    #[inline(always)]
    #[must_use]
    pub const fn new(flow_hash: u64, sequence: u32) -> Self {
        // Of a client whose flows all have one hash, each SYN has its place all the same.
        let place = (flow_hash as u32 ^ sequence) & (SYNS as u32 - 1);
        Syn { place, fingerprint: (flow_hash >> 32) as u32 ^ sequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_is_another_syn() {
        let syn = Syn::new(0x0123_4567_89ab_cdef, 77);
        assert_eq!(syn, Syn::new(0x0123_4567_89ab_cdef, 77));
        assert_ne!(syn, Syn::new(0x0123_4567_89ab_cdef, 78));
        assert_ne!(syn.fingerprint, Syn::new(0x0123_4567_89ab_cdef, 77 + (1 << 16)).fingerprint);
        assert_ne!(syn, Syn::new(0x0123_4568_89ab_cdef, 77));
        assert!(Syn::new(u64::MAX, 0).place < SYNS as u32);
    }

    #[test]
    fn numbers_come_around() {
        let mut signs = Signs { begun: u32::MAX, again: 1, resets: 0 };
        let before = signs;
        [Sign::Begins, Sign::Begins, Sign::Again, Sign::Reset].into_iter().for_each(|sign| signs.count(sign));
        assert_eq!(signs.since(before), Signs { begun: 2, again: 1, resets: 1 });
    }
}
