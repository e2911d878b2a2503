//! Whose turn it is: the order in which backends take new flows where they go by turns.

/// Turns in a rotation: so many that a seam between two of them hardly counts.
pub const TURNS: u32 = 1021;

/// Members by their places in the input, each as often as its weight says, as evenly spread as they can be. Empty if no
/// member has a weight.
///
/// Smooth weighted round robin, as nginx does it: each turn goes to the member to which most is owed.
#[must_use]
pub fn rotation(weights: &[u32], turns: u32) -> Vec<usize> {
    let total: i64 = weights.iter().map(|&weight| i64::from(weight)).sum();
    if total == 0 {
        return Vec::new();
    }
    let mut owed = vec![0; weights.len()];
    let mut next = || {
        owed.iter_mut().zip(weights).for_each(|(owed, &weight)| *owed += i64::from(weight));
        // Of equals the first.
        let member = (0..owed.len()).rev().max_by_key(|&member| owed[member]).unwrap_or_default();
        owed[member] -= total;
        member
    };
    (0..turns).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equals_take_turns() {
        assert_eq!(rotation(&[7, 7, 7], 7), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(rotation(&[0, 3, 0], 3), [1, 1, 1]);
        assert_eq!(rotation(&[5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
        assert!(rotation(&[0, 0], 7).is_empty() && rotation(&[], 7).is_empty());
    }

    proptest! {
        /// At every point each member has had its share, less or more than one turn.
        #[test]
        fn nobody_waits_long(weights in prop::collection::vec(0_u32..1000, 1..20)) {
            let total: u32 = weights.iter().sum();
            prop_assume!(total > 0);
            let mut had = vec![0_u32; weights.len()];
            for (turn, member) in rotation(&weights, TURNS).into_iter().enumerate() {
                had[member] += 1;
                for (&had, &weight) in had.iter().zip(&weights) {
                    let share = (turn + 1) as f64 * f64::from(weight) / f64::from(total);
                    prop_assert!((f64::from(had) - share).abs() <= weights.len() as f64, "{had} of {share}");
                }
            }
        }
    }
}
