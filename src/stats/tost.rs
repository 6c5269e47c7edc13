//! Is the mean inside a margin; is it outside? Claims of no difference are tested, not assumed.
//!
//! Zero spread leaves a t test without a scale. Several equal differences (two nets that get the
//! same number of images right, seed after seed) are still only so much evidence, and the sign-flip
//! argument says how much: about the nearest end of the margin, `n` differences on one side have a
//! chance of at most `1 / 2^n`. That bound is the p-value then, so two equal seeds show nothing.

use super::sample::Sample;
use super::signflip::sign_flip_floor;
use super::student::t_upper_tail;

/// The p-value of `|mean| >= margin` against `|mean| < margin`: two one-sided t tests, the larger
/// p-value of both (Schuirmann, "A comparison of the two one-sided tests procedure and the power
/// approach", 1987).
///
/// 1 for a single value, and where the margin is not positive. At zero spread `1 / 2^n` if the value
/// lies inside the margin, else 1.
pub fn equivalence_p(sample: &Sample, margin: f64) -> f64 {
    if margin.is_nan() || margin <= 0.0 {
        return 1.0;
    }
    let distance = margin - sample.mean().abs();
    one_sided_p(sample, distance)
}

/// The p-value of `|mean| <= margin` against `|mean| > margin`: a t test at the end of the margin
/// that the mean is nearer to, doubled because either end could have been it.
///
/// 1 for a single value, and where the margin is negative. At zero spread `2 / 2^n` if the value
/// lies outside the margin, else 1.
pub fn outside_p(sample: &Sample, margin: f64) -> f64 {
    if margin.is_nan() || margin < 0.0 {
        return 1.0;
    }
    let distance = sample.mean().abs() - margin;
    (2.0 * one_sided_p(sample, distance)).min(1.0)
}

/// The one-sided p-value of a mean that lies `distance` on the far side of its null value.
fn one_sided_p(sample: &Sample, distance: f64) -> f64 {
    match sample.standard_error() {
        None => 1.0,
        Some(0.0) if distance > 0.0 => sign_flip_floor(sample.len()) / 2.0,
        Some(0.0) => 1.0,
        Some(error) => t_upper_tail(distance / error, (sample.len() - 1) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn known_samples_match_an_independent_implementation() {
        // x = [0.3, -0.1, 0.2, 0.4, 0.05, 0.15]; scipy.stats, 1.17:
        // max(ttest_1samp(x, -m, alternative='greater').pvalue,
        //     ttest_1samp(x, m, alternative='less').pvalue)
        let s = sample(&[0.3, -0.1, 0.2, 0.4, 0.05, 0.15]);
        assert!((equivalence_p(&s, 0.3) - 0.062_951_093_730_817_57).abs() < 1e-12);
        assert!((equivalence_p(&s, 0.5) - 0.002_951_325_340_644_519).abs() < 1e-12);
        // 2 * ttest_1samp(x, 0.02, alternative='greater').pvalue
        assert!((outside_p(&s, 0.02) - 0.099_515_091_393_813_69).abs() < 1e-12);
    }

    #[test]
    fn a_mean_at_the_end_of_the_margin_is_shown_to_be_neither() {
        let s = sample(&[1.0, 2.0, 3.0]);
        assert!((equivalence_p(&s, 2.0) - 0.5).abs() < 1e-12);
        assert!((outside_p(&s, 2.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn zero_spread_weighs_as_much_as_its_number_of_seeds() {
        for n in 2..12 {
            let (zero, far) = (sample(&vec![0.0; n]), sample(&vec![-0.3; n]));
            assert_eq!(equivalence_p(&zero, 0.1), 0.5_f64.powi(n as i32));
            assert_eq!(outside_p(&zero, 0.1), 1.0);
            assert_eq!(equivalence_p(&far, 0.1), 1.0);
            assert_eq!(outside_p(&far, 0.1), 2.0 * 0.5_f64.powi(n as i32));
            assert_eq!((equivalence_p(&far, 0.3), outside_p(&far, 0.3)), (1.0, 1.0));
        }
    }

    #[test]
    fn a_single_value_and_a_margin_of_nothing_show_nothing() {
        assert_eq!(equivalence_p(&sample(&[0.0]), 1.0), 1.0);
        assert_eq!(outside_p(&sample(&[9.0]), 1.0), 1.0);
        let s = sample(&[-0.1, 0.1, 0.05]);
        for margin in [0.0, -1.0, f64::NAN] {
            assert_eq!(equivalence_p(&s, margin), 1.0);
        }
        assert_eq!(outside_p(&s, f64::NAN), 1.0);
        assert_eq!(
            (
                equivalence_p(&s, f64::INFINITY),
                outside_p(&s, f64::INFINITY)
            ),
            (0.0, 1.0)
        );
    }

    proptest! {
        #[test]
        fn both_tests_ignore_sign_and_unit_and_never_agree(
            values in prop::collection::vec(-2.0..2.0_f64, 2..15),
            margin in 0.01..2.0_f64,
            scale in 0.1..10.0_f64,
        ) {
            let s = sample(&values);
            let (inside, outside) = (equivalence_p(&s, margin), outside_p(&s, margin));
            prop_assert!(inside >= 0.5 || outside >= 0.5);
            let turned = sample(&values.iter().map(|x| -scale * x).collect::<Vec<_>>());
            prop_assert!((equivalence_p(&turned, scale * margin) - inside).abs() < 1e-9);
            prop_assert!((outside_p(&turned, scale * margin) - outside).abs() < 1e-9);
            prop_assert!(equivalence_p(&s, 2.0 * margin) <= inside);
            prop_assert!(outside_p(&s, 2.0 * margin) >= outside);
        }
    }
}
