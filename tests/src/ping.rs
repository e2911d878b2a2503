//! Echo requests, without the program: not every machine has it.

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::namespace::Namespace;
use crate::wait;

/// Asks an address for an echo until it answers.
///
/// # Errors
/// It doesn't within [`wait::PATIENCE`], or the network refuses; Ctrl-C.
pub fn ping(from: &Namespace, address: IpAddr) -> Result<()> {
    let (family, protocol, request, reply) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8, 0),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
    };
    // The kernel fills in the identifier and the checksum, and gives back only replies to this socket.
    let socket = || Ok(socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, protocol)?);
    let socket = UdpSocket::from(from.enter(socket).context("a socket for echo requests")?);
    socket.set_read_timeout(Some(AGAIN))?;
    socket.connect((address, 0))?;
    wait::until(&format!("echo from {address}"), || {
        socket.send(&[request, 0, 0, 0, 0, 0, 0, 1])?;
        let mut message = [0; 64];
        match socket.recv(&mut message) {
            Ok(_) => Ok((message[0] == reply).then_some(())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).with_context(|| address.to_string()),
        }
    })
}

/// Without an answer for that long, another request.
const AGAIN: Duration = Duration::from_secs(1);
