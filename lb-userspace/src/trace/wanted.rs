//! What is asked for, and what the program is to tell for that.

use anyhow::{Context, Result, bail, ensure};
use lb_common::event::{Event, NO_SERVICE, Sampling};
use lb_common::verdict::{FORWARDED, NODE_COUNTERS, Verdict};
use serde::{Deserialize, Serialize};

use super::names::Names;
use crate::nearest::there_is_none;

/// Which packets someone wants to see, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// Verdicts and reasons, separated by commas; all if empty.
    pub verdict: String,
    /// Name of the only service.
    pub service: Option<String>,
    /// One in so many of those that are forwarded or passed.
    pub sample: u32,
    /// One in so many of those that are dropped or answered.
    pub sample_dropped: u32,
}

impl Default for Query {
    fn default() -> Self {
        Query { verdict: String::new(), service: None, sample: 1, sample_dropped: 1 }
    }
}

/// The words for verdicts and reasons.
#[must_use]
pub fn verdicts() -> Vec<&'static str> {
    let all = (FORWARDED..NODE_COUNTERS).filter_map(Verdict::of_counter);
    let mut words = Vec::new();
    for verdict in all {
        if !words.contains(&verdict.name()) {
            words.push(verdict.name());
        }
        words.extend(verdict.reason());
    }
    words
}

/// Which packets someone wants to see, as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// One in so many, by the verdict's counter; 0 for none.
    pub every: [u32; NODE_COUNTERS],
    /// Number of the only service, or [`NO_SERVICE`].
    pub service: u32,
}

impl Wanted {
    /// What a query means.
    ///
    /// # Errors
    /// What it says that there isn't.
    pub fn new(query: &Query, names: &Names) -> Result<Self> {
        ensure!(
            query.sample > 0 && query.sample_dropped > 0,
            "one in 0 packets can't be shown; ask for one in 1"
        );
        let service = match &query.service {
            Some(name) => names.service(name).with_context(|| {
                there_is_none("service", name, names.services.values().map(String::as_str))
            })?,
            None => NO_SERVICE,
        };
        let words: Vec<_> = query.verdict.split(',').filter(|word| !word.is_empty()).collect();
        if let Some(unknown) = words.iter().find(|word| !verdicts().contains(word)) {
            bail!("there is no verdict {unknown}; there are: {}", verdicts().join(", "));
        }
        let mut every = [0; NODE_COUNTERS];
        for (counter, every) in every.iter_mut().enumerate() {
            let Some(verdict) = Verdict::of_counter(counter) else { continue };
            let means = |word: &&str| *word == verdict.name() || Some(*word) == verdict.reason();
            if words.is_empty() || words.iter().any(means) {
                *every = match verdict {
                    Verdict::Forward { .. } | Verdict::Pass(_) => query.sample,
                    Verdict::Answer(_) | Verdict::Drop(_) => query.sample_dropped,
                };
            }
        }
        Ok(Wanted { every, service })
    }

    /// Whether that is one of them.
    ///
    /// The program tells of the first of every `event.every` packets. Of those, exactly one stands among the first
    /// `event.every` of any number of packets that is greater.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        let every = self.every.get(event.counter as usize).copied().unwrap_or_default();
        let place = event.number.wrapping_sub(1).checked_rem(u64::from(every));
        let is_its_turn = place.is_some_and(|place| place < u64::from(event.every));
        is_its_turn && (self.service == NO_SERVICE || self.service == event.service)
    }
}

