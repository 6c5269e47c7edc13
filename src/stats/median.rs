//! Distribution-free intervals of medians and of ratios of medians.

use super::interval::{Interval, assert_confidence};
use super::sample::Sample;

/// A point estimate with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The point estimate.
    pub value: f64,
    /// The confidence interval; absent if the sample is too small for one.
    pub interval: Option<Interval>,
}

impl Estimate {
    /// The median of `sample` with its [`median_interval`].
    ///
    /// # Panics
    /// If `confidence` is not in `(0, 1)`.
    pub fn median(sample: &Sample, confidence: f64) -> Self {
        Self {
            value: sample.median(),
            interval: median_interval(sample, confidence),
        }
    }

    /// The median of `numerator` over the median of `denominator`, for positive samples.
    ///
    /// Each end of the interval is a ratio of ends of the two [`median_interval`]s, each taken at
    /// half the error probability (Bonferroni). So the coverage is at least `confidence`, for any
    /// distributions and for dependent samples. The interval is absent if either median has none.
    ///
    /// # Panics
    /// If `confidence` is not in `(0, 1)`.
    pub fn ratio_of_medians(numerator: &Sample, denominator: &Sample, confidence: f64) -> Self {
        let each = bonferroni_pair(confidence);
        let ends = median_interval(numerator, each).zip(median_interval(denominator, each));
        Self {
            value: numerator.median() / denominator.median(),
            interval: ends.map(|(numerator, denominator)| Interval {
                low: numerator.low / denominator.high,
                high: numerator.high / denominator.low,
            }),
        }
    }

    /// Applies an increasing function to the value and to both ends of the interval.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let ends = |interval: Interval| Interval {
            low: f(interval.low),
            high: f(interval.high),
        };
        Self {
            value: f(self.value),
            interval: self.interval.map(ends),
        }
    }

    /// `dividend / value`, for a positive estimate; the ends of the interval change places.
    #[must_use]
    pub fn divide_into(self, dividend: f64) -> Self {
        let ends = |interval: Interval| Interval {
            low: dividend / interval.high,
            high: dividend / interval.low,
        };
        Self {
            value: dividend / self.value,
            interval: self.interval.map(ends),
        }
    }
}

/// The confidence level at which two intervals together have at least `confidence` (Bonferroni).
pub(super) fn bonferroni_pair(confidence: f64) -> f64 {
    1.0 - (1.0 - confidence) / 2.0
}

/// The order-statistic interval of the median: from the `k`-th smallest to the `k`-th largest value
/// (Thompson, "On confidence ranges for the median and other expectation distributions", 1936).
///
/// The interval misses the median if fewer than `k` values are on one side of it, which has the
/// probability `2 P(B < k)` for `B` binomial with `n` trials and probability 1/2. `k` is the largest
/// that `confidence` allows.
///
/// The coverage is exact for continuous distributions and conservative for others. Returns `None` if
/// even the range has too low a confidence level: below 6 values at 95 %.
///
/// # Panics
/// If `confidence` is not in `(0, 1)`.
pub fn median_interval(sample: &Sample, confidence: f64) -> Option<Interval> {
    let mut sorted = sample.values().to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    order_statistic_interval(&sorted, confidence)
}

/// [`median_interval`] of values in ascending order.
pub(super) fn order_statistic_interval(ascending: &[f64], confidence: f64) -> Option<Interval> {
    assert_confidence(confidence);
    let n = ascending.len();
    // Logarithms, because the first binomial probabilities of a large sample underflow.
    let mut log_term = n as f64 * 0.5_f64.ln();
    let (mut k, mut missed) = (0, 0.0);
    while missed + 2.0 * log_term.exp() <= 1.0 - confidence && 2 * k < n {
        missed += 2.0 * log_term.exp();
        log_term += ((n - k) as f64 / (k + 1) as f64).ln();
        k += 1;
    }
    (k > 0).then(|| Interval {
        low: ascending[k - 1],
        high: ascending[n - k],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    fn upto(n: usize) -> Sample {
        Sample::new((1..=n).map(|x| x as f64).collect()).unwrap()
    }

    #[test]
    fn ends_match_published_tables() {
        // Hollander, Wolfe and Chicken (2014), and by hand: 2 (1 + 10) / 1024 = 2.1 % for n = 10.
        let ends = |n, confidence| median_interval(&upto(n), confidence).map(|i| (i.low, i.high));
        assert_eq!(ends(5, 0.95), None);
        assert_eq!(ends(6, 0.95), Some((1.0, 6.0)));
        assert_eq!(ends(9, 0.95), Some((2.0, 8.0)));
        assert_eq!(ends(10, 0.95), Some((2.0, 9.0)));
        assert_eq!(ends(10, 0.975), Some((2.0, 9.0)));
        assert_eq!(ends(20, 0.95), Some((6.0, 15.0)));
        assert_eq!(ends(1, 0.95), None);
        // Normal approximation of the binomial: k is n / 2 - 1.96 sqrt(n) / 2.
        let (low, high) = ends(2500, 0.95).unwrap();
        assert!((low - 1201.0).abs() <= 1.0, "{low}");
        assert_eq!(low + high, 2501.0);
    }

    #[test]
    fn coverage_over_all_sign_patterns_is_sufficient() {
        // Values are 1 above the median and -1 below it; all patterns are equally likely.
        for (n, confidence) in [(6, 0.95), (8, 0.9), (10, 0.95)] {
            let covers = |pattern: &u32| {
                let value = |i: usize| match pattern >> i & 1 {
                    1 => 1.0,
                    _ => -1.0,
                };
                let sample = Sample::new((0..n).map(value).collect()).unwrap();
                median_interval(&sample, confidence).unwrap().contains(0.0)
            };
            let covered = (0..1_u32 << n).filter(covers).count() as f64 / f64::from(1 << n);
            assert!(covered >= confidence, "{n}: {covered}");
        }
    }

    #[test]
    fn ratio_interval_uses_the_ends_of_both_medians() {
        let (slow, fast) = (upto(10), upto(10));
        let ratio = Estimate::ratio_of_medians(&slow, &fast, 0.95);
        assert_eq!(ratio.value, 1.0);
        let Interval { low, high } = ratio.interval.unwrap();
        assert_eq!((low, high), (2.0 / 9.0, 9.0 / 2.0));
        let same = Estimate::ratio_of_medians(&sample(&[3.0; 10]), &sample(&[2.0; 10]), 0.95);
        assert_eq!(same.value, 1.5);
        assert_eq!(
            same.interval,
            Some(Interval {
                low: 1.5,
                high: 1.5
            })
        );
        let few = Estimate::ratio_of_medians(&upto(10), &upto(6), 0.95);
        assert_eq!(few.interval, None, "six values are too few at 97.5 %");
    }

    #[test]
    fn dividing_into_swaps_the_ends() {
        let step = Estimate::median(&sample(&[1.0, 2.0, 2.0, 2.0, 2.0, 4.0]), 0.95);
        let rate = step.divide_into(8.0);
        assert_eq!(rate.value, 4.0);
        assert_eq!(
            rate.interval,
            Some(Interval {
                low: 2.0,
                high: 8.0
            })
        );
        assert_eq!(
            step.map(|x| 10.0 * x).interval,
            Some(Interval {
                low: 10.0,
                high: 40.0
            })
        );
    }
}
