//! A service's backends.

use std::net::IpAddr;

use lb_common::wire::quic::ServerId;

use super::field::{Choice, Entries, Field, List, Number, Scalar, Seconds, Text, YesOrNo};
use super::flows::OTHER_TIMES;
use super::prefix::Prefix;
use super::quic::{self, Quic, SERVER_ID};
use super::section::{Section, Seen, Word};
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
    /// Whether it takes new flows only where too few others are healthy.
    pub is_backup: bool,
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

pub(super) static BACKENDS: List = List {
    name: "backends",
    about: "Who answers.",
    remedy: Some("write backends: [] if there are none yet"),
    may_be_empty: true,
    of: Entries::Sections(&[&[
        Field::Scalar(&NAME),
        Field::Scalar(&ADDRESS),
        Field::Scalar(&WEIGHT),
        Field::Scalar(&STATE),
        Field::Scalar(&DRAIN_TIMEOUT),
        Field::Scalar(&BACKUP),
        Field::Scalar(&SERVER_ID),
    ]]),
};

static NAME: Scalar<Text<String>> = Scalar {
    name: "name",
    about: "Unique in the service. The choice of backends is made from the names: keep a name when an address \
            changes. Default: the address.",
    remedy: None,
    form: Text(value::name),
};

pub(super) static ADDRESS: Scalar<Text<IpAddr>> = Scalar {
    name: "address",
    about: "The backend's own IP address.",
    remedy: Some("write the backend's IP address"),
    form: Text(value::backend_address),
};

static WEIGHT: Scalar<Number<u32>> = Scalar {
    name: "weight",
    about: "Its share of new flows, in proportion to the other weights of the service; 0 takes none. Default: 1.",
    remedy: None,
    form: Number(0..=65_535),
};

static STATE: Scalar<Choice<AdminState>> = Scalar {
    name: "state",
    about: "Which flows it takes: new and old ones, its old ones only, or none. Default: active.",
    remedy: None,
    form: Choice(&[
        ("active", AdminState::Active),
        ("draining", AdminState::Draining),
        ("disabled", AdminState::Disabled),
    ]),
};

static DRAIN_TIMEOUT: Scalar<Seconds> = Scalar {
    name: "drain_timeout",
    about: "How long it keeps its flows when it leaves or is drained. Default: the service's drain_timeout.",
    remedy: None,
    form: Seconds(OTHER_TIMES),
};

static BACKUP: Scalar<YesOrNo> = Scalar {
    name: "backup",
    about: "Whether it takes new flows only where too few others are healthy; see health.backups. Default: false.",
    remedy: None,
    form: YesOrNo,
};

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

/// Those that are right; what is wrong has been reported. `vip` and `quic` are the service's, if they are known.
pub(super) fn read(service: &mut Section, vip: Option<Prefix>, quic: Option<Quic>) -> Option<Vec<Backend>> {
    let (entries, at) = service.list(BACKENDS.name)?;
    let mut taken = Taken::default();
    let backends: Vec<Backend> = entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| {
            backend(&mut service.entry(BACKENDS.name, index, entry), vip, quic, &mut taken)
        })
        .collect();

    // That all are drained or disabled is someone's decision, and said where backends are listed.
    let understood = !backends.is_empty() && backends.len() == entries.len();
    if understood && backends.iter().all(|backend| backend.weight == 0) {
        let message =
            "every backend has weight 0, so none would take a flow; give one a weight of at least 1";
        service.error(BACKENDS.name, at, message);
    }
    Some(backends)
}

fn backend(
    section: &mut Section,
    vip: Option<Prefix>,
    quic: Option<Quic>,
    taken: &mut Taken,
) -> Option<Backend> {
    let address = section.required(&ADDRESS);
    let quic_server_id = quic::read_server_id(section, quic, &mut taken.server_ids);
    let mut default_name = None;
    if let (Some(address), Some(Word { at, .. })) = (address, section.word(&ADDRESS)) {
        if let Some(vip) = vip
            && vip.contains(address)
        {
            let place = if vip.is_one_address() {
                "the service's VIP".to_owned()
            } else {
                format!("inside the service's VIP {vip}")
            };
            let message = format!("{address} is {place}; write the backend's own address");
            section.error(ADDRESS.name, at, message);
        }
        // The same address twice is one fault, even where it is the name too.
        default_name = section
            .unique(ADDRESS.name, at, &mut taken.addresses, address, "remove one")
            .map(|address| (address.to_string(), at));
    }
    Some(Backend {
        name: section.name(&NAME, default_name, &mut taken.names)?,
        address: address?,
        quic_server_id: quic_server_id?,
        weight: section.optional(&WEIGHT, 1)?,
        state: section.optional(&STATE, AdminState::default())?,
        drain_timeout: section.maybe(&DRAIN_TIMEOUT)?,
        is_backup: section.optional(&BACKUP, false)?,
    })
}