/// What the program is to tell, so that everyone gets what they want: `most` of each verdict on a CPU in a tick.
#[must_use]
pub fn sampling<'a>(all: impl Iterator<Item = &'a Wanted>, most: u32) -> Sampling {
    let mut sampling = Sampling { most, ..Sampling::OFF };
    for (number, wanted) in all.enumerate() {
        if number == 0 {
            sampling.service = wanted.service;
        } else if sampling.service != wanted.service {
            sampling.service = NO_SERVICE;
        }
        for (every, wanted) in sampling.every.iter_mut().zip(wanted.every) {
            *every = match (*every, wanted) {
                (every, 0) => every,
                (0, wanted) => wanted,
                (every, wanted) => every.min(wanted),
            };
        }
    }
    sampling
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lb_common::verdict::{DropReason, PassReason, RECEIVED};
    use proptest::prelude::*;

    use super::*;

    fn names() -> Names {
        let services = [(3, "web".to_string()), (4, "dns".to_string())].into();
        Names { services, ..Names::default() }
    }

    fn wanted(query: &Query) -> Wanted {
        Wanted::new(query, &names()).unwrap()
    }

    fn shown(wanted: &Wanted) -> Vec<usize> {
        (0..NODE_COUNTERS).filter(|&counter| wanted.every[counter] > 0).collect()
    }

    #[test]
    fn no_word_means_two_things() {
        let words = verdicts();
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "{words:?}");
        assert_eq!(words.len(), NODE_COUNTERS - 2 + 4);
    }

    #[test]
    fn verdicts_and_reasons_may_be_named() {
        let query = |verdict: &str| Query { verdict: verdict.into(), ..Query::default() };
        let all: Vec<_> = (RECEIVED + 1..NODE_COUNTERS).collect();
        assert_eq!(shown(&wanted(&query(""))), all);
        assert_eq!(shown(&wanted(&query("forwarded,answered,passed,dropped"))), all);
        let (pass, drop) = (Verdict::Pass(PassReason::NoService), Verdict::Drop(DropReason::NoBackend));
        assert_eq!(shown(&wanted(&query("no_backend,no_service"))), [pass.counter(), drop.counter()]);
        assert_eq!(shown(&wanted(&query("dropped,no_backend"))).len(), DropReason::ALL.len());
        let error = Wanted::new(&query("lost"), &names()).unwrap_err().to_string();
        assert!(error.starts_with("there is no verdict lost; there are: forwarded, answered, echo_reply, "));
    }

    #[test]
    fn what_is_dropped_or_answered_has_a_sample_of_its_own() {
        let wanted = wanted(&Query { sample: 1000, sample_dropped: 5, ..Query::default() });
        assert_eq!(wanted.every[RECEIVED], 0);
        assert_eq!(wanted.every[FORWARDED], 1000);
        assert_eq!(wanted.every[Verdict::Pass(PassReason::NotIp).counter()], 1000);
        assert_eq!(wanted.every[Verdict::Drop(DropReason::NoBackend).counter()], 5);
        for (sample, sample_dropped) in [(0, 1), (1, 0)] {
            let query = Query { sample, sample_dropped, ..Query::default() };
            assert!(Wanted::new(&query, &names()).unwrap_err().to_string().starts_with("one in 0 "));
        }
    }

    #[test]
    fn a_service_is_named() {
        let query = |name: &str| Query { service: Some(name.into()), ..Query::default() };
        let dns = wanted(&query("dns"));
        assert_eq!(dns.service, 4);
        let event = Event { counter: FORWARDED as u32, number: 1, every: 1, ..Event::EMPTY };
        assert!(dns.takes(&Event { service: 4, ..event }));
        assert!(!dns.takes(&Event { service: 3, ..event }) && !dns.takes(&event));
        let error = Wanted::new(&query("ftp"), &names()).unwrap_err().to_string();
        assert_eq!(error, "there is no service ftp; lbctl service list shows all");
    }

    #[test]
    fn nobody_wants_anything() {
        assert_eq!(sampling([].iter(), 0), Sampling::OFF);
    }

    #[test]
    fn one_service_is_told_of_alone_as_long_as_all_want_it() {
        let of = |service| Wanted { service, ..wanted(&Query::default()) };
        assert_eq!(sampling([of(3)].iter(), 1).service, 3);
        assert_eq!(sampling([of(3), of(3)].iter(), 1).service, 3);
        assert_eq!(sampling([of(3), of(4)].iter(), 1).service, NO_SERVICE);
        assert_eq!(sampling([of(3), of(4), of(3)].iter(), 1).service, NO_SERVICE);
        assert_eq!(sampling([of(NO_SERVICE), of(4)].iter(), 1).service, NO_SERVICE);
    }

    proptest! {
        /// Whatever the others ask for, everyone gets one in as many as they asked for.
        #[test]
        fn everyone_gets_their_share(samples in prop::collection::vec(1u32..200, 1..5)) {
            let all: Vec<_> =
                samples.iter().map(|&sample| wanted(&Query { sample, ..Query::default() })).collect();
            let every = sampling(all.iter(), 1).every[FORWARDED];
            let told = |number: u64| (number - 1).is_multiple_of(u64::from(every));
            for (wanted, sample) in all.iter().zip(samples) {
                let packets = u64::from(sample) * 50;
                let events = (1..=packets).filter(|&number| told(number));
                let event = |number| Event { number, every, counter: FORWARDED as u32, ..Event::EMPTY };
                let shown = events.filter(|&number| wanted.takes(&event(number))).count();
                prop_assert_eq!(shown, 50);
            }
        }
    }
}
