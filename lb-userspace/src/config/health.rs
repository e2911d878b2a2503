//! How a service's backends are checked, and what follows from it.

mod kind;
mod reaction;
mod tls;
mod value;

use std::time::Duration;

use lb_common::flow::Protocol;

use super::field::{Choice, Field, Group, Number, Scalar, Time};
use super::prefix::Prefix;
use super::section::Section;
use crate::health::probe::Probe;
use crate::health::{Interval, Limits, Settings};
use kind::{KIND, Kind};

/// How a service's backends are checked, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What a check is.
    pub probe: Probe,
    /// Where it is sent.
    pub via: Via,
    /// The port that is checked, in host byte order. 0 where there is none, and checks need none.
    pub port: u16,
    /// What follows from it.
    pub settings: Settings,
}

/// Where a check is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// To the VIP, as traffic is: forwarded to the backend by the datapath's means.
    Vip,
    /// To the backend's own address.
    Direct,
}

pub(super) static HEALTH: Group = Group {
    name: "health",
    about: "How backends are checked, and what follows from it. Default: they aren't.",
    fields: &[
        &[
            Field::Scalar(&KIND),
            Field::Scalar(&VIA),
            Field::Scalar(&PORT),
            Field::Scalar(&INTERVAL),
            Field::Scalar(&TIMEOUT),
            Field::Scalar(&JITTER),
            Field::Scalar(&RISE),
            Field::Scalar(&FALL),
        ],
        reaction::FIELDS,
        kind::FIELDS,
    ],
};

static VIA: Scalar<Choice<Via>> = Scalar {
    name: "via",
    about: "Where a check is sent: to the VIP, forwarded to the backend as traffic is, or to the backend's own address. \
            Default: vip; direct with kind: exec.",
    remedy: None,
    form: Choice(&[("vip", Via::Vip), ("direct", Via::Direct)]),
};

static PORT: Scalar<Number<u16>> = Scalar {
    name: "port",
    about: "The port that is checked. Default: the service's.",
    remedy: None,
    form: Number(1..=65_535),
};

/// From a thousand checks a second of one backend to one an hour.
const INTERVALS: std::ops::RangeInclusive<u32> = 1..=3_600_000;

static INTERVAL: Scalar<Time> = Scalar {
    name: "interval",
    about: "From the start of a check to that of the next one, as in 500ms, 2s, 1m. Default: 2s.",
    remedy: None,
    form: Time(INTERVALS),
};

static TIMEOUT: Scalar<Time> = Scalar {
    name: "timeout",
    about: "A check that takes longer has failed. Default: 1s.",
    remedy: None,
    form: Time(1..=600_000),
};

static JITTER: Scalar<Number<u8>> = Scalar {
    name: "jitter",
    about: "By how much of it each interval differs at random, to both sides, in percent. Default: 10.",
    remedy: None,
    form: Number(0..=50),
};

static RISE: Scalar<Number<u32>> = Scalar {
    name: "rise",
    about: "Passed checks in a row after which a backend that was down is up. Default: 2.",
    remedy: None,
    form: Number(1..=1000),
};

static FALL: Scalar<Number<u32>> = Scalar {
    name: "fall",
    about: "Failed checks in a row after which a backend that was up is down. Default: 3.",
    remedy: None,
    form: Number(1..=1000),
};

/// What a service says of it, or the defaults. The outer option is none if something is wrong; then it has been reported.
#[expect(clippy::option_option, reason = "known or not, and if known, there or not")]
pub(super) fn read(
    service: &mut Section,
    vip: Option<Prefix>,
    port: Option<Option<u16>>,
    protocol: Option<Protocol>,
) -> Option<Option<Health>> {
    let is_own = service.node(HEALTH.name).is_some();
    let Some(mut health) = service.inherited(HEALTH.name) else { return Some(None) };
    let kind = match health.maybe(&KIND)? {
        Some(Kind::None) => return Some(None),
        Some(kind) => kind,
        None if is_own => {
            let at = health.at();
            health.error(KIND.name, at, format!("missing; write {}", kind::WORDS));
            return None;
        }
        // Defaults that say no more than how often.
        None => return Some(None),
    };
    if is_own {
        kind::refuse_others(&mut health, kind);
    }
    let own_port = health.maybe(&PORT);
    if let (Some(None), Some(None)) = (own_port, port)
        && kind.needs_port()
    {
        let at = health.at();
        health.error(PORT.name, at, "missing; the service has any port, write the one that is checked");
        return None;
    }
    let means = kind::read(&mut health, kind, vip);
    let settings = settings(&mut health);
    let default = if kind == Kind::Exec { Via::Direct } else { Via::Vip };
    let via = health.optional(&VIA, default);
    let settings = settings?;
    if let (Some(Protocol::UDP), Some(_), Some(node)) = (protocol, settings.outliers, health.node("outliers"))
    {
        health.error("outliers", node.at, "the service is of UDP, which shows none; remove it");
        return None;
    }
    Some(Some(Health {
        probe: Probe { means: means?, timeout: settings.timeout },
        via: via?,
        port: own_port?.or(port?).unwrap_or_default(),
        settings,
    }))
}

/// What is wrong with the defaults, whatever services there are.
pub(super) fn check_defaults(root: &mut Section) {
    let Some(mut defaults) = root.section("defaults") else { return };
    let Some(mut health) = defaults.section(HEALTH.name) else { return };
    if let Some(Some(kind)) = health.maybe(&KIND) {
        kind::refuse_others(&mut health, kind);
    }
}

fn settings(health: &mut Section) -> Option<Settings> {
    let milliseconds = |time: u32| Duration::from_millis(time.into());
    let interval = Interval {
        usual: milliseconds(health.optional(&INTERVAL, 2000)?),
        jitter: health.optional(&JITTER, 10)?,
        adaptive: reaction::adaptive(health)?,
    };
    let timeout = milliseconds(health.optional(&TIMEOUT, 1000)?);
    let limits = Limits { rise: health.optional(&RISE, 2)?, fall: health.optional(&FALL, 3)? };
    reaction::read(health, interval, timeout, limits)
}

impl Health {
    /// What kind of check it is, as it is written.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        Kind::of(&self.probe.means).name()
    }
}
