//! Standardized mean difference of paired samples.

use super::sample::Sample;
use statrs::function::gamma::ln_gamma;

/// Hedges' g of paired differences: Cohen's `d_z`, the mean over the standard deviation of the
/// differences, times a correction for small samples.
///
/// The correction `J(v) = gamma(v/2) / (sqrt(v/2) gamma((v-1)/2))` with `v = n - 1` makes the
/// estimate unbiased for normal differences (Hedges, "Distribution theory for Glass's estimator of
/// effect size", 1981, equation 6e).
///
/// `None` below three differences, where the correction is not defined, and if the standard
/// deviation is zero.
pub fn paired_effect_size(sample: &Sample) -> Option<f64> {
    let sd = sample.sd().filter(|&sd| sd > 0.0 && sample.len() > 2)?;
    Some(correction((sample.len() - 1) as f64) * sample.mean() / sd)
}

/// Hedges' correction `J(df)`, for `df > 1`.
fn correction(df: f64) -> f64 {
    (ln_gamma(df / 2.0) - ln_gamma((df - 1.0) / 2.0)).exp() / (df / 2.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::PI;

    #[test]
    fn correction_has_closed_form_values() {
        // gamma(1) = gamma(2) = 1, gamma(1/2) = sqrt(pi), gamma(3/2) = sqrt(pi)/2.
        assert!((correction(2.0) - 1.0 / PI.sqrt()).abs() < 1e-12);
        assert!((correction(3.0) - PI.sqrt() / 2.0 / 1.5_f64.sqrt()).abs() < 1e-12);
        // np.exp(gammaln(25) - gammaln(24.5)) / np.sqrt(25)
        assert!((correction(50.0) - 0.984_911_942_295_563).abs() < 1e-12);
    }

    #[test]
    fn small_sample_matches_hand_calculation() {
        // Mean 2, standard deviation 1, J(2) = 1/sqrt(pi).
        let effect = paired_effect_size(&Sample::new(vec![1.0, 2.0, 3.0]).unwrap()).unwrap();
        assert!((effect - 2.0 / PI.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn zero_sd_or_two_values_have_no_effect_size() {
        for values in [vec![1.0], vec![1.0, 2.0], vec![0.1; 5], vec![0.0; 5]] {
            assert_eq!(paired_effect_size(&Sample::new(values).unwrap()), None);
        }
    }

    proptest! {
        #[test]
        fn effect_is_scale_free_and_changes_sign(
            values in prop::collection::vec(-5.0..5.0_f64, 3..20),
            scale in 0.1..10.0_f64,
        ) {
            let effect = |factor: f64| {
                paired_effect_size(&Sample::new(values.iter().map(|x| factor * x).collect()).unwrap())
            };
            let (plain, scaled, negated) = (effect(1.0), effect(scale), effect(-1.0));
            prop_assert_eq!(plain.map(|e| -e), negated);
            let close = plain.zip(scaled).is_none_or(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + a.abs()));
            prop_assert!(close);
        }
    }
}
