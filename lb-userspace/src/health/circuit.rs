//! Circuit breakers: who is worse than the others is left alone for a while, then tried with a little.

use std::time::Duration;

use super::moment::Moment;

/// For how long a circuit opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The first time; twice as long each time after that.
    pub first: Duration,
    /// But never for longer. Who was closed for that long begins anew.
    pub longest: Duration,
}

/// Whether a backend takes flows, as far as the traffic itself shows how it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// It takes its share.
    Closed,
    /// It is ejected: it takes no new flows.
    Open {
        /// Until then.
        until: Moment,
    },
    /// It takes a little, which shows whether it is as bad as before.
    HalfOpen,
}

/// A circuit over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    open_until: Option<Moment>,
    /// How often it opened, since it was last closed for long.
    openings: u32,
    closed_since: Moment,
}

impl Breaker {
    pub(super) fn at(&self, now: Moment) -> Circuit {
        match self.open_until {
            None => Circuit::Closed,
            Some(until) if until > now => Circuit::Open { until },
            Some(_) => Circuit::HalfOpen,
        }
    }

    pub(super) fn open(&mut self, opening: &Opening, now: Moment) {
        if self.open_until.is_none() && now.since(self.closed_since) >= opening.longest {
            self.openings = 0;
        }
        let times = 1_u32.checked_shl(self.openings).unwrap_or(u32::MAX);
        self.open_until = Some(now + opening.first.saturating_mul(times).min(opening.longest));
        self.openings = self.openings.saturating_add(1);
    }

    pub(super) fn close(&mut self, now: Moment) {
        if self.open_until.take().is_some() {
            self.closed_since = now;
        }
    }

    /// Until when it was opened last; none if it is closed.
    pub(super) fn open_until(&self) -> Option<Moment> {
        self.open_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_longer_each_time_until_it_was_closed_for_long() {
        let at = |seconds| Moment(Duration::from_secs(seconds));
        let opening = Opening { first: Duration::from_secs(30), longest: Duration::from_secs(100) };
        let mut breaker = Breaker::default();
        assert_eq!(breaker.at(at(0)), Circuit::Closed);
        let mut opens = |now, until| {
            breaker.open(&opening, at(now));
            assert_eq!(breaker.at(at(until - 1)), Circuit::Open { until: at(until) });
            assert_eq!(breaker.at(at(until)), Circuit::HalfOpen);
        };
        opens(0, 30);
        opens(30, 90);
        opens(100, 200);
        breaker.close(at(210));
        breaker.open(&opening, at(309));
        assert_eq!(breaker.at(at(309)), Circuit::Open { until: at(409) });
        breaker.close(at(410));
        assert_eq!(breaker.at(at(410)), Circuit::Closed);
        breaker.open(&opening, at(510));
        assert_eq!(breaker.at(at(510)), Circuit::Open { until: at(540) });
    }
}
