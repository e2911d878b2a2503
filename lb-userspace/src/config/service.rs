//! What clients connect to.

use std::net::{IpAddr, SocketAddr};

use lb_common::flow::Protocol;
use serde_saphyr::Spanned;

use super::backend::{self, Backend};
use super::file::{self, List};
use super::section::{Section, Seen};
use super::value;

/// Services of a node.
const MOST: usize = lb_common::service::CAPACITY;

/// A service's slots unless the file says otherwise: a hundred for each of several hundred backends, 256 KiB.
const DEFAULT_TABLE_SIZE: u32 = 65_537;

/// What clients connect to, and who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unique on the node. `192.0.2.1:80/tcp` unless the file says otherwise.
    pub name: String,
    /// The VIP.
    pub address: IpAddr,
    /// The VIP's port, in host byte order; not 0.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// How a packet reaches its backend.
    pub forwarding: Forwarding,
    /// Slots of the lookup table; a prime and no fewer than backends.
    pub table_size: u32,
    /// Who answers, in the order of the file; may be empty.
    pub backends: Vec<Backend>,
}

/// How a packet reaches its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// By its MAC address: the backend is on one of the node's networks.
    L2,
    /// In an IP header of its own: the backend is anywhere, and takes that header off.
    Ipip,
}

const PROTOCOLS: &[(&str, Protocol)] = &[("tcp", Protocol::TCP), ("udp", Protocol::UDP)];

const FORWARDINGS: &[(&str, Forwarding)] = &[("l2", Forwarding::L2), ("ipip", Forwarding::Ipip)];

const SCHEDULERS: &[(&str, ())] = &[("maglev", ())];

/// What services must differ in.
#[derive(Default)]
struct Taken {
    /// VIP, port and protocol, as in `192.0.2.1:80/tcp`.
    endpoints: Seen<String>,
    names: Seen<String>,
}

pub(super) fn from_written(
    root: &mut Section,
    written: Option<&List<file::Service>>,
) -> Option<Vec<Service>> {
    let entries = root.list("services", written, "write services: [] if there are none yet")?;
    check_numbers(root, entries);
    let mut taken = Taken::default();
    let services = entries.iter().enumerate().filter_map(|(index, entry)| {
        service(&mut root.entry("services", index, entry), &entry.value, &mut taken)
    });
    Some(services.collect())
}

/// The maps of the datapath have a fixed number of entries, for all services together.
fn check_numbers(root: &mut Section, entries: &[Spanned<file::Service>]) {
    if let Some(entry) = entries.get(MOST) {
        let message = format!("{} services are listed; at most {MOST} are allowed", entries.len());
        root.error(&format!("services[{MOST}]"), entry.referenced, message);
    }
    let all = entries.iter().enumerate().flat_map(|(service, entry)| {
        let backends = entry.value.backends.iter().flat_map(|list| list.value.iter().enumerate());
        backends.map(move |(index, backend)| (service, index, backend))
    });
    let mut surplus = all.skip(backend::MOST);
    if let Some((service, index, entry)) = surplus.next() {
        let path = format!("services[{service}].backends[{index}]");
        let number = backend::MOST + 1 + surplus.count();
        let most = backend::MOST;
        let message = format!("all services together list {number} backends; at most {most} are allowed");
        root.error(&path, entry.referenced, message);
    }
}

fn service(section: &mut Section, written: &file::Service, taken: &mut Taken) -> Option<Service> {
    let vip = section.required("vip", written.vip.as_ref(), "write the service's IP address", value::vip);
    let port = section.required("port", written.port.as_ref(), "write 1 to 65535", |text| {
        value::number(text, &(1..=65_535))
    });
    let protocol = section.required("protocol", written.protocol.as_ref(), "write tcp or udp", |text| {
        value::choice(text, PROTOCOLS)
    });
    let forwarding =
        section.required("forwarding", written.forwarding.as_ref(), "write l2 or ipip", |text| {
            value::choice(text, FORWARDINGS)
        });
    let scheduler =
        section.optional("scheduler", written.scheduler.as_ref(), (), |text| value::choice(text, SCHEDULERS));
    let table_size =
        section.optional("table_size", written.table_size.as_ref(), DEFAULT_TABLE_SIZE, value::table_size);

    let mut default_name = None;
    if let (Some(word), Some(vip), Some(port), Some(protocol)) = (&written.vip, vip, port, protocol) {
        // The same endpoint twice is one fault, even where it is the name too.
        default_name = section
            .unique("vip", word.referenced, &mut taken.endpoints, endpoint(vip, port, protocol), "remove one")
            .map(|endpoint| (endpoint, word.referenced));
    }
    let name = section.name(written.name.as_ref(), default_name, &mut taken.names);

    let backends = backend::from_written(section, written.backends.as_ref(), vip);
    if let (Some(list), Some(size)) = (&written.backends, table_size)
        && list.value.len() > size as usize
    {
        let message = format!(
            "{} backends are listed; a table of {size} slots has room for {size}, raise table_size",
            list.value.len()
        );
        section.error("backends", list.referenced, message);
    }
    scheduler?;
    Some(Service {
        name: name?,
        address: vip?,
        port: port?,
        protocol: protocol?,
        forwarding: forwarding?,
        table_size: table_size?,
        backends: backends?,
    })
}

/// As in `192.0.2.1:80/tcp` and `[2001:db8::1]:80/tcp`.
fn endpoint(vip: IpAddr, port: u16, protocol: Protocol) -> String {
    let word = PROTOCOLS.iter().find(|(_, known)| *known == protocol).map_or("", |(word, _)| *word);
    format!("{}/{word}", SocketAddr::new(vip, port))
}
