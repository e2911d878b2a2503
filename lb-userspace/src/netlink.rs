//! Requests to the kernel's routing socket, one at a time.
//!
//! Without a runtime, so that undoing fits in a `Drop`. They concern the network namespace of the calling thread.

use std::io;
use std::os::fd::RawFd;

use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage, LinkXdp};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};

use crate::interface::Place;

/// Octets of a netlink header; messages are padded to multiples of 4 octets.
const HEADER: usize = 16;

/// Only if the program there is the expected one (`linux/if_link.h`).
const XDP_FLAGS_REPLACE: u32 = 1 << 4;

/// Asks for a list.
pub(crate) fn dump(message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
    exchange(message, NLM_F_DUMP)
}

/// Asks for a change. `flags` as in `NLM_F_CREATE | NLM_F_EXCL`.
pub(crate) fn change(message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    exchange(message, NLM_F_ACK | flags).map(drop)
}

/// Takes an XDP program off that was attached without a link, if it is still the one there.
pub(crate) fn detach_xdp(index: u32, program: RawFd, place: Place) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::Xdp(vec![
        LinkXdp::Fd(-1),
        LinkXdp::Flags(place.flag() | XDP_FLAGS_REPLACE),
        LinkXdp::ExpectedFd(u32::try_from(program).map_err(|_| io::ErrorKind::InvalidInput)?),
    ]));
    change(RouteNetlinkMessage::SetLink(message), 0)
}

fn exchange(message: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;

    let mut request = NetlinkMessage::from(message);
    request.header.flags = NLM_F_REQUEST | flags;
    request.finalize();
    let mut octets = vec![0; request.buffer_len()];
    request.serialize(&mut octets);
    socket.send(&octets, 0)?;

    let mut answers = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        if take_answers(&datagram, &mut answers)? {
            return Ok(answers);
        }
    }
}

/// Collects the messages of one datagram, and says whether that was all.
fn take_answers(mut datagram: &[u8], answers: &mut Vec<RouteNetlinkMessage>) -> io::Result<bool> {
    while let Some((length, _)) = datagram.split_first_chunk() {
        let length = u32::from_ne_bytes(*length) as usize;
        let message = datagram.get(..length).filter(|message| message.len() >= HEADER);
        let message = message.ok_or(io::ErrorKind::InvalidData)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        let payload = match NetlinkMessage::deserialize(message) {
            Ok(message) => message.payload,
            // An attribute of a newer kernel on some interface shall not hide all the others.
            Err(error) => {
                tracing::debug!("netlink: {error}");
                continue;
            }
        };
        match payload {
            NetlinkPayload::InnerMessage(answer) => answers.push(answer),
            NetlinkPayload::Error(error) => match error.code {
                Some(_) => return Err(error.to_io()),
                None => return Ok(true),
            },
            NetlinkPayload::Done(_) => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_longer_than_its_datagram_is_an_error() {
        let mut datagram = [0; HEADER];
        datagram[0] = 20;
        assert!(take_answers(&datagram, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_message_without_length_is_an_error() {
        assert!(take_answers(&[0; HEADER], &mut Vec::new()).is_err());
    }

    #[test]
    fn loopback_is_among_the_links() {
        let links = dump(RouteNetlinkMessage::GetLink(LinkMessage::default())).unwrap();
        assert!(links.iter().any(|link| matches!(link, RouteNetlinkMessage::NewLink(link)
            if link.attributes.contains(&LinkAttribute::IfName("lo".into())))));
    }
}
