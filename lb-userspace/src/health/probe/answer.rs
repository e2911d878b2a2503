//! An answer that comes in pieces, of which only so much is read.

use super::failure::{Excerpt, Failure};

/// Octets of an answer that are looked at.
pub(super) const LIMIT: usize = 65_536;

/// What has come of an answer that should have something in it.
pub(super) struct Answer<'expected> {
    expected: &'expected [u8],
    received: Vec<u8>,
    /// Octets in which nothing expected begins.
    searched: usize,
}

impl<'expected> Answer<'expected> {
    pub(super) fn new(expected: &'expected [u8]) -> Self {
        Answer { expected, received: Vec::new(), searched: 0 }
    }

    /// Takes a piece, and says whether what is expected has come.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<bool, Failure> {
        let room = LIMIT.saturating_sub(self.received.len());
        self.received.extend_from_slice(&piece[..piece.len().min(room)]);
        if self.has_expected() {
            return Ok(true);
        }
        if piece.len() > room {
            return Err(Failure::TooLong(LIMIT));
        }
        Ok(false)
    }

    /// It has ended.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        if self.has_expected() { Ok(()) } else { Err(Failure::Unexpected(Excerpt::of(&self.received))) }
    }

    fn has_expected(&mut self) -> bool {
        let Some(last) = self.expected.len().checked_sub(1) else { return true };
        let rest = &self.received[self.searched..];
        let has_expected = rest.windows(last + 1).any(|window| window == self.expected);
        if !has_expected {
            self.searched = self.received.len().saturating_sub(last).max(self.searched);
        }
        has_expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_may_come_in_pieces() {
        let mut answer = Answer::new(b"ready");
        let came: Vec<bool> =
            ["not rea", "", "d", "re", "a", "dy"].map(|piece| answer.take(piece.as_bytes()).unwrap()).into();
        assert_eq!(came, [false, false, false, false, false, true]);
        assert!(Answer::new(b"").end().is_ok());
        let error = Answer::new(b"ready").end().unwrap_err();
        assert_eq!(error.to_string(), "an unexpected answer \"\"");
    }

    #[test]
    fn an_answer_is_read_up_to_a_limit() {
        let mut answer = Answer::new(b"end");
        assert!(!answer.take(&vec![b'.'; LIMIT]).unwrap());
        assert!(matches!(answer.take(b"end"), Err(Failure::TooLong(LIMIT))));
        assert_eq!(answer.received.len(), LIMIT);
    }
}
