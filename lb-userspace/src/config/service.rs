//! What clients connect to.

use std::collections::HashMap;

use lb_common::flow::Protocol;
use serde_saphyr::Spanned;

use super::backend::{self, Backend};
use super::file::{self, List, Word};
use super::flows::{self, Flows};
use super::forwarding::{self, Forwarding};
use super::loops;
use super::maps::MapSizes;
use super::prefix::Prefix;
use super::quic;
use super::section::{Section, Seen};
use super::value;

/// A service's slots unless the file says otherwise: a hundred for each of several hundred backends, 256 KiB.
const DEFAULT_TABLE_SIZE: u32 = 65_537;

/// What clients connect to, and who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unique on the node. `192.0.2.1:80/tcp` unless the file says otherwise.
    pub name: String,
    /// The VIP, or all of the VIPs that begin alike.
    pub vip: Prefix,
    /// The VIP's port, in host byte order; not 0. `None` for all ports that no other service has.
    pub port: Option<u16>,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// How a packet reaches its backend.
    pub forwarding: Forwarding,
    /// Which flows stay together.
    pub affinity: Affinity,
    /// What happens to fragments that name no port.
    pub fragments: Fragments,
    /// Octets of the server ID in QUIC's connection IDs, 1 to 8; 0 if the service isn't QUIC's.
    pub quic_server_id_length: u8,
    /// How new flows are shared out, and how long each is kept.
    pub flows: Flows,
    /// Slots of the lookup table; a prime and no fewer than backends.
    pub table_size: u32,
    /// Who answers, in the order of the file; may be empty.
    pub backends: Vec<Backend>,
}

/// Which flows go to the same backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Affinity {
    /// Each flow for itself.
    #[default]
    Flow,
    /// All of a client.
    Source,
}

/// What happens to a fragment that doesn't name its port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fragments {
    /// It goes where the first one went; if that wasn't seen yet, it is dropped.
    #[default]
    Follow,
    /// All packets between two addresses go to the same backend, fragments or not.
    ByAddresses,
}

const PROTOCOLS: &[(&str, Protocol)] = &[("tcp", Protocol::TCP), ("udp", Protocol::UDP)];

const AFFINITIES: &[(&str, Affinity)] = &[("flow", Affinity::Flow), ("source", Affinity::Source)];

const FRAGMENTS: &[(&str, Fragments)] =
    &[("follow", Fragments::Follow), ("by-addresses", Fragments::ByAddresses)];

/// What services must differ in.
#[derive(Default)]
struct Taken {
    /// VIP, port and protocol, as in `192.0.2.1:80/tcp`.
    endpoints: Seen<String>,
    names: Seen<String>,
    /// Who takes the fragments of a VIP and protocol by their addresses: VIP, port and protocol, as above.
    fragments: HashMap<(Prefix, Protocol), String>,
}

/// `maps` is how much there is room for, if that is known.
pub(super) fn from_written(
    root: &mut Section,
    written: Option<&List<file::Service>>,
    maps: Option<MapSizes>,
) -> Option<Vec<Service>> {
    let entries = root.list("services", written, "write services: [] if there are none yet")?;
    if let Some(maps) = maps {
        check_numbers(root, entries, maps);
    }
    loops::check(root, entries);
    let mut taken = Taken::default();
    let services = entries.iter().enumerate().filter_map(|(index, entry)| {
        service(&mut root.entry("services", index, entry), &entry.value, &mut taken)
    });
    Some(services.collect())
}

/// The maps of the datapath have a number of entries, for all services together.
fn check_numbers(root: &mut Section, entries: &[Spanned<file::Service>], maps: MapSizes) {
    let most = maps.services as usize;
    if let Some(entry) = entries.get(most) {
        let message = format!("{} services are listed; {}", entries.len(), maps.too_many_services());
        root.error(&format!("services[{most}]"), entry.referenced, message);
    }
    let all = entries.iter().enumerate().flat_map(|(service, entry)| {
        let backends = entry.value.backends.iter().flat_map(|list| list.value.iter().enumerate());
        backends.map(move |(index, backend)| (service, index, backend))
    });
    let most = maps.backends as usize;
    let mut surplus = all.skip(most);
    if let Some((service, index, entry)) = surplus.next() {
        let path = format!("services[{service}].backends[{index}]");
        let number = most + 1 + surplus.count();
        let message = format!("all services together list {number} backends; {}", maps.too_many_backends());
        root.error(&path, entry.referenced, message);
    }
}

