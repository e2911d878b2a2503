//! Echo requests, without the program: not every machine has it.

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::namespace::Namespace;
use crate::wait;

/// Asks an address for an echo of eight octets, header included, until it answers.
///
/// # Errors
/// It doesn't within [`wait::PATIENCE`], or the network refuses; Ctrl-C.
pub fn ping(from: &Namespace, address: IpAddr) -> Result<()> {
    let socket = Echo::open(from, address)?;
    wait::until(&format!("echo from {address}"), || Ok(socket.ask(0)?.then_some(())))
}

/// A socket for echo requests to one address.
#[derive(Debug)]
pub struct Echo {
    socket: UdpSocket,
    request: u8,
    reply: u8,
}

impl Echo {
    /// # Errors
    /// The kernel refuses.
    pub fn open(from: &Namespace, address: IpAddr) -> Result<Echo> {
        let (family, protocol, request, reply) = match address {
            IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8, 0),
            IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
        };
        // The kernel fills in the identifier and the checksum, and gives back only replies to this socket.
        let socket = || Ok(socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, protocol)?);
        let socket = UdpSocket::from(from.enter(socket).context("a socket for echo requests")?);
        socket.set_read_timeout(Some(AGAIN))?;
        socket.connect((address, 0))?;
        Ok(Echo { socket, request, reply })
    }

    /// Asks once, with so many octets behind the header, and says whether they came back.
    ///
    /// # Errors
    /// The network refuses the request.
    pub fn ask(&self, octets: usize) -> Result<bool> {
        let data: Vec<u8> = (0..octets).map(|place| place as u8).collect();
        self.socket.send(&[&[self.request, 0, 0, 0, 0, 0, 0, 1], &data[..]].concat())?;
        let mut message = vec![0; HEADER + octets + 1];
        match self.socket.recv(&mut message) {
            Ok(length) => {
                Ok(message[0] == self.reply && message.get(HEADER..length) == Some(data.as_slice()))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Octets of the header of an echo.
const HEADER: usize = 8;

/// Without an answer for that long, there is none.
const AGAIN: Duration = Duration::from_secs(1);
