//! Access to a frame.

/// Octets that can be looked at: a frame's, or some that are known to be there.
pub trait Octets {
    /// The `N` octets at `offset`; `None` if they end before.
    fn octets<const N: usize>(&self, offset: usize) -> Option<&[u8; N]>;

    /// The same, to be written.
    fn octets_mut<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]>;
}

/// So many octets of a frame: the compiler knows that they are there.
impl<const LENGTH: usize> Octets for [u8; LENGTH] {
    #[inline(always)]
    fn octets<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        self.get(offset..)?.first_chunk()
    }

    #[inline(always)]
    fn octets_mut<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]> {
        self.get_mut(offset..)?.first_chunk_mut()
    }
}

/// One Ethernet frame, of which nothing is known until it was asked for.
///
/// Headers borrow the frame, and moving its head borrows it mutably: a header can't be used after the frame moved
/// under it.
pub trait Packet: Octets {
    /// Octets from the first of the Ethernet header to the last of the frame.
    fn length(&self) -> usize;

    /// Whether the frame has at least `end` octets.
    fn reaches(&self, end: usize) -> bool {
        self.length() >= end
    }

    /// Whether there is something behind the first `end` octets, which the packet takes up.
    fn is_padded(&self, end: usize) -> bool {
        self.length() > end
    }

    /// The same number, of which nothing is known.
    ///
    /// The kernel's verifier follows every way through a program with all that it knows on that way. Where many ways
    /// meet, it goes on once if it forgets by which it came, and many times over if it doesn't.
    #[must_use]
    fn forget(&self, number: u64) -> u64 {
        number
    }

    /// Puts `by` octets of unspecified content before the frame; `None`, and no change, if there is no room.
    #[must_use]
    fn grow_head(&mut self, by: usize) -> Option<()>;

    /// Cuts the frame to `length` octets; `None`, and no change, if it is shorter.
    #[must_use]
    fn cut(&mut self, length: usize) -> Option<()>;

    /// Takes `by` octets from the frame's head; `None`, and no change, if too few would remain.
    #[must_use]
    fn shrink_head(&mut self, by: usize) -> Option<()>;
}
