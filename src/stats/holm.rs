//! Holm's step-down adjustment of p-values for several hypotheses.

/// Adjusted p-values, in the order of `p_values` (Holm, "A simple sequentially rejective multiple
/// test procedure", 1979).
///
/// Rejecting every hypothesis whose adjusted p-value is below `alpha` keeps the family-wise error
/// rate at or below `alpha`, for any dependence between the tests. Returns an empty vector for an
/// empty slice.
///
/// # Panics
/// If a value is not in `[0, 1]`.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    assert!(
        p_values.iter().all(|p| (0.0..=1.0).contains(p)),
        "p-values must be in [0, 1]: {p_values:?}"
    );
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        let remaining = (p_values.len() - rank) as f64;
        largest = largest.max((remaining * p_values[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn worked_example_matches_r() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (value, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((value - expected).abs() < 1e-15, "{adjusted:?}");
        }
    }

    #[test]
    fn empty_single_and_large_values_work() {
        assert!(holm(&[]).is_empty());
        assert_eq!(holm(&[0.2]), [0.2]);
        assert_eq!(holm(&[0.6, 0.9]), [1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn adjusted_values_are_monotone_and_below_bonferroni(
            p in prop::collection::vec(0.0..=1.0_f64, 1..12)
        ) {
            let adjusted = holm(&p);
            for i in 0..p.len() {
                prop_assert!(adjusted[i] >= p[i]);
                prop_assert!(adjusted[i] <= (p.len() as f64 * p[i]).min(1.0));
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                }
            }
        }

        #[test]
        fn order_of_the_p_values_does_not_matter(
            p in prop::collection::vec(0.0..=1.0_f64, 1..12)
        ) {
            let mut backwards: Vec<f64> = p.iter().rev().copied().collect();
            backwards = holm(&backwards);
            backwards.reverse();
            prop_assert_eq!(holm(&p), backwards);
        }
    }
}
