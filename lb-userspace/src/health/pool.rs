//! A service's backends together: who takes new flows, and how many of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::course::{Course, Kept};
use super::moment::Moment;
use super::outlier::{self, Finding, Traffic};
use super::part::{Part, Status};
use super::settings::{OnAllDown, Settings};
use super::streak::{Condition, Outcome};
use super::threshold::Latch;

/// A backend, as its operator wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its share of new flows, 0 to 65,535; 0 if it shall take none.
    pub weight: u32,
    /// Whether it is used only if too few others are healthy. Where all are backups, none is.
    pub is_backup: bool,
}

/// A service's backends, named by `K`.
#[derive(Clone, Debug)]
pub struct Pool<K> {
    settings: Settings,
    courses: BTreeMap<K, Course>,
    panic: Latch,
    backups: Latch,
}

/// Who takes new flows of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<K> {
    /// Each backend's part.
    pub parts: BTreeMap<K, Part>,
    /// Whether as many are healthy as the service needs to count as up.
    pub is_up: bool,
    /// Whether so few are healthy that checks are ignored.
    pub is_panic: bool,
    /// Whether backups are used.
    pub uses_backups: bool,
    /// If there are backends and none of them can serve, what becomes of new flows.
    pub all_down: Option<OnAllDown>,
    /// When time alone will change something; none if it won't.
    pub next: Option<Moment>,
}

/// How far a backend can be relied on, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    Healthy,
    Unknown,
    /// It could serve, but is held down or ejected.
    Reserve,
    Down,
}

