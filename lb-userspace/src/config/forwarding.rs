//! How packets reach their backends.

use super::field::{Choice, Number, Scalar};
use super::section::Section;

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

/// Required of every service that finds none in the defaults.
pub(super) static FORWARDING: Scalar<Choice<Kind>> = Scalar {
    name: "forwarding",
    about: "How a packet reaches its backend: by MAC address, in an IP header of its own, or in UDP. Must be given \
            here or in defaults.",
    remedy: None,
    form: Choice(&[("l2", Kind::L2), ("ipip", Kind::Ipip), ("gue", Kind::Gue)]),
};

pub(super) static GUE_PORT: Scalar<Number<u16>> = Scalar {
    name: "gue_port",
    about: "The UDP port where backends take the headers off; only with gue. Default: 6080.",
    remedy: None,
    form: Number(1..=65_535),
};

/// A way without its settings.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    L2,
    Ipip,
    Gue,
}

pub(super) fn read(service: &mut Section) -> Option<Forwarding> {
    let Some(kind) = service.maybe(&FORWARDING)? else {
        service.error(FORWARDING.name, service.at(), "missing; write l2, ipip or gue");
        return None;
    };
    let other = match kind {
        Kind::Gue => {
            return Some(Forwarding::Gue { port: service.optional(&GUE_PORT, DEFAULT_GUE_PORT)? });
        }
        Kind::L2 => Forwarding::L2,
        Kind::Ipip => Forwarding::Ipip,
    };
    // In the defaults it is for those services that use it.
    if let (Some(word), Some(_)) = (service.word(&GUE_PORT), service.required(&GUE_PORT)) {
        let message = format!(
            "it is given, but packets are forwarded by {}; remove it, or write forwarding: gue",
            other.name()
        );
        service.error(GUE_PORT.name, word.at, message);
    }
    Some(other)
}
