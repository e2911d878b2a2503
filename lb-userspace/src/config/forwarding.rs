//! How packets reach their backends.

use super::file::Word;
use super::section::Section;
use super::value;

/// Where backends unpack GUE unless the file says otherwise: the port that IANA keeps for it.
const DEFAULT_GUE_PORT: u16 = 6080;

/// How a packet reaches its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// By its MAC address: the backend is on one of the node's networks.
    L2,
    /// In an IP header of its own: the backend is anywhere, and takes that header off.
    Ipip,
    /// In UDP: the backend is anywhere, and takes the headers off.
    Gue {
        /// Where the backend takes them, in host byte order.
        port: u16,
    },
}

impl Forwarding {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Forwarding::L2 => "l2",
            Forwarding::Ipip => "ipip",
            Forwarding::Gue { .. } => "gue",
        }
    }
}

/// As they are written.
const KINDS: &[(&str, Kind)] = &[("l2", Kind::L2), ("ipip", Kind::Ipip), ("gue", Kind::Gue)];

#[derive(Clone, Copy)]
enum Kind {
    L2,
    Ipip,
    Gue,
}

pub(super) fn from_written(
    service: &mut Section,
    forwarding: Option<&Word>,
    gue_port: Option<&Word>,
) -> Option<Forwarding> {
    let kind = service
        .required("forwarding", forwarding, "write l2, ipip or gue", |text| value::choice(text, KINDS));
    let port =
        service.optional("gue_port", gue_port, DEFAULT_GUE_PORT, |text| value::number(text, &(1..=65_535)));
    let other = match kind? {
        Kind::Gue => return Some(Forwarding::Gue { port: port? }),
        Kind::L2 => Forwarding::L2,
        Kind::Ipip => Forwarding::Ipip,
    };
    if let (Some(word), Some(_), Some(written)) = (gue_port, port, forwarding) {
        let message = format!(
            "it is given, but packets are forwarded by {}; remove it, or write forwarding: gue",
            written.value
        );
        service.error("gue_port", word.referenced, message);
    }
    Some(other)
}
