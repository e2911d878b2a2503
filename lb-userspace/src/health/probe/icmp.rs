//! An echo request, and its reply.

use std::net::IpAddr;

use lb_common::checksum::Sum;
use lb_common::wire::ipv4;

use super::failure::{Failure, Stage};
use super::socket::{self, Ping};
use crate::health::target::Target;

/// An echo request to the target's address, whatever its port (RFC 792, RFC 4443).
///
/// It needs no rights where `net.ipv4.ping_group_range` has a group of the process's, else `CAP_NET_RAW`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp;

/// Octets of a message before its data.
const HEADER: usize = 8;

/// Octets of data, which only the reply to this request repeats.
const DATA: usize = 16;

/// Octets of the longest IPv4 header, which raw sockets get too.
const LONGEST_HEADER: usize = 60;

impl Icmp {
    pub(super) async fn run(&self, target: &Target, stage: &mut Stage) -> Result<(), Failure> {
        let Ping { socket, is_raw } = socket::ping(target)?;
        let request = Request { address: target.address.ip(), is_raw, token: fastrand::u128(..) };
        socket.send(&request.message()).await.map_err(Failure::Network)?;
        *stage = Stage::Datagram;
        let mut answer = [0; LONGEST_HEADER + HEADER + DATA];
        loop {
            let length = socket.recv(&mut answer).await.map_err(Failure::Network)?;
            // A raw socket gets whatever the address says by ICMP.
            if request.is_answered_by(&answer[..length]) {
                return Ok(());
            }
        }
    }
}

struct Request {
    address: IpAddr,
    /// Whether the kernel leaves the message as it is, and gives replies as they are.
    is_raw: bool,
    token: u128,
}

impl Request {
    /// Types of request and reply.
    fn kinds(&self) -> [u8; 2] {
        match self.address {
            IpAddr::V4(_) => [8, 0],
            IpAddr::V6(_) => [128, 129],
        }
    }

    /// Identifier and sequence number, the former of which belongs to the kernel unless the socket is raw.
    fn numbers(&self) -> [u8; 4] {
        (self.token as u32).to_be_bytes()
    }

    fn message(&self) -> [u8; HEADER + DATA] {
        let mut message = [0; HEADER + DATA];
        message[0] = self.kinds()[0];
        message[4..HEADER].copy_from_slice(&self.numbers());
        message[HEADER..].copy_from_slice(&self.token.to_be_bytes());
        if self.address.is_ipv4() {
            // For IPv6 the kernel does it, with the addresses that it covers too.
            let checksum = Sum::default().octets(&message).checksum();
            message[2..4].copy_from_slice(&checksum.to_be_bytes());
        }
        message
    }

    fn is_answered_by(&self, answer: &[u8]) -> bool {
        let message = match (self.is_raw, self.address) {
            (true, IpAddr::V4(_)) => {
                let words = answer.first().map_or(0, |octet| usize::from(octet & 0xf));
                answer.get((words * 4).max(ipv4::LENGTH)..)
            }
            (true, IpAddr::V6(_)) | (false, _) => Some(answer),
        };
        let Some((header, data)) = message.and_then(|message| message.split_first_chunk::<HEADER>()) else {
            return false;
        };
        let from = if self.is_raw { 4 } else { 6 };
        header[..2] == [self.kinds()[1], 0]
            && header[from..] == self.numbers()[from - 4..]
            && data == self.token.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn only_its_own_reply_answers_a_request() {
        let v4 = Request { address: Ipv4Addr::LOCALHOST.into(), is_raw: false, token: 0x0123_4567_89ab_cdef };
        let reply = |request: &Request| {
            let mut reply = request.message();
            reply[0] = request.kinds()[1];
            reply
        };
        let mut checked = Sum::default();
        checked = checked.octets(&v4.message());
        assert_eq!(checked.checksum(), 0);
        assert_eq!(v4.message()[..8], [8, 0, v4.message()[2], v4.message()[3], 0x89, 0xab, 0xcd, 0xef]);
        assert!(v4.is_answered_by(&reply(&v4)));
        assert!(!v4.is_answered_by(&v4.message()), "a request");
        assert!(!v4.is_answered_by(&reply(&v4)[..23]), "too short");
        assert!(!v4.is_answered_by(&[]));
        assert!(!v4.is_answered_by(&reply(&Request { token: 7, ..v4 })), "another one");

        // The kernel has put another identifier there, unless the socket is raw.
        let mut other = reply(&v4);
        other[5] ^= 1;
        assert!(v4.is_answered_by(&other));
        let raw = Request { is_raw: true, ..v4 };
        let header = |words: u8| [vec![0x40 | words], vec![0; usize::from(words) * 4 - 1]].concat();
        assert!(raw.is_answered_by(&[header(5), reply(&raw).to_vec()].concat()));
        assert!(raw.is_answered_by(&[header(15), reply(&raw).to_vec()].concat()));
        assert!(!raw.is_answered_by(&[header(5), other.to_vec()].concat()));
        assert!(!raw.is_answered_by(&[0x4f, 0]));

        let v6 = Request { address: Ipv6Addr::LOCALHOST.into(), ..raw };
        assert!(v6.is_answered_by(&reply(&v6)));
        assert!(!v6.is_answered_by(&reply(&v4)));
        assert_eq!(v6.message()[..4], [128, 0, 0, 0]);
    }
}
