//! How long a service keeps its flows, and at whom.

use lb_common::clock::Epoch;
use lb_common::flow::Protocol;
use lb_common::service::Scheduler;

use super::file;
use super::section::Section;
use super::value;

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
const DRAIN_TIMEOUT: u32 = 3600;
const DOWN_GRACE: u32 = 30;

/// The words and numbers of the schedulers. Those by hash differ in what is hashed.
const SCHEDULERS: &[(&str, Scheduler)] = &[
    ("maglev", Scheduler::HASH),
    ("source_hash", Scheduler::HASH),
    ("round_robin", Scheduler::ROUND_ROBIN),
    ("weighted_round_robin", Scheduler::ROUND_ROBIN),
    ("random", Scheduler::RANDOM),
    ("two_choices", Scheduler::TWO_CHOICES),
    ("least_connections", Scheduler::LEAST_CONNECTIONS),
];

/// The scheduler whose flows are those of a client's address.
const SOURCE_HASH: &str = "source_hash";

const DOWN_FLOWS: &[(&str, DownFlows)] = &[("reset", DownFlows::Reset), ("keep", DownFlows::Keep)];

const DATAGRAMS: &[(&str, Datagrams)] = &[("sticky", Datagrams::Sticky), ("stateless", Datagrams::Stateless)];

impl Flows {
    /// What a service has that says nothing of it.
    #[must_use]
    pub fn default_of(protocol: Protocol) -> Self {
        Flows {
            scheduler: Scheduler::HASH,
            idle_timeout: if protocol == Protocol::TCP { IDLE_TCP } else { IDLE_UDP },
            drain_timeout: DRAIN_TIMEOUT,
            down_grace: DOWN_GRACE,
            down_flows: DownFlows::default(),
            datagrams: Datagrams::default(),
        }
    }

    /// The scheduler's name, as it is written.
    #[must_use]
    pub fn scheduler_name(&self) -> &'static str {
        SCHEDULERS.iter().find(|(_, scheduler)| *scheduler == self.scheduler).map_or("", |(name, _)| *name)
    }

    /// Whether every flow is pinned: where it goes isn't a function of the flow.
    #[must_use]
    pub fn are_pinned(&self) -> bool {
        self.scheduler != Scheduler::HASH
    }
}

const _: () = assert!(lb_common::clock::epochs(*IDLE_TIMES.end()) < Epoch::LONGEST);

/// What a service says of its flows. None if that is wrong; then it has been reported.
pub(super) fn from_written(
    section: &mut Section,
    written: &file::Service,
    protocol: Option<Protocol>,
) -> Option<Flows> {
    let default = Flows::default_of(protocol.unwrap_or(Protocol::TCP));
    let scheduler = section.optional("scheduler", written.scheduler.as_ref(), default.scheduler, |text| {
        value::choice(text, SCHEDULERS)
    });
    let mut seconds = |field, word: &Option<file::Word>, default, range| {
        section.optional(field, word.as_ref(), default, |text| value::seconds(text, range))
    };
    let idle_timeout = seconds("idle_timeout", &written.idle_timeout, default.idle_timeout, &IDLE_TIMES);
    let drain_timeout = seconds("drain_timeout", &written.drain_timeout, default.drain_timeout, &OTHER_TIMES);
    let down_grace = seconds("down_grace", &written.down_grace, default.down_grace, &OTHER_TIMES);
    let down_flows =
        section.optional("down_flows", written.down_flows.as_ref(), default.down_flows, |text| {
            value::choice(text, DOWN_FLOWS)
        });
    let datagrams = section
        .optional("udp", written.udp.as_ref(), default.datagrams, |text| value::choice(text, DATAGRAMS));
    if let (Some(word), Some(Protocol::TCP)) = (&written.udp, protocol) {
        section.error("udp", word.referenced, "the service is of TCP, which has none; remove it");
    }
    Some(Flows {
        scheduler: scheduler?,
        idle_timeout: idle_timeout?,
        drain_timeout: drain_timeout?,
        down_grace: down_grace?,
        down_flows: down_flows?,
        datagrams: datagrams?,
    })
}

/// Whether the scheduler goes by the client's address alone.
pub(super) fn is_by_source(written: &file::Service) -> bool {
    written.scheduler.as_ref().is_some_and(|word| word.value == SOURCE_HASH)
}
