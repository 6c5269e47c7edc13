//! Confidence intervals, and the t interval of a mean.

use super::sample::Sample;
use super::student::t_critical;
use serde::{Deserialize, Serialize};

/// A closed interval, in the unit of the estimate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` is in the interval, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The t interval of the mean, `mean ± t(n - 1) sd / sqrt(n)` (Student, "The probable error of a
/// mean", 1908).
///
/// `confidence` is the confidence level, such as 0.95. The coverage is exact for normal values.
/// Returns `None` for a single value, and a point if the standard deviation is zero.
///
/// # Panics
/// If `confidence` is not in `(0, 1)`.
pub fn t_interval(sample: &Sample, confidence: f64) -> Option<Interval> {
    assert_confidence(confidence);
    let half_width = match sample.standard_error()? {
        0.0 => 0.0,
        error => t_critical((1.0 - confidence) / 2.0, (sample.len() - 1) as f64) * error,
    };
    let mean = sample.mean();
    Some(Interval {
        low: mean - half_width,
        high: mean + half_width,
    })
}

pub(super) fn assert_confidence(confidence: f64) {
    assert!(
        confidence > 0.0 && confidence < 1.0,
        "a confidence level must be in (0, 1), not {confidence}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn t_interval_matches_scipy() {
        // x = [1.2, -0.4, 0.9, 2.1, 0.3]
        // scipy.stats.t.interval(0.95, 4, loc=np.mean(x), scale=scipy.stats.sem(x))
        let interval = t_interval(&sample(&[1.2, -0.4, 0.9, 2.1, 0.3]), 0.95).unwrap();
        assert!(
            (interval.low + 0.349_407_564_835_358).abs() < 1e-10,
            "{interval:?}"
        );
        assert!(
            (interval.high - 1.989_407_564_835_358).abs() < 1e-10,
            "{interval:?}"
        );
    }

    #[test]
    fn two_values_use_the_cauchy_quantile() {
        // With one degree of freedom the 97.5 % quantile is tan(0.475 pi).
        let interval = t_interval(&sample(&[-1.0, 1.0]), 0.95).unwrap();
        let reach = (0.475 * std::f64::consts::PI).tan();
        assert!((interval.high - reach).abs() < 1e-10 * reach);
        assert_eq!(interval.low, -interval.high);
    }

    #[test]
    fn single_value_has_none_and_equal_values_a_point() {
        assert_eq!(t_interval(&sample(&[1.0]), 0.95), None);
        let point = Interval {
            low: 0.1,
            high: 0.1,
        };
        assert_eq!(t_interval(&sample(&[0.1; 7]), 0.95), Some(point));
    }

    proptest! {
        #[test]
        fn t_intervals_contain_the_mean_nest_and_are_equivariant(
            values in prop::collection::vec(-5.0..5.0_f64, 2..20),
            scale in 0.1..10.0_f64,
            shift in -5.0..5.0_f64,
        ) {
            let s = sample(&values);
            let narrow = t_interval(&s, 0.8).unwrap();
            let wide = t_interval(&s, 0.95).unwrap();
            prop_assert!(narrow.contains(s.mean()));
            prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
            let moved: Vec<f64> = values.iter().map(|x| scale * x + shift).collect();
            let moved = t_interval(&sample(&moved), 0.95).unwrap();
            let slack = 1e-9 * (1.0 + scale * (wide.high - wide.low));
            prop_assert!((moved.low - (scale * wide.low + shift)).abs() < slack);
            prop_assert!((moved.high - (scale * wide.high + shift)).abs() < slack);
        }
    }
}
