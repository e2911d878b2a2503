//! A connection, and perhaps what is said over it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer::Answer;
use super::failure::{Failure, Stage};
use super::socket;
use crate::health::target::Target;

/// A connection, and perhaps what is said over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// What is sent first; perhaps nothing.
    pub send: Vec<u8>,
    /// What has to be in the answer's first 64 KiB; if empty, none is awaited.
    pub expect: Vec<u8>,
}

impl Tcp {
    pub(super) async fn run(&self, target: &Target, stage: &mut Stage) -> Result<(), Failure> {
        let mut stream = socket::connect(target, stage).await?;
        stream.write_all(&self.send).await.map_err(Failure::Network)?;
        if self.expect.is_empty() {
            return Ok(());
        }
        let (mut answer, mut piece) = (Answer::new(&self.expect), [0; 4096]);
        loop {
            match stream.read(&mut piece).await.map_err(Failure::Network)? {
                0 => return answer.end(),
                length if answer.take(&piece[..length])? => return Ok(()),
                _ => {}
            }
        }
    }
}
