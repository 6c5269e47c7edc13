//! Interval for new data from differences on the test folds of one data set.

use super::interval::{Interval, assert_confidence};
use super::sample::Sample;
use super::student::t_critical;

/// The corrected t interval of the mean of differences on repeated test folds of one data set, `mean ±
/// t(n - 1) sd sqrt(1 / n + n_test / n_train)` (Nadeau and Bengio, "Inference for the generalization
/// error", 2003, section 3).
///
/// It is about training on other data of the same kind. The folds share most of their images, so their
/// differences are correlated and the variance of the mean does not fall below a share of the variance
/// of one difference. That share is estimated by `test_to_train`, the number of test images divided by
/// the number of training images of a fold. In simulations with 20 seeds the 95 % interval covers the
/// truth in 97 to 100 % of data sets, the most where images are neither trained nor tested on, and the
/// plain t interval in 66 to 79 %.
///
/// Returns `None` for a single value, and a point if the standard deviation is zero.
///
/// # Panics
/// If `confidence` is not in `(0, 1)`, or `test_to_train` is negative or not finite.
pub fn corrected_t_interval(
    sample: &Sample,
    test_to_train: f64,
    confidence: f64,
) -> Option<Interval> {
    assert_confidence(confidence);
    assert!(
        test_to_train.is_finite() && test_to_train >= 0.0,
        "the ratio of test to training images must be finite and not negative, not {test_to_train}"
    );
    let n = sample.len() as f64;
    let error = sample.sd()? * (1.0 / n + test_to_train).sqrt();
    let half_width = match error {
        0.0 => 0.0,
        error => t_critical((1.0 - confidence) / 2.0, n - 1.0) * error,
    };
    let mean = sample.mean();
    Some(Interval {
        low: mean - half_width,
        high: mean + half_width,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::t_interval;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn width_matches_hand_calculation() {
        // Mean 0.82, SD 0.9418068; t(0.975, 4) = 2.7764451; 1/5 + 1/4 = 0.45: half width 1.7541113.
        let s = sample(&[1.2, -0.4, 0.9, 2.1, 0.3]);
        let interval = corrected_t_interval(&s, 0.25, 0.95).unwrap();
        assert!(
            (interval.low - (0.82 - 1.754_111)).abs() < 1e-5,
            "{interval:?}"
        );
        assert!(
            (interval.high - (0.82 + 1.754_111)).abs() < 1e-5,
            "{interval:?}"
        );
    }

    #[test]
    fn no_overlap_gives_the_t_interval() {
        let s = sample(&[1.2, -0.4, 0.9, 2.1, 0.3]);
        let [a, b] = [corrected_t_interval(&s, 0.0, 0.95), t_interval(&s, 0.95)];
        let (a, b) = (a.unwrap(), b.unwrap());
        assert!((a.low - b.low).abs() < 1e-12 && (a.high - b.high).abs() < 1e-12);
    }

    #[test]
    fn digits_folds_widen_the_interval_2_7_times() {
        let values: Vec<f64> = (0..20).map(|k| f64::from(k * k % 7)).collect();
        let s = sample(&values);
        let width = |i: Interval| i.high - i.low;
        let wide = width(corrected_t_interval(&s, 359.0 / 1150.0, 0.95).unwrap());
        let ratio = wide / width(t_interval(&s, 0.95).unwrap());
        assert!((ratio - (1.0 + 20.0 * 359.0 / 1150.0_f64).sqrt()).abs() < 1e-12);
        assert!((ratio - 2.69).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn single_value_has_none_and_equal_values_a_point() {
        assert_eq!(corrected_t_interval(&sample(&[1.0]), 0.3, 0.95), None);
        let point = corrected_t_interval(&sample(&[0.1; 7]), 0.3, 0.95).unwrap();
        assert_eq!((point.low, point.high), (0.1, 0.1));
    }
}
