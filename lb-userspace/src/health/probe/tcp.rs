//! A connection, and perhaps what is said over it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer::Answer;
use super::failure::{Failure, Stage};

/// A connection, and perhaps what is said over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// What is sent first; perhaps nothing.
    pub send: Vec<u8>,
    /// What has to be in the answer's first 64 KiB; if empty, none is awaited.
    pub expect: Vec<u8>,
}

impl Tcp {
    pub(super) async fn run(&self, address: SocketAddr, stage: &mut Stage) -> Result<(), Failure> {
        let mut stream = connect(address, stage).await?;
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

/// A connection to an address, which goes without a trace when it is dropped: thousands of checks a second would otherwise
/// leave no port free for a minute (TIME-WAIT).
pub(super) async fn connect(address: SocketAddr, stage: &mut Stage) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(address).await.map_err(Failure::Network)?;
    *stage = Stage::Answer;
    stream.set_nodelay(true).and_then(|()| stream.set_zero_linger()).map_err(Failure::Network)?;
    Ok(stream)
}
