//! A frame in userspace's memory.

use lb_common::packet::{Octets, Packet};

/// Octets that the kernel lets a program put before a frame: the usual 256 of a driver, less what the kernel keeps
/// there itself.
const HEADROOM: usize = 256 - 40;

/// An Ethernet header stays, whatever is taken off.
const SHORTEST: usize = 14;

/// A frame with room before it.
#[derive(Clone, Debug)]
pub struct Frame {
    buffer: Vec<u8>,
    start: usize,
}

impl Frame {
    /// A frame with as much room as the kernel gives.
    #[must_use]
    pub fn new(octets: &[u8]) -> Self {
        Frame::with_headroom(octets, HEADROOM)
    }

    /// A frame with room for `headroom` octets.
    #[must_use]
    pub fn with_headroom(octets: &[u8], headroom: usize) -> Self {
        let mut buffer = vec![0; headroom];
        buffer.extend_from_slice(octets);
        Frame { buffer, start: headroom }
    }

    /// The frame's octets.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl Octets for Frame {
    fn octets<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        self.bytes().get(offset..)?.first_chunk()
    }

    fn octets_mut<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]> {
        self.buffer.get_mut(self.start + offset..)?.first_chunk_mut()
    }
}

impl Packet for Frame {
    fn length(&self) -> usize {
        self.buffer.len() - self.start
    }

    fn cut(&mut self, length: usize) -> Option<()> {
        if !(SHORTEST..=self.length()).contains(&length) {
            return None;
        }
        self.buffer.truncate(self.start + length);
        Some(())
    }

    fn grow_head(&mut self, by: usize) -> Option<()> {
        self.start = self.start.checked_sub(by)?;
        Some(())
    }

    fn shrink_head(&mut self, by: usize) -> Option<()> {
        if self.length() < by + SHORTEST {
            return None;
        }
        self.start += by;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_ends_where_it_ends() {
        let mut frame = Frame::new(&[1, 2, 3]);
        assert_eq!(frame.octets(1), Some(&[2, 3]));
        assert_eq!(frame.octets::<3>(1), None);
        assert_eq!(frame.octets::<1>(usize::MAX), None);
        assert_eq!(frame.octets_mut::<4>(0), None);
    }

    #[test]
    fn the_head_moves_within_the_room() {
        let mut frame = Frame::with_headroom(&[7; 20], 4);
        assert_eq!(frame.grow_head(5), None);
        assert_eq!(frame.grow_head(4), Some(()));
        assert_eq!(frame.length(), 24);
        assert_eq!(frame.shrink_head(11), None);
        assert_eq!(frame.shrink_head(10), Some(()));
        assert_eq!(frame.bytes(), [7; 14]);
    }
}