fn service(section: &mut Section, written: &file::Service, taken: &mut Taken) -> Option<Service> {
    let remedy = "write the service's IP address or prefix";
    let vip = section.required("vip", written.vip.as_ref(), remedy, value::vip);
    let port = section.required("port", written.port.as_ref(), "write 1 to 65535, or any", value::port);
    let protocol = section.required("protocol", written.protocol.as_ref(), "write tcp or udp", |text| {
        value::choice(text, PROTOCOLS)
    });
    let forwarding =
        forwarding::from_written(section, written.forwarding.as_ref(), written.gue_port.as_ref());
    let affinity = section.optional("affinity", written.affinity.as_ref(), Affinity::default(), |text| {
        value::choice(text, AFFINITIES)
    });
    let fragments = section.optional("fragments", written.fragments.as_ref(), Fragments::default(), |text| {
        value::choice(text, FRAGMENTS)
    });
    let quic = quic::from_written(section, written.quic.as_ref(), protocol);
    let flows = flows::from_written(section, written, protocol);
    let table_size =
        section.optional("table_size", written.table_size.as_ref(), DEFAULT_TABLE_SIZE, value::table_size);

    let mut default_name = None;
    if let (Some(word), Some(vip), Some(port), Some(protocol)) = (&written.vip, vip, port, protocol) {
        // The same endpoint twice is one fault, even where it is the name too.
        let endpoint = endpoint(vip, port, protocol);
        default_name = section
            .unique("vip", word.referenced, &mut taken.endpoints, endpoint, "remove one")
            .map(|endpoint| (endpoint, word.referenced));
        if let (Some((endpoint, _)), Some(Fragments::ByAddresses)) = (&default_name, fragments) {
            take_fragments(section, written.fragments.as_ref(), (vip, protocol), endpoint, taken);
        }
    }
    let name = section.name(written.name.as_ref(), default_name, &mut taken.names);

    let backends = backend::from_written(section, written.backends.as_ref(), vip, quic);
    if let (Some(list), Some(size)) = (&written.backends, table_size)
        && list.value.len() > size as usize
    {
        let message = format!(
            "{} backends are listed; a table of {size} slots has room for {size}, raise table_size",
            list.value.len()
        );
        section.error("backends", list.referenced, message);
    }
    Some(Service {
        name: name?,
        vip: vip?,
        port: port?,
        protocol: protocol?,
        forwarding: forwarding?,
        affinity: if flows::is_by_source(written) { Affinity::Source } else { affinity? },
        fragments: fragments?,
        quic_server_id_length: quic?.server_id_length,
        flows: flows?,
        table_size: table_size?,
        backends: backends?,
    })
}

/// As in `192.0.2.1:80/tcp`, `[2001:db8::1]:80/tcp` and `192.0.2.0/24:any/udp`.
fn endpoint(vip: Prefix, port: Option<u16>, protocol: Protocol) -> String {
    let vip = if vip.address.is_ipv4() { vip.to_string() } else { format!("[{vip}]") };
    let port = port.map_or("any".to_owned(), |port| port.to_string());
    let word = PROTOCOLS.iter().find(|(_, known)| *known == protocol).map_or("", |(word, _)| *word);
    format!("{vip}:{port}/{word}")
}

/// A fragment names no port: one service of a VIP and protocol can take fragments by their addresses.
fn take_fragments(
    section: &mut Section,
    word: Option<&Word>,
    place: (Prefix, Protocol),
    endpoint: &str,
    taken: &mut Taken,
) {
    let first = taken.fragments.entry(place).or_insert_with(|| endpoint.to_owned());
    if let Some(word) = word
        && first != endpoint
    {
        let message = format!(
            "{endpoint} and {first} are both by-addresses, but fragments name no port; write follow in one"
        );
        section.error("fragments", word.referenced, message);
    }
}
