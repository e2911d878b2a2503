//! Requests as octets, for those who want to see what a well-behaved client never sends.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result};
use lb_tests::wait::PATIENCE;
use serde_json::Value;

/// A connection.
pub fn connect(socket: &Path) -> Result<UnixStream> {
    let stream = UnixStream::connect(socket).context("connecting")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Status and body of what is answered until lbd closes the connection.
pub fn answer(stream: &mut UnixStream) -> Result<(u16, String)> {
    let mut octets = Vec::new();
    // Whoever sends more than is read has the connection reset behind the answer.
    let _ = stream.read_to_end(&mut octets);
    let text = String::from_utf8(octets)?;
    let (head, body) = text.split_once("\r\n\r\n").context(text.clone())?;
    let status = head.split(' ').nth(1).context("a status")?;
    Ok((status.parse()?, body.to_owned()))
}

/// What is answered to a request without a body.
pub fn ask(socket: &Path, method: &str, path: &str) -> Result<(u16, Value)> {
    let mut stream = connect(socket)?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: lbd\r\nConnection: close\r\n\r\n")?;
    let (status, body) = answer(&mut stream)?;
    Ok((status, serde_json::from_str(&body).with_context(|| body)?))
}
