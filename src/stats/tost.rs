//! Equivalence test (TOST) and minimum-effect test: is the mean inside or outside a margin?
//!
//! With zero standard deviation a t test has no scale. Several equal differences, for example two nets
//! that get the same number of images right at every seed, are still limited evidence. The p-value is
//! then the bound of the sign-flip test: `n` differences on one side of the nearest end of the margin
//! have a probability of at most `1 / 2^n`. So two equal seeds show nothing.

use super::sample::Sample;
use super::signflip::sign_flip_min_p;
use super::student::t_upper_tail;

/// p-value of the equivalence test: the null hypothesis is `|mean| >= margin`.
///
/// The larger p-value of two one-sided t tests (TOST; Schuirmann, "A comparison of the two one-sided
/// tests procedure and the power approach", 1987).
///
/// Returns 1 for a single value, and if the margin is not positive. With zero standard deviation it
/// returns `1 / 2^n` if the mean is inside the margin, else 1.
pub fn equivalence_p(sample: &Sample, margin: f64) -> f64 {
    if margin.is_nan() || margin <= 0.0 {
        return 1.0;
    }
    let distance = margin - sample.mean().abs();
    one_sided_p(sample, distance)
}

/// p-value of the minimum-effect test: the null hypothesis is `|mean| <= margin` (Murphy and Myors,
/// "Testing the hypothesis that treatments have negligible effects", 1999).
///
/// A one-sided t test at the end of the margin that is nearer to the mean, doubled because the mean
/// could lie beyond either end.
///
/// Returns 1 for a single value, and if the margin is negative. With zero standard deviation it
/// returns `2 / 2^n` if the mean is outside the margin, else 1.
pub fn minimum_effect_p(sample: &Sample, margin: f64) -> f64 {
    if margin.is_nan() || margin < 0.0 {
        return 1.0;
    }
    let distance = sample.mean().abs() - margin;
    (2.0 * one_sided_p(sample, distance)).min(1.0)
}

/// One-sided p-value of a mean that is `distance` beyond the null value, in the direction of the
/// alternative.
fn one_sided_p(sample: &Sample, distance: f64) -> f64 {
    match sample.standard_error() {
        None => 1.0,
        Some(0.0) if distance > 0.0 => sign_flip_min_p(sample.len()) / 2.0,
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
    fn known_samples_match_scipy() {
        // x = [0.3, -0.1, 0.2, 0.4, 0.05, 0.15]; scipy.stats, 1.17:
        // max(ttest_1samp(x, -m, alternative='greater').pvalue,
        //     ttest_1samp(x, m, alternative='less').pvalue)
        let s = sample(&[0.3, -0.1, 0.2, 0.4, 0.05, 0.15]);
        assert!((equivalence_p(&s, 0.3) - 0.062_951_093_730_817_57).abs() < 1e-12);
        assert!((equivalence_p(&s, 0.5) - 0.002_951_325_340_644_519).abs() < 1e-12);
        // 2 * ttest_1samp(x, 0.02, alternative='greater').pvalue
        assert!((minimum_effect_p(&s, 0.02) - 0.099_515_091_393_813_69).abs() < 1e-12);
    }

    #[test]
    fn mean_at_the_margin_shows_neither() {
        let s = sample(&[1.0, 2.0, 3.0]);
        assert!((equivalence_p(&s, 2.0) - 0.5).abs() < 1e-12);
        assert!((minimum_effect_p(&s, 2.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn zero_sd_uses_the_sign_flip_bound() {
        for n in 2..12 {
            let (zero, far) = (sample(&vec![0.0; n]), sample(&vec![-0.3; n]));
            assert_eq!(equivalence_p(&zero, 0.1), 0.5_f64.powi(n as i32));
            assert_eq!(minimum_effect_p(&zero, 0.1), 1.0);
            assert_eq!(equivalence_p(&far, 0.1), 1.0);
            assert_eq!(minimum_effect_p(&far, 0.1), 2.0 * 0.5_f64.powi(n as i32));
            assert_eq!(
                (equivalence_p(&far, 0.3), minimum_effect_p(&far, 0.3)),
                (1.0, 1.0)
            );
        }
    }

    #[test]
    fn single_value_and_zero_margin_give_one() {
        assert_eq!(equivalence_p(&sample(&[0.0]), 1.0), 1.0);
        assert_eq!(minimum_effect_p(&sample(&[9.0]), 1.0), 1.0);
        let s = sample(&[-0.1, 0.1, 0.05]);
        for margin in [0.0, -1.0, f64::NAN] {
            assert_eq!(equivalence_p(&s, margin), 1.0);
        }
        assert_eq!(minimum_effect_p(&s, f64::NAN), 1.0);
        assert_eq!(
            (
                equivalence_p(&s, f64::INFINITY),
                minimum_effect_p(&s, f64::INFINITY)
            ),
            (0.0, 1.0)
        );
    }

    proptest! {
        #[test]
        fn tests_ignore_sign_and_unit_and_exclude_each_other(
            values in prop::collection::vec(-2.0..2.0_f64, 2..15),
            margin in 0.01..2.0_f64,
            scale in 0.1..10.0_f64,
        ) {
            let s = sample(&values);
            let (inside, outside) = (equivalence_p(&s, margin), minimum_effect_p(&s, margin));
            prop_assert!(inside >= 0.5 || outside >= 0.5);
            let turned = sample(&values.iter().map(|x| -scale * x).collect::<Vec<_>>());
            prop_assert!((equivalence_p(&turned, scale * margin) - inside).abs() < 1e-9);
            prop_assert!((minimum_effect_p(&turned, scale * margin) - outside).abs() < 1e-9);
            prop_assert!(equivalence_p(&s, 2.0 * margin) <= inside);
            prop_assert!(minimum_effect_p(&s, 2.0 * margin) >= outside);
        }
    }
}
