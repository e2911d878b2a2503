//! What the segments of a watched service show of its backends.

use super::datagram::Datagram;
use super::{Owner, Tables};
use crate::flow::Protocol;
use crate::packet::Packet;
use crate::slot::BackendIndex;
use crate::symptom::{Sign, Syn};
use crate::wire::tcp;

/// A segment that shows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whom it goes to.
    pub backend: BackendIndex,
    /// Of its flow.
    pub flow_hash: u64,
    /// The sequence number of a SYN; of a reset, none.
    pub syn: Option<u32>,
}

/// A sighting in words, as a function of the kernel's programs may be told it.
pub type SightingWords = [u64; 3];

/// Stands in place of a sequence number where there is none.
const NO_SYN: u64 = u64::MAX;

impl Sighting {
    /// The sighting in words.
    #[inline(always)]
    #[must_use]
    pub fn words(&self) -> SightingWords {
        [u64::from(self.backend.0), self.flow_hash, self.syn.map_or(NO_SYN, u64::from)]
    }

    /// The sighting that these words are.
    #[inline(always)]
    #[must_use]
    pub fn from_words([backend, flow_hash, syn]: SightingWords) -> Self {
        let syn = if syn == NO_SYN { None } else { Some(syn as u32) };
        Sighting { backend: BackendIndex(backend as u16), flow_hash, syn }
    }
}

/// Whether a segment with these control bits shows something.
#[inline(always)]
pub(super) fn shows(flags: tcp::Flags) -> bool {
    flags.begins() || flags.resets()
}

/// Counts what a packet shows, if it shows anything.
#[inline(always)]
pub(super) fn watch<P: Packet, T: Tables>(
    packet: &P,
    tables: &T,
    datagram: &Datagram,
    owner: &Owner,
    backend: BackendIndex,
) {
    if owner.is_related || !datagram.begins_transport() || datagram.protocol != Protocol::TCP {
        return;
    }
    let Some(flags) = tcp::flags(packet, datagram.offset) else { return };
    if shows(flags) {
        let syn = if flags.begins() { tcp::sequence(packet, datagram.offset) } else { None };
        tables.watch(&Sighting { backend, flow_hash: owner.flow_hash, syn });
    }
}

/// Counts what a segment shows.
#[inline(always)]
pub fn count<T: Tables>(tables: &T, sighting: &Sighting) {
    let sign = match sighting.syn.map(|sequence| Syn::new(sighting.flow_hash, sequence)) {
        None => Sign::Reset,
        Some(syn) if tables.remember_syn(syn) => Sign::Again,
        Some(_) => Sign::Begins,
    };
    tables.count_sign(sighting.backend, sign);
}
