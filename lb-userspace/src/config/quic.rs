//! How QUIC's connection IDs name backends (draft-ietf-quic-load-balancers-21, plaintext form).

use lb_common::flow::Protocol;
use lb_common::wire::quic::{LONGEST_SERVER_ID, ServerId};
use serde_saphyr::Spanned;

use super::file::{self, Word};
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

/// What a service says of it. None if that is wrong; then it has been reported.
///
/// `protocol` is the service's, if it is known.
pub(super) fn from_written(
    service: &mut Section,
    written: Option<&Spanned<file::Quic>>,
    protocol: Option<Protocol>,
) -> Option<Quic> {
    let Some(written) = written else { return Some(Quic::default()) };
    let over_udp = protocol.is_none_or(|protocol| protocol == Protocol::UDP);
    if !over_udp {
        let message = "the service is not of UDP, so it has no QUIC; remove it, or write protocol: udp";
        service.error("quic", written.referenced, message);
    }
    let mut section = service.field("quic", written);
    let length = written.value.server_id_length.as_ref();
    let length = section.required("server_id_length", length, "write 1 to 8", |text| {
        value::number(text, &(1..=LONGEST_SERVER_ID as u8))
    });
    // 7 is what servers write into connection IDs that name no server.
    let configuration = section.optional("configuration", written.value.configuration.as_ref(), 0, |text| {
        value::number(text, &(0..=6))
    });
    over_udp.then_some(Quic { server_id_length: length?, configuration: configuration? })
}

/// The ID by which a backend is named, if its service is QUIC's.
///
/// The outer option is none if it is wrong, missing or taken, or if `quic` isn't known; then that has been reported.
#[expect(clippy::option_option, reason = "as of every field: known or not; this one may also be absent")]
pub(super) fn server_id(
    backend: &mut Section,
    word: Option<&Word>,
    quic: Option<Quic>,
    taken: &mut Seen<String>,
) -> Option<Option<ServerId>> {
    const FIELD: &str = "quic_server_id";
    let Quic { server_id_length, configuration } = quic?;
    if server_id_length == 0 {
        if let Some(word) = word {
            let message = "the service has no quic; remove it, or give the service quic";
            backend.error(FIELD, word.referenced, message);
        }
        return Some(None);
    }
    let remedy = format!("write {} hexadecimal digits", usize::from(server_id_length) * 2);
    let octets = backend.required(FIELD, word, &remedy, |text| value::server_id(text, server_id_length))?;
    let word = word?;
    backend.unique(FIELD, word.referenced, taken, word.value.to_ascii_lowercase(), "change one")?;
    Some(Some(ServerId { configuration, octets }))
}
