//! From an event to its description.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use lb_common::event::Event;
use lb_common::flow::Protocol;
use lb_common::verdict::Verdict;
use lb_common::wire::{ethernet, udp};
use serde::{Deserialize, Serialize};

use super::headers::{self, Headers};
use super::names::Names;
use crate::config::Forwarding;
use crate::frame::Frame;
use crate::utc::utc;

/// One packet, and what became of it. Headers and octets are those of the frame as it left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Packet {
    /// When, in UTC (RFC 3339).
    pub time: String,
    /// `forwarded`, `answered`, `passed` or `dropped`.
    pub verdict: String,
    /// Why, or with what it was answered.
    pub reason: Option<String>,
    /// Name of its service, if it got far enough to have one.
    pub service: Option<String>,
    /// Name of the backend that the frame was rewritten for.
    pub backend: Option<String>,
    /// How it gets there: `l2`, `ipip` or `gue`.
    pub forwarding: Option<String>,
    /// Interface that it came in by.
    pub ingress: String,
    /// Interface that it left by.
    pub egress: Option<String>,
    /// Octets of the frame.
    pub length: u32,
    /// Its Ethernet header.
    pub link: Option<Link>,
    /// The outer header of a tunnel to the backend.
    pub outer: Option<Datagram>,
    /// The packet's own headers.
    pub packet: Option<Datagram>,
    /// The frame's first octets, in hexadecimal.
    pub octets: String,
}

/// What an Ethernet header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Link {
    /// MAC address of the sender.
    pub source: String,
    /// MAC address of the receiver.
    pub destination: String,
    /// What the frame carries behind its VLAN tags, as `0x0800`.
    pub ethertype: String,
}

/// What the headers of an IP packet say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Datagram {
    /// Sender.
    #[schema(value_type = String)]
    pub source: IpAddr,
    /// Receiver.
    #[schema(value_type = String)]
    pub destination: IpAddr,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, or a number (IANA "Assigned Internet Protocol Numbers").
    pub protocol: String,
    /// Port of the sender, if it is known.
    pub source_port: Option<u16>,
    /// Port of the receiver, if it is known.
    pub destination_port: Option<u16>,
    /// Octets of the whole packet before this part of it; none if it is whole.
    pub fragment: Option<u32>,
}

impl Packet {
    /// Describes an event. `started` is the time since 1970 when the node's clock began.
    #[must_use]
    pub fn new(event: &Event, names: &Names, started: Duration) -> Self {
        let verdict = Verdict::of_counter(event.counter as usize);
        let backend = names.backends.get(&event.backend);
        let forwarding = backend.map(|(_, forwarding)| *forwarding);
        let frame = Frame::with_headroom(event.held(), 0);
        let payload = ethernet::payload(&frame);
        let first = payload.and_then(|found| headers::announced(&frame, found.ethertype, found.offset));
        let tunnelled = match (forwarding, first) {
            (Some(Forwarding::Ipip), Some(outer)) => headers::inside(&frame, outer.end),
            (Some(Forwarding::Gue { .. }), Some(outer)) => {
                headers::inside(&frame, outer.end.saturating_add(udp::LENGTH))
            }
            (Some(Forwarding::L2) | None, _) | (_, None) => None,
        };
        let (outer, packet) = if tunnelled.is_some() { (first, tunnelled) } else { (None, first) };
        Packet {
            time: utc(started + Duration::from_nanos(event.time)),
            verdict: verdict.map_or("unknown", Verdict::name).into(),
            reason: verdict.and_then(Verdict::reason).map(String::from),
            service: names.services.get(&event.service).cloned(),
            backend: backend.map(|(name, _)| name.clone()),
            forwarding: forwarding.map(|forwarding| forwarding.name().to_string()),
            ingress: names.interface(event.ingress),
            egress: (event.egress != 0).then(|| names.interface(event.egress)),
            length: event.length,
            link: link(&frame),
            outer: outer.map(Datagram::from),
            packet: packet.map(Datagram::from),
            octets: hexadecimal(event.held()),
        }
    }
}

impl From<Headers> for Datagram {
    fn from(headers: Headers) -> Self {
        Datagram {
            source: headers.source,
            destination: headers.destination,
            protocol: match headers.protocol {
                Protocol::TCP => "tcp".into(),
                Protocol::UDP => "udp".into(),
                Protocol::ICMP => "icmp".into(),
                Protocol::ICMPV6 => "icmpv6".into(),
                Protocol(number) => number.to_string(),
            },
            source_port: headers.ports.map(|(source, _)| source),
            destination_port: headers.ports.map(|(_, destination)| destination),
            fragment: headers.fragment,
        }
    }
}

fn link(frame: &Frame) -> Option<Link> {
    let addresses = ethernet::addresses(frame)?;
    let ethertype = ethernet::payload(frame)?.ethertype;
    Some(Link {
        source: mac(&addresses[6..]),
        destination: mac(&addresses[..6]),
        ethertype: format!("0x{:04x}", ethertype.0),
    })
}

fn mac(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":")
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // A string takes all that is written to it.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
