//! Student's t distribution and the normal distribution, without cancellation in the tails.

use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::erf::{erfc, erfc_inv};
use std::f64::consts::SQRT_2;

/// `P(T >= t)` with `df > 0` degrees of freedom.
pub(super) fn t_upper_tail(t: f64, df: f64) -> f64 {
    distribution(df).sf(t)
}

/// The critical value: the `t` with `P(T >= t) = p`, for `0 < p < 1`.
pub(super) fn t_critical(p: f64, df: f64) -> f64 {
    // The lower tail has no cancellation.
    -distribution(df).inverse_cdf(p)
}

fn distribution(df: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, df).expect("degrees of freedom are positive")
}

/// `P(Z <= x)` of the standard normal distribution.
pub(super) fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x / SQRT_2)
}

/// The `x` with `P(Z <= x) = p` of the standard normal distribution, for `0 < p < 1`.
pub(super) fn normal_quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_match_scipy() {
        // scipy.stats.t.isf(p, df), scipy 1.17
        for (p, df, expected) in [
            (0.025, 1.0, 12.706_204_736_174_705),
            (0.05, 3.0, 2.353_363_434_801_824),
            (0.025, 9.0, 2.262_157_162_798_205),
            (1e-4, 4.0, 13.033_671_720_896_455),
            (0.0025, 19.0, 3.173_724_530_792_316),
            (0.025, 1e4, 1.960_201_239_890_626),
        ] {
            let t = t_critical(p, df);
            assert!((t / expected - 1.0).abs() < 1e-10, "{p} {df}: {t}");
        }
    }

    #[test]
    fn tails_match_scipy_to_full_precision() {
        // scipy.stats.t.sf(t, df), scipy 1.17
        for (t, df, expected) in [
            (2.5, 3.0, 0.043_853_323_504_032_78),
            (40.0, 9.0, 9.491_499_224_669_911e-12),
            (0.1, 200.0, 0.460_222_246_252_160_5),
        ] {
            assert!((t_upper_tail(t, df) / expected - 1.0).abs() < 1e-11);
            assert!((t_upper_tail(-t, df) - (1.0 - expected)).abs() < 1e-13);
        }
        assert_eq!(t_upper_tail(f64::INFINITY, 3.0), 0.0);
        assert_eq!(t_upper_tail(f64::NEG_INFINITY, 3.0), 1.0);
    }

    #[test]
    fn normal_quantile_inverts_the_cdf() {
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-13);
        for p in [1e-9, 0.01, 0.5, 0.8, 0.999] {
            assert!(
                (normal_cdf(normal_quantile(p)) / p - 1.0).abs() < 1e-10,
                "{p}"
            );
        }
    }
}
