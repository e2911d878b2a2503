//! A service's backends.

use std::net::IpAddr;

use lb_common::wire::quic::ServerId;

use super::file::{self, List};
use super::flows::OTHER_TIMES;
use super::prefix::Prefix;
use super::quic::{self, Quic};
use super::section::{Section, Seen};
use super::value;

/// A server that answers for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Unique in its service; the lookup table depends on it. The address unless the file says otherwise.
    pub name: String,
    /// Where packets are sent. Never one of the node's VIPs.
    pub address: IpAddr,
    /// What it puts into QUIC's connection IDs, unique in its service; there if its service is QUIC's.
    pub quic_server_id: Option<ServerId>,
    /// Its share of new flows among the weights of its service, 0 to 65,535. 0 takes none.
    pub weight: u32,
    /// Which flows it takes.
    pub state: AdminState,
    /// Seconds for which it keeps its flows when it leaves or drains; its service's time if none.
    pub drain_timeout: Option<u32>,
}

/// Which flows a backend takes, as far as its operator decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminState {
    /// New and old ones.
    #[default]
    Active,
    /// Its old ones only, for its drain time.
    Draining,
    /// None.
    Disabled,
}

const STATES: &[(&str, AdminState)] =
    &[("active", AdminState::Active), ("draining", AdminState::Draining), ("disabled", AdminState::Disabled)];

impl AdminState {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            AdminState::Active => "active",
            AdminState::Draining => "draining",
            AdminState::Disabled => "disabled",
        }
    }
}

/// What a service's backends must differ in.
#[derive(Default)]
struct Taken {
    addresses: Seen<IpAddr>,
    names: Seen<String>,
    /// In lower case.
    server_ids: Seen<String>,
}

/// `vip` and `quic` are the service's, if they are known.
pub(super) fn from_written(
    service: &mut Section,
    written: Option<&List<file::Backend>>,
    vip: Option<Prefix>,
    quic: Option<Quic>,
) -> Option<Vec<Backend>> {
    let entries = service.list("backends", written, "write backends: [] if there are none yet")?;
    let mut taken = Taken::default();
    let backends: Vec<Backend> = entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| {
            backend(&mut service.entry("backends", index, entry), &entry.value, vip, quic, &mut taken)
        })
        .collect();

    // That all are drained or disabled is someone's decision, and said where backends are listed.
    let understood = !backends.is_empty() && backends.len() == entries.len();
    if let Some(list) = written
        && understood
        && backends.iter().all(|backend| backend.weight == 0)
    {
        let message =
            "every backend has weight 0, so none would take a flow; give one a weight of at least 1";
        service.error("backends", list.referenced, message);
    }
    Some(backends)
}

fn backend(
    section: &mut Section,
    written: &file::Backend,
    vip: Option<Prefix>,
    quic: Option<Quic>,
    taken: &mut Taken,
) -> Option<Backend> {
    let remedy = "write the backend's IP address";
    let address = section.required("address", written.address.as_ref(), remedy, value::backend_address);
    let weight =
        section.optional("weight", written.weight.as_ref(), 1, |text| value::number(text, &(0..=65_535)));
    let state = section
        .optional("state", written.state.as_ref(), AdminState::default(), |text| value::choice(text, STATES));
    let drain_timeout = section.optional("drain_timeout", written.drain_timeout.as_ref(), None, |text| {
        value::seconds(text, &OTHER_TIMES).map(Some)
    });

    let word = written.quic_server_id.as_ref();
    let quic_server_id = quic::server_id(section, word, quic, &mut taken.server_ids);

    let mut default_name = None;
    if let (Some(address), Some(word)) = (address, &written.address) {
        if let Some(vip) = vip
            && vip.contains(address)
        {
            let place = if vip.is_one_address() {
                "the service's VIP".to_owned()
            } else {
                format!("inside the service's VIP {vip}")
            };
            let message = format!("{address} is {place}; write the backend's own address");
            section.error("address", word.referenced, message);
        }
        // The same address twice is one fault, even where it is the name too.
        default_name = section
            .unique("address", word.referenced, &mut taken.addresses, address, "remove one")
            .map(|address| (address.to_string(), word.referenced));
    }
    let name = section.name(written.name.as_ref(), default_name, &mut taken.names);
    Some(Backend {
        name: name?,
        address: address?,
        quic_server_id: quic_server_id?,
        weight: weight?,
        state: state?,
        drain_timeout: drain_timeout?,
    })
}
