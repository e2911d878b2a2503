//! What results in a row mean.

use serde::{Deserialize, Serialize};

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The backend answered as it should.
    Passed,
    /// It didn't, or not in time.
    Failed,
}

/// What is known of a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Nothing: it hasn't been checked yet.
    #[default]
    Unknown,
    /// It can serve.
    Up,
    /// It can't.
    Down,
}

/// How many results in a row change a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Passed checks after which a backend that was down is up; at least 1.
    pub rise: u32,
    /// Failed checks after which a backend that was up is down; at least 1.
    pub fall: u32,
}

/// A backend's condition, and the results since that speak against it.
///
/// Results are counted in a row: one that confirms the condition takes the count back to none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    condition: Condition,
    against: u32,
    last: Option<Outcome>,
    length: u32,
}

impl Streak {
    /// As it was before a restart. It stays so until `rise` or `fall` results say otherwise.
    #[must_use]
    pub fn restored(condition: Condition) -> Self {
        Streak { condition, ..Streak::default() }
    }

    /// Counts a result, and says whether the condition has changed by it. The first one of a backend of which nothing is
    /// known decides at once.
    pub fn count(&mut self, outcome: Outcome, limits: Limits) -> bool {
        self.length = if self.last == Some(outcome) { self.length.saturating_add(1) } else { 1 };
        self.last = Some(outcome);
        let (condition, limit) = match (self.condition, outcome) {
            (Condition::Unknown, Outcome::Passed) => (Condition::Up, 1),
            (Condition::Unknown, Outcome::Failed) => (Condition::Down, 1),
            (Condition::Down, Outcome::Passed) => (Condition::Up, limits.rise),
            (Condition::Up, Outcome::Failed) => (Condition::Down, limits.fall),
            (Condition::Up, Outcome::Passed) | (Condition::Down, Outcome::Failed) => {
                self.against = 0;
                return false;
            }
        };
        self.against = self.against.saturating_add(1);
        let changes = self.against >= limit;
        if changes {
            self.condition = condition;
            self.against = 0;
        }
        changes
    }

    /// What is known.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// The last result, and how many of its kind there were in a row; none if there was no check yet.
    #[must_use]
    pub fn length(&self) -> Option<(Outcome, u32)> {
        self.last.map(|outcome| (outcome, self.length))
    }

    /// Whether the condition may be about to change, or isn't known at all.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        self.against > 0 || self.condition == Condition::Unknown
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { rise: 2, fall: 3 };

    /// `+` for a passed check and `-` for a failed one; conditions after each, as `u` and `d`.
    fn course(mut streak: Streak, outcomes: &str) -> String {
        let outcome = |sign| if sign == '+' { Outcome::Passed } else { Outcome::Failed };
        outcomes
            .chars()
            .map(|sign| {
                streak.count(outcome(sign), LIMITS);
                match streak.condition() {
                    Condition::Unknown => '?',
                    Condition::Up => 'u',
                    Condition::Down => 'd',
                }
            })
            .collect()
    }

    #[test]
    fn results_count_in_a_row() {
        let new = Streak::default();
        let [up, down] = [Condition::Up, Condition::Down].map(Streak::restored);
        for (about, streak, outcomes, conditions) in [
            ("the first result decides", new, "+", "u"),
            ("also against", new, "-", "d"),
            ("fall in a row", new, "+---", "uuud"),
            ("failures that don't follow each other don't add up", new, "+--+--+--", "uuuuuuuuu"),
            ("rise in a row", new, "-++", "ddu"),
            ("successes that don't follow each other don't add up", new, "-+-+-+", "dddddd"),
            ("restored up, and still up", up, "--+--", "uuuuu"),
            ("restored up, and down", up, "---", "uud"),
            ("restored down, and still down", down, "+-+", "ddd"),
            ("restored down, and up", down, "++", "du"),
        ] {
            assert_eq!(course(streak, outcomes), conditions, "{about}");
        }
    }

    #[test]
    fn the_streak_is_told() {
        let mut streak = Streak::default();
        assert_eq!((streak.length(), streak.is_changing()), (None, true));
        for (outcome, length, is_changing) in [
            (Outcome::Passed, 1, false),
            (Outcome::Passed, 2, false),
            (Outcome::Failed, 1, true),
            (Outcome::Failed, 2, true),
            (Outcome::Failed, 3, false),
        ] {
            streak.count(outcome, LIMITS);
            assert_eq!((streak.length(), streak.is_changing()), (Some((outcome, length)), is_changing));
        }
    }

    proptest! {
        /// A condition changes after exactly `rise` or `fall` results in a row, and never without them.
        #[test]
        fn no_change_without_so_many_results_in_a_row(
            rise in 1_u32..6,
            fall in 1_u32..6,
            passes in prop::collection::vec(any::<bool>(), 1..200),
        ) {
            let limits = Limits { rise, fall };
            let mut streak = Streak::default();
            for (at, &passed) in passes.iter().enumerate() {
                let before = streak.condition();
                let outcome = if passed { Outcome::Passed } else { Outcome::Failed };
                let changed = streak.count(outcome, limits);
                prop_assert_eq!(changed, before != streak.condition());
                let in_a_row = passes[..=at].iter().rev().take_while(|&&other| other == passed).count() as u32;
                let (agrees, limit) = match before {
                    Condition::Unknown => (false, 1),
                    Condition::Up => (passed, fall),
                    Condition::Down => (!passed, rise),
                };
                prop_assert_eq!(changed, !agrees && in_a_row >= limit, "{} in a row", in_a_row);
            }
        }
    }
}
