//! A backend's health over time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::circuit::{Breaker, Circuit};
use super::damping::Damping;
use super::moment::Moment;
use super::outlier::Traffic;
use super::part::{Status, WHOLE};
use super::pool::Member;
use super::settings::Settings;
use super::slow_start::SlowStart;
use super::streak::{Condition, Outcome, Streak};

/// What is known of a backend, from its first check on.
#[derive(Clone, Debug)]
pub struct Course {
    /// What its operator wants of it.
    pub(super) member: Member,
    /// Whether its traffic does as its peers' does.
    pub(super) breaker: Breaker,
    streak: Streak,
    /// Since when its condition is what it is.
    since: Moment,
    damping: Damping,
    /// Since when it takes new flows as one that is up.
    serving_since: Option<Moment>,
    /// Whether it begins with less than its whole weight.
    begins_gently: bool,
    /// What was seen of it since it is on trial.
    pub(super) trial: Traffic,
}

/// What is kept of a backend over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What was known of it.
    pub condition: Condition,
    /// For how many seconds that was so.
    pub seconds: u64,
}

impl Course {
    /// A backend of which nothing is known, or what was known before a restart; one of the `first` of its service begins
    /// with its whole weight.
    pub(super) fn new(member: Member, kept: Option<Kept>, first: bool, now: Moment) -> Self {
        let condition = kept.map_or(Condition::Unknown, |kept| kept.condition);
        let lasted = Duration::from_secs(kept.map_or(0, |kept| kept.seconds));
        Course {
            member,
            breaker: Breaker::default(),
            streak: Streak::restored(condition),
            since: Moment(now.0.saturating_sub(lasted)),
            damping: Damping::default(),
            serving_since: None,
            begins_gently: match condition {
                Condition::Unknown => !first,
                Condition::Up => false,
                Condition::Down => true,
            },
            trial: Traffic::default(),
        }
    }

    /// Counts a result of a check, and says whether its condition changed.
    pub(super) fn count(&mut self, outcome: Outcome, settings: &Settings, now: Moment) -> bool {
        let was_up = self.condition() == Condition::Up;
        let changed = self.streak.count(outcome, settings.limits);
        if changed {
            self.since = now;
        }
        if changed && self.condition() == Condition::Down {
            self.begins_gently = true;
            // Who is down isn't an outlier as well.
            self.breaker.close(now);
            if let (true, Some(flapping)) = (was_up, &settings.flapping) {
                self.damping.fell(flapping, now);
            }
        }
        changed
    }

    /// Takes note of whether it takes new flows from now on.
    pub(super) fn serve(&mut self, takes: bool, now: Moment) {
        if takes && self.status(now) == Status::Up {
            self.serving_since.get_or_insert(now);
        } else if self.serving_since.take().is_some() {
            self.begins_gently = true;
        }
    }

    /// How much of its weight it has, in parts of [`WHOLE`].
    pub(super) fn share(&self, settings: &Settings, now: Moment) -> u32 {
        match (self.status(now), self.ramp(settings), settings.outliers) {
            (Status::OnTrial, _, Some(outliers)) => {
                (outliers.trial.of(WHOLE as usize) as u32).clamp(1, WHOLE)
            }
            (Status::Up, Some((slow_start, since)), _) => slow_start.weight(WHOLE, since, now),
            _ => WHOLE,
        }
    }

    /// When time alone changes something about it.
    pub(super) fn next(&self, settings: &Settings, now: Moment) -> Option<Moment> {
        let grows = self.ramp(settings).and_then(|(slow_start, since)| slow_start.next(since, now));
        let is_tried = self.breaker.open_until().filter(|&until| until > now);
        [grows, self.damping.held_until(now), is_tried].into_iter().flatten().min()
    }

    /// How its weight grows, and since when, if it does.
    fn ramp(&self, settings: &Settings) -> Option<(SlowStart, Moment)> {
        settings.slow_start.filter(|_| self.begins_gently).zip(self.serving_since)
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self, now: Moment) -> Status {
        match (self.condition(), self.damping.held_until(now), self.breaker.at(now)) {
            (Condition::Unknown, ..) => Status::Unknown,
            (Condition::Down, ..) => Status::Down,
            (Condition::Up, Some(until), _) => Status::Held { until },
            (Condition::Up, None, Circuit::Open { until }) => Status::Ejected { until },
            (Condition::Up, None, Circuit::HalfOpen) => Status::OnTrial,
            (Condition::Up, None, Circuit::Closed) => Status::Up,
        }
    }

    /// What its checks have shown.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.streak.condition()
    }

    /// Since when they show that.
    #[must_use]
    pub fn since(&self) -> Moment {
        self.since
    }

    /// What is to be looked at: what was seen since the last look, or of one on trial since that began, as it has few flows.
    pub(super) fn seen(&mut self, traffic: Traffic, now: Moment) -> Traffic {
        if self.status(now) != Status::OnTrial {
            self.trial = Traffic::default();
            return traffic;
        }
        self.trial.flows = self.trial.flows.saturating_add(traffic.flows);
        self.trial.troubles = self.trial.troubles.saturating_add(traffic.troubles);
        self.trial
    }

    /// Whether it begins with less than its whole weight.
    pub(super) fn begins_gently(&self) -> bool {
        self.begins_gently
    }

    /// Whether it is used only where too few others are healthy.
    #[must_use]
    pub fn is_backup(&self) -> bool {
        self.member.is_backup
    }

    /// Whether its operator wants it to take new flows.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.member.weight > 0
    }

    /// Its results in a row.
    #[must_use]
    pub fn streak(&self) -> &Streak {
        &self.streak
    }

    /// What to keep of it; none if nothing is known.
    #[must_use]
    pub fn keep(&self, now: Moment) -> Option<Kept> {
        let seconds = now.since(self.since).as_secs();
        (self.condition() != Condition::Unknown).then_some(Kept { condition: self.condition(), seconds })
    }

    /// From the start of a check to that of the next one. `random` is anything at all.
    #[must_use]
    pub fn next_check(&self, settings: &Settings, now: Moment, random: u32) -> Duration {
        settings.interval.next(self.streak.is_changing(), now.since(self.since), random)
    }
}