impl<K: Ord + Clone> Pool<K> {
    /// A service without backends.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Pool { settings, courses: BTreeMap::new(), panic: Latch::default(), backups: Latch::default() }
    }

    /// Takes over which backends there are. Of those that stay everything is known that was; of new ones what `kept` knows
    /// from before a restart.
    pub fn follow(
        &mut self,
        settings: Settings,
        members: &BTreeMap<K, Member>,
        kept: impl Fn(&K) -> Option<Kept>,
        now: Moment,
    ) {
        self.settings = settings;
        self.courses.retain(|key, _| members.contains_key(key));
        // Who joins others begins gently; those that begin together don't.
        let is_first = self.courses.values().all(|course| course.condition() == Condition::Unknown)
            && members.keys().all(|key| kept(key).is_none());
        for (key, &member) in members {
            let course = self
                .courses
                .entry(key.clone())
                .or_insert_with(|| Course::new(member, kept(key), is_first, now));
            course.member = member;
        }
        self.limit_ejected(now);
    }

    /// Counts a result of a backend's check, and says whether its condition changed.
    pub fn count(&mut self, key: &K, outcome: Outcome, now: Moment) -> bool {
        let Some(course) = self.courses.get_mut(key) else { return false };
        let changed = course.count(outcome, &self.settings, now);
        if changed {
            self.limit_ejected(now);
        }
        changed
    }

    /// Takes note of what was seen of the backends' traffic since the last look.
    pub fn look(&mut self, traffic: &BTreeMap<K, Traffic>, now: Moment) {
        let Some(outliers) = self.settings.outliers else { return };
        let mut up: Vec<(Traffic, &mut Course)> = self
            .courses
            .iter_mut()
            .filter(|(_, course)| may_be_ejected(course))
            .map(|(key, course)| (course.seen(traffic.get(key).copied().unwrap_or_default(), now), course))
            .collect();
        let seen: Vec<Traffic> = up.iter().map(|&(traffic, _)| traffic).collect();

        let findings = outlier::compare(&outliers, &seen);
        for ((_, course), finding) in up.iter_mut().zip(&findings) {
            match (course.status(now), finding) {
                (Status::OnTrial, Finding::Worse(_)) => {
                    course.breaker.open(&outliers.opening, now);
                    course.trial = Traffic::default();
                }
                (Status::OnTrial, Finding::Normal) => {
                    course.breaker.close(now);
                    course.trial = Traffic::default();
                }
                // The others take no new flows, which could show anything, or their circuits are closed.
                (_, Finding::Unclear | Finding::Normal | Finding::Worse(_)) => {}
            }
        }
        let limit = outliers.share.of(up.len());
        let ejected = up.iter().filter(|(_, course)| course.breaker.open_until().is_some()).count();
        let mut worse: Vec<(u64, &mut Course)> = up
            .into_iter()
            .zip(findings)
            .filter_map(|((_, course), finding)| match (course.status(now), finding) {
                (Status::Up, Finding::Worse(rate)) => Some((rate, course)),
                (_, Finding::Unclear | Finding::Normal | Finding::Worse(_)) => None,
            })
            .collect();
        worse.sort_by_key(|&(rate, _)| Reverse(rate));
        for (_, course) in worse.into_iter().take(limit.saturating_sub(ejected)) {
            course.breaker.open(&outliers.opening, now);
        }
    }

    /// Who takes new flows from now on.
    pub fn decide(&mut self, now: Moment) -> Decision<K> {
        let candidates = self.candidates(now);
        let healthy = |candidates: &[&Candidate]| {
            candidates.iter().filter(|candidate| candidate.trust <= Trust::Unknown).count()
        };
        let primaries: Vec<&Candidate> =
            candidates.iter().filter(|candidate| candidate.is_wanted && !candidate.is_backup).collect();
        let is_needed = self.backups.follow(&self.settings.backups, healthy(&primaries), primaries.len());
        let uses_backups =
            is_needed && candidates.iter().any(|candidate| candidate.is_backup && candidate.is_wanted);

        let is_used = |candidate: &Candidate| candidate.is_wanted && (uses_backups || !candidate.is_backup);
        let used: Vec<&Candidate> = candidates.iter().filter(|candidate| is_used(candidate)).collect();
        let best = used.iter().map(|candidate| candidate.trust).min();
        let all_down = (best == Some(Trust::Down)).then_some(self.settings.on_all_down);
        // Backups stand in for others: no more of them are needed than there are of those.
        let is_panic = self.is_panic(healthy(&used).min(primaries.len()), primaries.len());
        let takes = |candidate: &Candidate| {
            is_used(candidate)
                && match all_down {
                    None => is_panic || Some(candidate.trust) == best,
                    Some(OnAllDown::Forward) => true,
                    Some(OnAllDown::Drop | OnAllDown::Reject) => false,
                }
        };
        let takes: Vec<bool> = candidates.iter().map(takes).collect();
        let known = used.iter().filter(|candidate| candidate.is_known_up).count();
        Decision {
            is_up: known >= self.settings.least_healthy.max(1) as usize,
            is_panic: is_panic && all_down.is_none(),
            uses_backups,
            all_down,
            parts: self.parts(&takes, now),
            next: self.courses.values().filter_map(|course| course.next(&self.settings, now)).min(),
        }
    }

    /// A backend's health.
    #[must_use]
    pub fn course(&self, key: &K) -> Option<&Course> {
        self.courses.get(key)
    }

    /// Closes circuits until no more are open than may be, those first that would be tried soonest: backends that went
    /// down or away leave fewer to carry the load.
    fn limit_ejected(&mut self, now: Moment) {
        let up = self.courses.values().filter(|course| may_be_ejected(course)).count();
        let limit = self.settings.outliers.map_or(0, |outliers| outliers.share.of(up));
        let mut ejected: Vec<_> = self
            .courses
            .values_mut()
            .filter_map(|course| Some((course.breaker.open_until()?, may_be_ejected(course), course)))
            .collect();
        ejected.sort_by_key(|&(until, may_be, _)| (Reverse(may_be), Reverse(until)));
        let stay = ejected.iter().take(limit).filter(|(_, may_be, _)| *may_be).count();
        for (_, _, course) in ejected.into_iter().skip(stay) {
            course.breaker.close(now);
        }
    }

    /// Of all backends, in their order.
    fn candidates(&self, now: Moment) -> Vec<Candidate> {
        let wanted = || self.courses.values().map(|course| course.member).filter(|member| member.weight > 0);
        let are_all_backups = wanted().all(|member| member.is_backup);
        let candidate = |course: &Course| Candidate {
            trust: Trust::of(course, now),
            is_known_up: course.condition() == Condition::Up && Trust::of(course, now) == Trust::Healthy,
            is_wanted: course.member.weight > 0,
            is_backup: course.member.is_backup && !are_all_backups,
        };
        self.courses.values().map(candidate).collect()
    }

    fn is_panic(&mut self, healthy: usize, primaries: usize) -> bool {
        let Some(panic) = self.settings.panic else {
            self.panic = Latch::default();
            return false;
        };
        self.panic.follow(&panic, healthy, primaries)
    }

    /// What everybody does, if those take new flows.
    fn parts(&mut self, takes: &[bool], now: Moment) -> BTreeMap<K, Part> {
        for (course, &takes) in self.courses.values_mut().zip(takes) {
            course.serve(takes, now);
        }
        let part = |course: &Course, takes_new: bool| Part {
            share: course.share(&self.settings, now),
            takes_new,
            down_since: (course.condition() == Condition::Down && !takes_new).then(|| course.since()),
            status: course.status(now),
        };
        self.courses
            .iter()
            .zip(takes)
            .map(|((key, course), &takes)| (key.clone(), part(course, takes)))
            .collect()
    }
}

/// A backend that may take new flows.
struct Candidate {
    trust: Trust,
    /// Whether its checks have shown that it can serve.
    is_known_up: bool,
    /// Whether its operator wants it to.
    is_wanted: bool,
    is_backup: bool,
}

impl Trust {
    fn of(course: &Course, now: Moment) -> Self {
        match course.status(now) {
            Status::Up | Status::OnTrial => Trust::Healthy,
            // Those that begin together don't wait for each other: else all flows would go to who is checked first.
            Status::Unknown if !course.begins_gently() => Trust::Healthy,
            Status::Unknown => Trust::Unknown,
            Status::Held { .. } | Status::Ejected { .. } => Trust::Reserve,
            Status::Down => Trust::Down,
        }
    }
}

/// Whether a backend is one of those of which a share may be ejected.
fn may_be_ejected(course: &Course) -> bool {
    course.condition() == Condition::Up && course.member.weight > 0
}
