//! How long a service keeps its flows, and at whom.

use lb_common::clock::Epoch;
use lb_common::flow::Protocol;
use lb_common::service::Scheduler;

use super::field::{Choice, Field, Scalar, Seconds};
use super::section::Section;

/// How a service keeps its flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flows {
    /// How a new flow's backend is chosen.
    pub scheduler: Scheduler,
    /// Seconds without a packet after which a flow may be forgotten.
    pub idle_timeout: u32,
    /// Seconds for which a backend that leaves or is drained keeps its flows.
    pub drain_timeout: u32,
    /// Seconds for which a backend keeps its flows while it can't be reached.
    pub down_grace: u32,
    /// What becomes of them then.
    pub down_flows: DownFlows,
    /// Whether datagrams have flows at all.
    pub datagrams: Datagrams,
}

/// What becomes of the flows of a backend that is down for longer than its grace time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DownFlows {
    /// They go to another one, which resets them, so that clients connect anew.
    #[default]
    Reset,
    /// They wait for it.
    Keep,
}

/// What UDP packets of the same addresses and ports have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Datagrams {
    /// A flow, which keeps its backend.
    #[default]
    Sticky,
    /// Nothing: when backends change, the next packet may go to another one.
    Stateless,
}

/// Seconds for which flows may pause: from a few of the datapath's epochs to what it can tell apart.
const IDLE_TIMES: std::ops::RangeInclusive<u32> = 10..=64_800;
/// Seconds for which old flows may be kept otherwise: none to a week.
pub(super) const OTHER_TIMES: std::ops::RangeInclusive<u32> = 0..=604_800;

/// As long as most keep an idle connection: twice the two hours of TCP's keepalive would be safe, this is useful.
const IDLE_TCP: u32 = 3600;
/// What RFC 4787 asks of those who keep UDP flows, and then some.
const IDLE_UDP: u32 = 300;
const DEFAULT_DRAIN_TIMEOUT: u32 = 3600;
const DEFAULT_DOWN_GRACE: u32 = 30;

/// Those by hash differ in what is hashed: the flow, or the client's address alone.
static SCHEDULER: Scalar<Choice<(Scheduler, bool)>> = Scalar {
    name: "scheduler",
    about: "How new flows are shared out. Default: maglev, by a hash of the flow.",
    remedy: None,
    form: Choice(SCHEDULERS),
};

/// The words and numbers of the schedulers, and whether they go by the client's address alone.
const SCHEDULERS: &[(&str, (Scheduler, bool))] = &[
    ("maglev", (Scheduler::HASH, false)),
    ("source_hash", (Scheduler::HASH, true)),
    ("round_robin", (Scheduler::ROUND_ROBIN, false)),
    ("weighted_round_robin", (Scheduler::ROUND_ROBIN, false)),
    ("random", (Scheduler::RANDOM, false)),
    ("two_choices", (Scheduler::TWO_CHOICES, false)),
    ("least_connections", (Scheduler::LEAST_CONNECTIONS, false)),
];

static UDP: Scalar<Choice<Datagrams>> = Scalar {
    name: "udp",
    about: "Whether the datagrams of a client's port belong together; only with udp. Default: sticky.",
    remedy: None,
    form: Choice(&[("sticky", Datagrams::Sticky), ("stateless", Datagrams::Stateless)]),
};

static IDLE_TIMEOUT: Scalar<Seconds> = Scalar {
    name: "idle_timeout",
    about: "How long a flow is kept without a packet when backends change, as in 90s, 15m, 2h. Default: 1h for tcp, 5m for udp.",
    remedy: None,
    form: Seconds(IDLE_TIMES),
};

static DRAIN_TIMEOUT: Scalar<Seconds> = Scalar {
    name: "drain_timeout",
    about: "How long a backend that leaves or is drained keeps its flows. Default: 1h.",
    remedy: None,
    form: Seconds(OTHER_TIMES),
};

static DOWN_GRACE: Scalar<Seconds> = Scalar {
    name: "down_grace",
    about: "How long a backend that can't be reached keeps its flows. Default: 30s.",
    remedy: None,
    form: Seconds(OTHER_TIMES),
};

static DOWN_FLOWS: Scalar<Choice<DownFlows>> = Scalar {
    name: "down_flows",
    about: "What becomes of them then: they go to another backend, which resets them, or they wait. Default: reset.",
    remedy: None,
    form: Choice(&[("reset", DownFlows::Reset), ("keep", DownFlows::Keep)]),
};

/// The fields of a service that are about its flows.
pub(super) static FIELDS: &[Field] = &[
    Field::Scalar(&SCHEDULER),
    Field::Scalar(&UDP),
    Field::Scalar(&IDLE_TIMEOUT),
    Field::Scalar(&DRAIN_TIMEOUT),
    Field::Scalar(&DOWN_GRACE),
    Field::Scalar(&DOWN_FLOWS),
];

impl Flows {
    /// What a service has that says nothing of it.
    #[must_use]
    pub fn default_of(protocol: Protocol) -> Self {
        Flows {
            scheduler: Scheduler::HASH,
            idle_timeout: if protocol == Protocol::TCP { IDLE_TCP } else { IDLE_UDP },
            drain_timeout: DEFAULT_DRAIN_TIMEOUT,
            down_grace: DEFAULT_DOWN_GRACE,
            down_flows: DownFlows::default(),
            datagrams: Datagrams::default(),
        }
    }

    /// The scheduler's name, as it is written.
    #[must_use]
    pub fn scheduler_name(&self) -> &'static str {
        SCHEDULERS
            .iter()
            .find(|(_, (scheduler, _))| *scheduler == self.scheduler)
            .map_or("", |(name, _)| *name)
    }

    /// Whether every flow is pinned: where it goes isn't a function of the flow.
    #[must_use]
    pub fn are_pinned(&self) -> bool {
        self.scheduler != Scheduler::HASH
    }
}

const _: () = assert!(lb_common::clock::epochs(*IDLE_TIMES.end()) < Epoch::LONGEST);

/// What a service says of its flows. None if that is wrong; then it has been reported.
pub(super) fn read(service: &mut Section, protocol: Option<Protocol>) -> Option<Flows> {
    let default = Flows::default_of(protocol.unwrap_or(Protocol::TCP));
    // In the defaults it is for those services that have datagrams.
    if let (Some(word), Some(Protocol::TCP)) = (service.word(&UDP), protocol) {
        service.error(UDP.name, word.at, "the service is of TCP, which has none; remove it");
    }
    Some(Flows {
        scheduler: service.optional(&SCHEDULER, (default.scheduler, false))?.0,
        idle_timeout: service.optional(&IDLE_TIMEOUT, default.idle_timeout)?,
        drain_timeout: service.optional(&DRAIN_TIMEOUT, default.drain_timeout)?,
        down_grace: service.optional(&DOWN_GRACE, default.down_grace)?,
        down_flows: service.optional(&DOWN_FLOWS, default.down_flows)?,
        datagrams: service.optional(&UDP, default.datagrams)?,
    })
}

/// Whether the scheduler goes by the client's address alone.
pub(super) fn is_by_source(service: &Section) -> bool {
    service.required(&SCHEDULER).is_some_and(|(_, by_source)| by_source)
}
