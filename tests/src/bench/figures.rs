//! Figures out of samples.

/// A median and its spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Figure {
    /// The sample in the middle.
    pub median: f64,
    /// A tenth of the samples is below.
    pub low: f64,
    /// A tenth of the samples is above.
    pub high: f64,
}

impl Figure {
    /// Of these samples; zeros if there are none.
    #[must_use]
    pub fn of(samples: &[f64]) -> Figure {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |tenths: usize| {
            let last = sorted.len().saturating_sub(1);
            sorted.get((last * tenths + 5) / 10).copied().unwrap_or_default()
        };
        Figure { median: at(5), low: at(1), high: at(9) }
    }
}

#[cfg(test)]
mod tests {
    use super::Figure;

    #[test]
    fn order_does_not_matter() {
        let samples: Vec<f64> = (0..=10).rev().map(f64::from).collect();
        assert_eq!(Figure::of(&samples), Figure { median: 5.0, low: 1.0, high: 9.0 });
        assert_eq!(Figure::of(&[3.0]), Figure { median: 3.0, low: 3.0, high: 3.0 });
        assert_eq!(Figure::of(&[]), Figure::default());
    }
}
