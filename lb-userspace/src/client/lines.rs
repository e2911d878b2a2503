//! An answer of lines, which come one by one.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::{Connection, Error, understand};

/// What comes until lbd or whoever asked ends it.
pub struct Lines {
    _connection: Connection,
    body: Incoming,
    /// What has come behind the last line break.
    rest: Vec<u8>,
}

impl Lines {
    pub(super) fn new(connection: Connection, body: Incoming) -> Self {
        Lines { _connection: connection, body, rest: Vec::new() }
    }

    /// The next line. If this isn't waited for to the end, nothing is lost.
    ///
    /// # Errors
    /// lbd has ended, or isn't understood.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        self.next_if_any().await?.ok_or(Error::Ended)
    }

    /// The next line, unless the answer has come to its good end.
    ///
    /// # Errors
    /// As [`Lines::next`].
    pub async fn next_if_any<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        loop {
            if let Some(end) = self.rest.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return understand(&line).map(Some);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.rest.extend(frame.data_ref().into_iter().flatten()),
                Some(Err(_)) => return Err(Error::Ended),
                None => return Ok(None),
            }
        }
    }
}
