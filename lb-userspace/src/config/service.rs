//! What clients connect to.

use std::collections::HashMap;
use std::net::IpAddr;

use super::backend::{self, BACKENDS, Backend};
use super::field::{Choice, Entries, Field, Fields, Group, List, NumberOr, Scalar, SomeOf, Text};
use super::flows::{self, Flows};
use super::forwarding::{self, FORWARDING, Forwarding, GUE_PORT};
use super::health::{self, HEALTH, Health, Via};
use super::loops;
use super::maps::MapSizes;
use super::prefix::Prefix;
use super::quic::{self, QUIC};
use super::section::{Section, Seen};
use super::tree::Node;
use super::value;
use lb_common::flow::Protocol;

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
    /// How backends are checked, if they are.
    pub health: Option<Health>,
    /// Who answers, in the order of the file; may be empty.
    pub backends: Vec<Backend>,
}

impl Service {
    /// The VIP that checks of its backends are sent to, if they are.
    #[must_use]
    pub fn checked_vip(&self) -> Option<IpAddr> {
        self.health.as_ref().filter(|health| health.via == Via::Vip).map(|_| self.vip.address)
    }
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

pub(super) static SERVICES: List = List {
    name: "services",
    about: "What clients connect to.",
    remedy: Some("write services: [] if there are none yet"),
    may_be_empty: true,
    of: Entries::Sections(FIELDS),
};

/// What services have that say nothing else.
pub(super) static DEFAULTS: Group = Group {
    name: "defaults",
    about: "What services have that say nothing else.",
    fields: &[SHARED, flows::FIELDS, &[Field::Section(&HEALTH)]],
};

static FIELDS: Fields = &[
    &[Field::Scalar(&NAME), Field::Scalar(&VIP), Field::Scalar(&PORT), Field::Scalar(&PROTOCOL)],
    SHARED,
    flows::FIELDS,
    &[Field::Section(&HEALTH), Field::Section(&QUIC), Field::List(&BACKENDS)],
];

static SHARED: &[Field] = &[
    Field::Scalar(&FORWARDING),
    Field::Scalar(&GUE_PORT),
    Field::Scalar(&AFFINITY),
    Field::Scalar(&FRAGMENTS),
    Field::Scalar(&TABLE_SIZE),
];

static NAME: Scalar<Text<String>> = Scalar {
    name: "name",
    about: "Unique on the node. Default: VIP, port and protocol, as in 192.0.2.1:80/tcp.",
    remedy: None,
    form: Text(value::name),
};

pub(super) static VIP: Scalar<Text<Prefix>> = Scalar {
    name: "vip",
    about: "The virtual IP address, or a prefix of such addresses with zeros behind it.",
    remedy: Some("write the service's IP address or prefix"),
    form: Text(value::vip),
};

static PORT: Scalar<NumberOr<Option<u16>>> = Scalar {
    name: "port",
    about: "The port, or any: all ports for which the VIP has no other service of the protocol.",
    remedy: Some("write 1 to 65535, or any"),
    form: NumberOr(1..=65_535, "any", value::port),
};

static PROTOCOL: Scalar<Choice<Protocol>> = Scalar {
    name: "protocol",
    about: "TCP or UDP.",
    remedy: Some("write tcp or udp"),
    form: Choice(PROTOCOLS),
};

const PROTOCOLS: &[(&str, Protocol)] = &[("tcp", Protocol::TCP), ("udp", Protocol::UDP)];

static AFFINITY: Scalar<Choice<Affinity>> = Scalar {
    name: "affinity",
    about: "Which flows go to the same backend: each for itself, or all of a client's address. Default: flow.",
    remedy: None,
    form: Choice(&[("flow", Affinity::Flow), ("source", Affinity::Source)]),
};

static FRAGMENTS: Scalar<Choice<Fragments>> = Scalar {
    name: "fragments",
    about: "Where a fragment goes that names no port: where the first one went, or where all packets between its \
            addresses go. Default: follow.",
    remedy: None,
    form: Choice(&[("follow", Fragments::Follow), ("by-addresses", Fragments::ByAddresses)]),
};

static TABLE_SIZE: Scalar<SomeOf> = Scalar {
    name: "table_size",
    about: "Slots of the lookup table: a prime, the same on every node. Default: 65537.",
    remedy: None,
    form: SomeOf(value::TABLE_SIZES, value::table_size),
};

/// What services must differ in.
#[derive(Default)]
struct Taken {
    /// VIP, port and protocol, as in `192.0.2.1:80/tcp`.
    endpoints: Seen<String>,
    names: Seen<String>,
    /// Who takes the fragments of a VIP and protocol by their addresses: VIP, port and protocol, as above.
    fragments: HashMap<(Prefix, Protocol), String>,
}

/// Those that are right; what is wrong has been reported. `maps` is how much there is room for, if that is known.
pub(super) fn read(root: &mut Section, maps: Option<MapSizes>) -> Option<Vec<Service>> {
    let entries = root.list(SERVICES.name)?.0;
    if let Some(maps) = maps {
        check_numbers(root, entries, maps);
    }
    loops::check(root, entries);
    let defaults = root.node(DEFAULTS.name);
    health::check_defaults(root);
    let mut taken = Taken::default();
    let services = entries.iter().enumerate().filter_map(|(index, entry)| {
        service(&mut root.entry(SERVICES.name, index, entry).with_defaults(defaults), &mut taken)
    });
    Some(services.collect())
}

/// The maps of the datapath have a number of entries, for all services together.
fn check_numbers(root: &mut Section, entries: &[Node], maps: MapSizes) {
    let most = maps.services as usize;
    if let Some(entry) = entries.get(most) {
        let message = format!("{} services are listed; {}", entries.len(), maps.too_many_services());
        root.error(&format!("services[{most}]"), entry.at, message);
    }
    let all = entries.iter().enumerate().flat_map(|(service, entry)| {
        let backends = entry.field(BACKENDS.name).map_or(&[][..], Node::entries);
        backends.iter().enumerate().map(move |(index, backend)| (service, index, backend))
    });
    let most = maps.backends as usize;
    let mut surplus = all.skip(most);
    if let Some((service, index, entry)) = surplus.next() {
        let path = format!("services[{service}].backends[{index}]");
        let number = most + 1 + surplus.count();
        let message = format!("all services together list {number} backends; {}", maps.too_many_backends());
        root.error(&path, entry.at, message);
    }
}

fn service(section: &mut Section, taken: &mut Taken) -> Option<Service> {
    let vip = section.required(&VIP);
    let port = section.required(&PORT);
    let protocol = section.required(&PROTOCOL);
    let forwarding = forwarding::read(section);
    let affinity = section.optional(&AFFINITY, Affinity::default());
    let fragments = section.optional(&FRAGMENTS, Fragments::default());
    let quic = quic::read(section, protocol);
    let flows = flows::read(section, protocol);
    let table_size = section.optional(&TABLE_SIZE, DEFAULT_TABLE_SIZE);
    let health = health::read(section, vip, port, protocol);

    let mut default_name = None;
    if let (Some(word), Some(vip), Some(port), Some(protocol)) = (section.word(&VIP), vip, port, protocol) {
        // The same endpoint twice is one fault, even where it is the name too.
        let endpoint = endpoint(vip, port, protocol);
        default_name = section
            .unique(VIP.name, word.at, &mut taken.endpoints, endpoint, "remove one")
            .map(|endpoint| (endpoint, word.at));
        if let (Some((endpoint, _)), Some(Fragments::ByAddresses)) = (&default_name, fragments) {
            take_fragments(section, (vip, protocol), endpoint, taken);
        }
    }
    let name = section.name(&NAME, default_name, &mut taken.names);

    let backends = backend::read(section, vip, quic);
    if let (Some((entries, at)), Some(size)) = (section.list(BACKENDS.name), table_size)
        && entries.len() > size as usize
    {
        let message = format!(
            "{} backends are listed; a table of {size} slots has room for {size}, raise table_size",
            entries.len()
        );
        section.error(BACKENDS.name, at, message);
    }
    Some(Service {
        name: name?,
        vip: vip?,
        port: port?,
        protocol: protocol?,
        forwarding: forwarding?,
        affinity: if flows::is_by_source(section) { Affinity::Source } else { affinity? },
        fragments: fragments?,
        quic_server_id_length: quic?.server_id_length,
        flows: flows?,
        table_size: table_size?,
        health: health?,
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
fn take_fragments(section: &mut Section, place: (Prefix, Protocol), endpoint: &str, taken: &mut Taken) {
    let first = taken.fragments.entry(place).or_insert_with(|| endpoint.to_owned());
    if first != endpoint {
        // It may be so by default.
        let at = section.word(&FRAGMENTS).map_or(section.at(), |word| word.at);
        let message = format!(
            "{endpoint} and {first} are both by-addresses, but fragments name no port; write follow in one"
        );
        section.error(FRAGMENTS.name, at, message);
    }
}
