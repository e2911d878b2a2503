//! What follows from checks and from the traffic itself.

use std::time::Duration;

use super::super::field::{Choice, Field, Group, Number, Scalar, Time};
use super::super::section::Section;
use crate::health::{
    Adaptive, Flapping, Interval, Limits, OnAllDown, Opening, Outliers, Percent, Settings, SlowStart,
    Threshold,
};

pub(super) static FIELDS: &[Field] = &[
    Field::Section(&ADAPTIVE),
    Field::Section(&SLOW_START),
    Field::Section(&FLAPPING),
    Field::Section(&PANIC),
    Field::Section(&BACKUPS),
    Field::Scalar(&ON_ALL_DOWN),
    Field::Scalar(&MIN_HEALTHY),
    Field::Section(&OUTLIERS),
];

/// The longest time that anything here may take: a day, in milliseconds.
const LONGEST: u32 = 86_400_000;

static ADAPTIVE: Group = Group {
    name: "adaptive",
    about: "Other intervals for who is about to change and for who is long stable. Default: the same.",
    fields: &[&[Field::Scalar(&FAST), Field::Scalar(&SLOW), Field::Scalar(&STABLE_AFTER)]],
};

static FAST: Scalar<Time> =
    time("fast", "The interval while a backend may be about to change. Default: 500ms.", 1);
static SLOW: Scalar<Time> = time("slow", "The interval when it hasn't changed for long. Default: 10s.", 1);
static STABLE_AFTER: Scalar<Time> = time("stable_after", "How long that is. Default: 1m.", 0);

static SLOW_START: Group = Group {
    name: "slow_start",
    about: "Who comes back begins with a part of its weight, which grows. Default: with all of it.",
    fields: &[&[Field::Scalar(&TIME), Field::Scalar(&STEPS)]],
};

static TIME: Scalar<Time> = time("time", "Until it has its whole weight. Default: 30s.", 1);
static STEPS: Scalar<Number<u32>> =
    number("steps", "In how many steps: each moves as few slots as it can. Default: 10.", 1, 1000);

static FLAPPING: Group = Group {
    name: "flapping",
    about: "Who goes down too often is held down for a while, each time for twice as long. Default: nobody is.",
    fields: &[&[
        Field::Scalar(&FALLS),
        Field::Scalar(&WITHIN),
        Field::Scalar(&HOLD),
        Field::Scalar(&LONGEST_HOLD),
    ]],
};

static FALLS: Scalar<Number<u32>> = number("falls", "So many times down. Default: 3.", 1, 1000);
static WITHIN: Scalar<Time> = time("within", "Within this time. Default: 5m.", 1);
static HOLD: Scalar<Time> = time("hold", "For how long it is held down the first time. Default: 1m.", 1);
static LONGEST_HOLD: Scalar<Time> = time("longest", "But never for longer. Default: 10m.", 1);

static PANIC: Group = Group {
    name: "panic",
    about: "When so few are healthy that checks are ignored: by the share of healthy backends. Default: never.",
    fields: THRESHOLD,
};

static BACKUPS: Group = Group {
    name: "backups",
    about: "When backups are used: by the share of healthy backends that aren't backups. Default: when none is healthy.",
    fields: THRESHOLD,
};

static THRESHOLD: super::super::field::Fields = &[&[Field::Scalar(&BELOW), Field::Scalar(&UNTIL)]];

static BELOW: Scalar<Number<u8>> =
    number("below", "It begins below this share, in percent. Default: 50.", 0, 100);
static UNTIL: Scalar<Number<u8>> =
    number("until", "It ends at this share, in percent; not less than below. Default: below.", 0, 100);

static ON_ALL_DOWN: Scalar<Choice<OnAllDown>> = Scalar {
    name: "on_all_down",
    about: "What becomes of new flows when no backend is healthy: they are forwarded all the same, dropped, or rejected. \
            Default: forward.",
    remedy: None,
    form: Choice(&[
        ("forward", OnAllDown::Forward),
        ("drop", OnAllDown::Drop),
        ("reject", OnAllDown::Reject),
    ]),
};

static MIN_HEALTHY: Scalar<Number<u32>> =
    number("min_healthy", "With fewer healthy backends the service counts as down. Default: 1.", 1, 65_535);

static OUTLIERS: Group = Group {
    name: "outliers",
    about: "Who does clearly worse than its peers, as the traffic itself shows, is ejected for a while. Only with tcp. \
            Default: nobody is.",
    fields: &[&[
        Field::Scalar(&SHARE),
        Field::Scalar(&LEAST_FLOWS),
        Field::Scalar(&NORMAL),
        Field::Scalar(&TIMES),
        Field::Scalar(&EJECTED_FOR),
        Field::Scalar(&LONGEST_EJECTION),
        Field::Scalar(&TRIAL),
    ]],
};

static SHARE: Scalar<Number<u8>> = number(
    "share",
    "The most that may be ejected of the backends that are up, in percent. Default: 20.",
    0,
    100,
);
static LEAST_FLOWS: Scalar<Number<u32>> =
    number("least_flows", "Fewer new flows in 10 s say nothing. Default: 100.", 1, 1_000_000);
