//! Figures out of samples.

/// Groups of samples, in the order in which they were taken: what disturbs a machine lasts for longer than one sample.
const GROUPS: usize = 5;

/// What samples come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Figure {
    /// The least of the medians of five groups: while least else was done on the machine.
    pub quiet: f64,
    /// The sample in the middle of all.
    pub median: f64,
    /// A tenth of the samples is below.
    pub low: f64,
    /// A tenth of the samples is above.
    pub high: f64,
}

impl Figure {
    /// Of these samples, in the order in which they were taken; zeros if there are none.
    #[must_use]
    pub fn of(samples: &[f64]) -> Figure {
        let groups = samples.chunks(samples.len().div_ceil(GROUPS).max(1));
        let quiet = groups.map(|group| at(group, 5)).reduce(f64::min).unwrap_or_default();
        Figure { quiet, median: at(samples, 5), low: at(samples, 1), high: at(samples, 9) }
    }
}

/// The sample that so many tenths of the others are below.
fn at(samples: &[f64], tenths: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last * tenths + 5) / 10).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Figure;

    #[test]
    fn a_disturbance_changes_the_spread_alone() {
        let calm: Vec<f64> = (0..15).map(|number| 10.0 + f64::from(number % 3)).collect();
        let mut disturbed = calm.clone();
        disturbed[3..9].fill(30.0);
        let (calm, disturbed) = (Figure::of(&calm), Figure::of(&disturbed));
        assert_eq!(calm, Figure { quiet: 11.0, median: 11.0, low: 10.0, high: 12.0 });
        assert_eq!(disturbed, Figure { quiet: 11.0, median: 12.0, low: 10.0, high: 30.0 });
    }

    #[test]
    fn few_samples_are_enough() {
        let three = Figure { quiet: 3.0, median: 3.0, low: 3.0, high: 3.0 };
        assert_eq!(Figure::of(&[3.0]), three);
        assert_eq!(Figure::of(&[]), Figure::default());
    }
}
