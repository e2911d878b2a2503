//! How QUIC's connection IDs name backends (draft-ietf-quic-load-balancers-21, plaintext form).

use lb_common::flow::Protocol;
use lb_common::wire::quic::{LONGEST_SERVER_ID, ServerId};

use super::field::{Field, Group, Number, Scalar, Text};
use super::section::{Section, Seen};
use super::value;

/// How connection IDs of a service are read.
#[derive(Clone, Copy, Default)]
pub(super) struct Quic {
    /// Octets of a server ID, 1 to 8; 0 if the service isn't QUIC's.
    pub server_id_length: u8,
    /// The configuration that servers encode them by, 0 to 6.
    configuration: u8,
}

pub(super) static QUIC: Group = Group {
    name: "quic",
    about: "Follows QUIC connections by the server ID in their connection IDs. Only with udp. Default: as any other UDP.",
    fields: &[&[Field::Scalar(&SERVER_ID_LENGTH), Field::Scalar(&CONFIGURATION)]],
};

static SERVER_ID_LENGTH: Scalar<Number<u8>> = Scalar {
    name: "server_id_length",
    about: "Octets of the server IDs.",
    remedy: Some("write 1 to 8"),
    form: Number(1..=LONGEST_SERVER_ID as u8),
};

/// 7 is what servers write into connection IDs that name no server.
static CONFIGURATION: Scalar<Number<u8>> = Scalar {
    name: "configuration",
    about: "The configuration that the servers write into the first three bits of connection IDs. Default: 0.",
    remedy: None,
    form: Number(0..=6),
};

/// What it may be depends on the service.
pub(super) static SERVER_ID: Scalar<Text<String>> = Scalar {
    name: "quic_server_id",
    about: "The backend's server ID, unique in the service: its octets in hexadecimal. Must be given if the service \
            has quic, and can't be otherwise.",
    remedy: None,
    form: Text(|text| Ok(text.to_owned())),
};

/// What a service says of it. None if that is wrong; then it has been reported.
///
/// `protocol` is the service's, if it is known.
pub(super) fn read(service: &mut Section, protocol: Option<Protocol>) -> Option<Quic> {
    let Some(node) = service.node(QUIC.name) else { return Some(Quic::default()) };
    let over_udp = protocol.is_none_or(|protocol| protocol == Protocol::UDP);
    if !over_udp {
        let message = "the service is not of UDP, so it has no QUIC; remove it, or write protocol: udp";
        service.error(QUIC.name, node.at, message);
    }
    let quic = service.section(QUIC.name)?;
    let (length, configuration) = (quic.required(&SERVER_ID_LENGTH), quic.optional(&CONFIGURATION, 0));
    over_udp.then_some(Quic { server_id_length: length?, configuration: configuration? })
}

/// The ID by which a backend is named, if its service is QUIC's.
///
/// The outer option is none if it is wrong, missing or taken, or if `quic` isn't known; then that has been reported.
#[expect(clippy::option_option, reason = "known or not, and if known, there or not")]
pub(super) fn read_server_id(
    backend: &mut Section,
    quic: Option<Quic>,
    taken: &mut Seen<String>,
) -> Option<Option<ServerId>> {
    let Quic { server_id_length, configuration } = quic?;
    let written = backend.word(&SERVER_ID);
    if server_id_length == 0 {
        if let Some(word) = written {
            let message = "the service has no quic; remove it, or give the service quic";
            backend.error(SERVER_ID.name, word.at, message);
        }
        return Some(None);
    }
    let Some(word) = written else {
        if backend.node(SERVER_ID.name).is_none() {
            let digits = usize::from(server_id_length) * 2;
            backend.error(
                SERVER_ID.name,
                backend.at(),
                format!("missing; write {digits} hexadecimal digits"),
            );
        }
        return None;
    };
    let octets = value::server_id(word.text, server_id_length)
        .map_err(|message| backend.error(SERVER_ID.name, word.at, message))
        .ok()?;
    backend.unique(SERVER_ID.name, word.at, taken, word.text.to_ascii_lowercase(), "change one")?;
    Some(Some(ServerId { configuration, octets }))
}