static NORMAL: Scalar<Number<u32>> =
    number("normal", "Troubles in a hundred new flows that are normal in any case. Default: 5.", 0, 100);
static TIMES: Scalar<Number<u32>> =
    number("times", "More than so many times its peers' median is clearly worse. Default: 3.", 1, 1000);
static EJECTED_FOR: Scalar<Time> =
    time("ejected_for", "The first time; twice as long each time after that. Default: 30s.", 1);
static LONGEST_EJECTION: Scalar<Time> = time("longest", "But never for longer. Default: 5m.", 1);
static TRIAL: Scalar<Number<u8>> =
    number("trial", "The part of its weight that it is tried with then, in percent. Default: 10.", 1, 100);

const fn time(name: &'static str, about: &'static str, least: u32) -> Scalar<Time> {
    Scalar { name, about, remedy: None, form: Time(least..=LONGEST) }
}

const fn number<T>(name: &'static str, about: &'static str, least: T, most: T) -> Scalar<Number<T>> {
    Scalar { name, about, remedy: None, form: Number(least..=most) }
}

fn milliseconds(time: u32) -> Duration {
    Duration::from_millis(time.into())
}

/// The other intervals, if there are any. The outer option is none if something is wrong; then it has been reported.
#[expect(clippy::option_option, reason = "known or not, and if known, there or not")]
pub(super) fn adaptive(health: &mut Section) -> Option<Option<Adaptive>> {
    let Some(adaptive) = health.inherited(ADAPTIVE.name) else { return Some(None) };
    Some(Some(Adaptive {
        fast: milliseconds(adaptive.optional(&FAST, 500)?),
        slow: milliseconds(adaptive.optional(&SLOW, 10_000)?),
        stable_after: milliseconds(adaptive.optional(&STABLE_AFTER, 60_000)?),
    }))
}

/// What follows from checks that are made at these times. None if something is wrong; then it has been reported.
pub(super) fn read(
    health: &mut Section,
    interval: Interval,
    timeout: Duration,
    limits: Limits,
) -> Option<Settings> {
    let slow_start = match health.inherited(SLOW_START.name) {
        Some(start) => start
            .optional(&TIME, 30_000)
            .zip(start.optional(&STEPS, 10))
            .map(|(time, steps)| Some(SlowStart { time: milliseconds(time), steps })),
        None => Some(None),
    };
    let flapping = match health.inherited(FLAPPING.name) {
        Some(flapping) => read_flapping(&flapping).map(Some),
        None => Some(None),
    };
    let panic = match health.inherited(PANIC.name) {
        Some(mut panic) => threshold(&mut panic).map(Some),
        None => Some(None),
    };
    let backups = match health.inherited(BACKUPS.name) {
        Some(mut backups) => threshold(&mut backups),
        // One in a hundred, or none.
        None => Some(Threshold { below: Percent(1), until: Percent(1) }),
    };
    let outliers = match health.inherited(OUTLIERS.name) {
        Some(outliers) => read_outliers(&outliers).map(Some),
        None => Some(None),
    };
    Some(Settings {
        interval,
        timeout,
        limits,
        slow_start: slow_start?,
        flapping: flapping?,
        panic: panic?,
        backups: backups?,
        on_all_down: health.optional(&ON_ALL_DOWN, OnAllDown::default())?,
        least_healthy: health.optional(&MIN_HEALTHY, 1)?,
        outliers: outliers?,
    })
}

fn read_flapping(flapping: &Section) -> Option<Flapping> {
    Some(Flapping {
        falls: flapping.optional(&FALLS, 3)?,
        within: milliseconds(flapping.optional(&WITHIN, 300_000)?),
        hold: milliseconds(flapping.optional(&HOLD, 60_000)?),
        longest: milliseconds(flapping.optional(&LONGEST_HOLD, 600_000)?),
    })
}

fn threshold(section: &mut Section) -> Option<Threshold> {
    let below = section.optional(&BELOW, 50)?;
    let until = section.optional(&UNTIL, below)?;
    if until < below {
        let at = section.word(&UNTIL).map_or(section.at(), |word| word.at);
        section.error(UNTIL.name, at, format!("{until} is less than below, which is {below}; raise it"));
        return None;
    }
    Some(Threshold { below: Percent(below), until: Percent(until) })
}

fn read_outliers(outliers: &Section) -> Option<Outliers> {
    Some(Outliers {
        share: Percent(outliers.optional(&SHARE, 20)?),
        least_flows: outliers.optional(&LEAST_FLOWS, 100)?,
        normal: outliers.optional(&NORMAL, 5)?,
        times: outliers.optional(&TIMES, 3)?,
        opening: Opening {
            first: milliseconds(outliers.optional(&EJECTED_FOR, 30_000)?),
            longest: milliseconds(outliers.optional(&LONGEST_EJECTION, 300_000)?),
        },
        trial: Percent(outliers.optional(&TRIAL, 10)?),
    })
}
