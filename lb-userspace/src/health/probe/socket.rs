//! The sockets of all checks: marked, where they go through the VIP.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use lb_common::mark;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::failure::{Failure, Stage};
use crate::health::target::{Path, Target};

/// Octets of a TCP segment that is sent through the VIP, at most: with its headers no more than 1,280, the least that IPv6
/// wants of each link (RFC 8200, section 5), so that it fits into tunnels of any usual MTU. A client of the VIP would learn
/// that from the balancer's ICMP errors.
const SEGMENT: u32 = 1220;

/// A connection, which goes without a trace when it is dropped: thousands of checks a second would otherwise leave no port
/// free for a minute (TIME-WAIT).
pub(super) async fn connect(target: &Target, stage: &mut Stage) -> Result<TcpStream, Failure> {
    let socket = match target.address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(Failure::Network)?;
    mark(&SockRef::from(&socket), target)?;
    if target.path != Path::Direct {
        SockRef::from(&socket).set_tcp_mss(SEGMENT).map_err(Failure::Network)?;
    }
    let stream = socket.connect(target.address).await.map_err(Failure::Network)?;
    *stage = Stage::Answer;
    stream.set_nodelay(true).and_then(|()| stream.set_zero_linger()).map_err(Failure::Network)?;
    Ok(stream)
}

/// A socket for datagrams to the target and from it alone.
pub(super) async fn datagrams(target: &Target) -> Result<UdpSocket, Failure> {
    let any: SocketAddr = match target.address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await.map_err(Failure::Network)?;
    mark(&SockRef::from(&socket), target)?;
    socket.connect(target.address).await.map_err(Failure::Network)?;
    Ok(socket)
}

/// A socket for echo requests.
pub(super) struct Ping {
    /// It takes messages of ICMP, and not of UDP; send(2) and recv(2) are the same for all sockets.
    pub socket: UdpSocket,
    /// Whether it isn't one of those for this alone, which the kernel allows to some groups.
    pub is_raw: bool,
}

/// A socket for echo requests to the target's address, and replies from it.
pub(super) fn ping(target: &Target) -> Result<Ping, Failure> {
    let (domain, protocol) = match target.address {
        SocketAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        SocketAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let open = |kind: Type| Socket::new(domain, kind.nonblocking(), Some(protocol));
    let (socket, is_raw) = match open(Type::DGRAM) {
        Err(error) if refused(&error) => match open(Type::RAW) {
            Err(error) if refused(&error) => return Err(Failure::Ping),
            raw => (raw, true),
        },
        datagram => (datagram, false),
    };
    let socket = socket.map_err(Failure::Network)?;
    mark(&SockRef::from(&socket), target)?;
    // Raw sockets of IPv6 take a port for a protocol.
    let address = SocketAddr::new(target.address.ip(), 0);
    socket.connect(&address.into()).map_err(Failure::Network)?;
    let socket = UdpSocket::from_std(socket.into()).map_err(Failure::Network)?;
    Ok(Ping { socket, is_raw })
}

/// Marks a socket before anything is sent, routes included: they may go by marks.
fn mark(socket: &SockRef, target: &Target) -> Result<(), Failure> {
    match target.path {
        Path::Direct => Ok(()),
        Path::Through(backend) => {
            socket.set_mark(mark::toward(backend)).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => Failure::Mark,
                _ => Failure::Network(error),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use lb_common::slot::BackendIndex;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn only_what_goes_through_the_vip_is_marked() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let through = Target::through(address, BackendIndex(7));
        for (target, expected) in [(Target::direct(address), 0), (through, 0x4c42_0007)] {
            let stream = connect(&target, &mut Stage::default()).await.unwrap();
            assert_eq!(SockRef::from(&stream).mark().unwrap(), expected);
            let socket = datagrams(&target).await.unwrap();
            assert_eq!(SockRef::from(&socket).mark().unwrap(), expected);
        }
        let stream = connect(&through, &mut Stage::default()).await.unwrap();
        assert!(SockRef::from(&stream).tcp_mss().unwrap() <= SEGMENT);
    }
}
