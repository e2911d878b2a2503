//! Backends that are clearly worse than their peers, by what is seen of their traffic in one direction.
//!
//! That shows little: that clients send SYNs again, and that they reset. Clients may have their own reasons for both, so
//! that a backend is compared with its peers alone, which have the same clients.

use super::circuit::Opening;
use super::threshold::Percent;

/// Who is an outlier, and what becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outliers {
    /// The most that may be ejected of the backends that are up.
    pub share: Percent,
    /// Fewer new flows between two looks say nothing; at least 1.
    pub least_flows: u32,
    /// Signs of trouble per new flow, in percent, that are normal in any case.
    pub normal: u32,
    /// More than so many times the peers' median is clearly worse; at least 1.
    pub times: u32,
    /// For how long an outlier is ejected.
    pub opening: Opening,
    /// The part of its weight that it is tried with after that.
    pub trial: Percent,
}

/// What was seen of a backend between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Flows that began.
    pub flows: u32,
    /// SYNs that were sent again, and flows that their clients reset.
    pub troubles: u32,
}

/// How much worse a backend is than normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Too little was seen.
    Unclear,
    /// It is as its peers are.
    Normal,
    /// It is clearly worse, by this rate of troubles per 10,000 flows.
    Worse(u64),
}

/// How each backend does among these. Of fewer than three that have enough flows, nobody can say who is the outlier.
pub(super) fn compare(outliers: &Outliers, traffic: &[Traffic]) -> Vec<Finding> {
    let rate = |traffic: &Traffic| {
        let is_enough = traffic.flows >= outliers.least_flows.max(1);
        is_enough.then(|| u64::from(traffic.troubles) * 10_000 / u64::from(traffic.flows))
    };
    let mut rates: Vec<u64> = traffic.iter().filter_map(rate).collect();
    if rates.len() < 3 {
        return vec![Finding::Unclear; traffic.len()];
    }
    rates.sort_unstable();
    // Of an even number the lower one: half of them may be as good as that.
    let median = rates[(rates.len() - 1) / 2];
    let limit = (u64::from(outliers.normal) * 100).max(median.saturating_mul(u64::from(outliers.times)));
    let finding = |traffic| match rate(traffic) {
        None => Finding::Unclear,
        Some(rate) if rate > limit => Finding::Worse(rate),
        Some(_) => Finding::Normal,
    };
    traffic.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use Finding::{Normal, Unclear, Worse};

    use super::*;

    const OUTLIERS: Outliers = Outliers {
        share: Percent(30),
        least_flows: 100,
        normal: 5,
        times: 3,
        opening: Opening { first: Duration::from_secs(30), longest: Duration::from_mins(5) },
        trial: Percent(10),
    };

    fn findings(traffic: &[(u32, u32)]) -> Vec<Finding> {
        let traffic: Vec<_> = traffic.iter().map(|&(flows, troubles)| Traffic { flows, troubles }).collect();
        compare(&OUTLIERS, &traffic)
    }

    #[test]
    fn who_is_worse_is_so_among_peers() {
        assert_eq!(findings(&[(1000, 0), (1000, 10), (1000, 200)]), [Normal, Normal, Worse(2000)]);
        assert_eq!(
            findings(&[(1000, 0), (1000, 10), (1000, 50)]),
            [Normal; 3],
            "five in a hundred are normal"
        );
        assert_eq!(findings(&[(1000, 200), (1000, 210), (1000, 220)]), [Normal; 3], "the clients' network");
        assert_eq!(findings(&[(1000, 100), (1000, 100), (1000, 301)]), [Normal, Normal, Worse(3010)]);
        assert_eq!(findings(&[(1000, 0), (99, 99), (1000, 0), (1000, 0)]), [Normal, Unclear, Normal, Normal]);
        assert_eq!(findings(&[(1000, 0), (1000, 1000)]), [Unclear; 2], "which of the two is it?");
        assert_eq!(findings(&[]), []);
    }
}
