//! Several questions at once: Holm's step-down adjustment.

/// Adjusted p-values in the order given (Holm, "A simple sequentially rejective multiple test
/// procedure", 1979). Rejecting where the adjusted value is below `alpha` keeps the chance of any
/// false rejection at or below `alpha`, however the tests depend on each other.
///
/// # Panics
/// If a value is not in `[0, 1]`.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    assert!(
        p_values.iter().all(|p| (0.0..=1.0).contains(p)),
        "p-values lie in [0, 1], unlike one of {p_values:?}"
    );
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &place) in order.iter().enumerate() {
        let remaining = (p_values.len() - rank) as f64;
        largest = largest.max((remaining * p_values[place]).min(1.0));
        adjusted[place] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_worked_example_is_adjusted_step_by_step() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (value, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((value - expected).abs() < 1e-15, "{adjusted:?}");
        }
    }

    #[test]
    fn no_question_one_question_and_large_values_are_fine() {
        assert!(holm(&[]).is_empty());
        assert_eq!(holm(&[0.2]), [0.2]);
        assert_eq!(holm(&[0.6, 0.9]), [1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn adjusted_values_grow_keep_the_order_and_stay_below_bonferroni(
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
        fn the_order_of_the_questions_does_not_matter(
            p in prop::collection::vec(0.0..=1.0_f64, 1..12)
        ) {
            let mut backwards: Vec<f64> = p.iter().rev().copied().collect();
            backwards = holm(&backwards);
            backwards.reverse();
            prop_assert_eq!(holm(&p), backwards);
        }
    }
}
