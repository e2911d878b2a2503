//! A datagram, and what has to be in the answer.

use super::answer::{Answer, LIMIT};
use super::failure::{Failure, Stage};
use super::socket;
use crate::health::target::Target;

/// A datagram, and what has to be in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// What is sent.
    pub send: Vec<u8>,
    /// What has to be in the answer; any will do if empty.
    pub expect: Vec<u8>,
}

impl Udp {
    pub(super) async fn run(&self, target: &Target, stage: &mut Stage) -> Result<(), Failure> {
        let answer = ask(target, &self.send, stage).await?;
        let mut expected = Answer::new(&self.expect);
        if expected.take(&answer)? { Ok(()) } else { expected.end() }
    }
}

/// What answers a datagram. Only what comes from the target's address does; that nobody listens there is known at once.
pub(super) async fn ask(target: &Target, send: &[u8], stage: &mut Stage) -> Result<Vec<u8>, Failure> {
    let socket = socket::datagrams(target).await?;
    *stage = Stage::Datagram;
    socket.send(send).await.map_err(Failure::Network)?;
    // As large as a datagram may be; only as much as came is touched.
    let mut answer = Vec::with_capacity(LIMIT);
    socket.recv_buf(&mut answer).await.map_err(Failure::Network)?;
    Ok(answer)
}
