//! Access to a frame.

/// One Ethernet frame, of which nothing is known until it was asked for.
///
/// Headers borrow the frame, and moving its head borrows it mutably: a header can't be used after the frame moved
/// under it.
pub trait Packet {
    /// Octets from the first of the Ethernet header to the last of the frame.
    fn length(&self) -> usize;

    /// The `N` octets at `offset`; `None` if the frame ends before.
    fn octets<const N: usize>(&self, offset: usize) -> Option<&[u8; N]>;

    /// Like [`Packet::octets`], to be written.
    fn octets_mut<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]>;

    /// Puts `by` octets of unspecified content before the frame; `None`, and no change, if there is no room.
    #[must_use]
    fn grow_head(&mut self, by: usize) -> Option<()>;

    /// Takes `by` octets from the frame's head; `None`, and no change, if too few would remain.
    #[must_use]
    fn shrink_head(&mut self, by: usize) -> Option<()>;
}
