//! Medians, and ratios of medians, with intervals that assume no distribution.

use super::interval::{Interval, assert_confidence};
use super::sample::Sample;

/// A value and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its interval; absent where there are too few values for one.
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

    /// The median of `over` in units of that of `under`, for positive samples. The ends of its interval
    /// are ratios of ends of both medians' intervals, each of which misses half as often as
    /// `confidence` allows; so the ratio is covered at least that often, whatever the distributions,
    /// and however the two samples hang together.
    ///
    /// # Panics
    /// If `confidence` is not in `(0, 1)`.
    pub fn ratio_of_medians(over: &Sample, under: &Sample, confidence: f64) -> Self {
        let each = 1.0 - (1.0 - confidence) / 2.0;
        let ends = median_interval(over, each).zip(median_interval(under, each));
        Self {
            value: over.median() / under.median(),
            interval: ends.map(|(over, under)| Interval {
                low: over.low / under.high,
                high: over.high / under.low,
            }),
        }
    }

    /// The same by a rising function.
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

    /// `total` shared out by a positive value: `total / value`.
    #[must_use]
    pub fn share(self, total: f64) -> Self {
        let ends = |interval: Interval| Interval {
            low: total / interval.high,
            high: total / interval.low,
        };
        Self {
            value: total / self.value,
            interval: self.interval.map(ends),
        }
    }
}

/// The interval of the median between two order statistics, the `k`-th smallest and the `k`-th largest
/// value (Thompson, "On confidence ranges for the median and other expectation distributions", 1936).
/// It misses the median where fewer than `k` values fall on one side of it, so with probability
/// `2 P(B < k)` for `B` binomial with `n` tosses of a fair coin; `k` is as large as `confidence` allows.
///
/// Exact for continuous distributions, conservative for others. `None` where even the range is no such
/// interval: below 6 values at 95 %.
///
/// # Panics
/// If `confidence` is not in `(0, 1)`.
pub fn median_interval(sample: &Sample, confidence: f64) -> Option<Interval> {
    let mut sorted = sample.values().to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    order_interval(&sorted, confidence)
}

/// As [`median_interval`], of ascending values.
pub(super) fn order_interval(ascending: &[f64], confidence: f64) -> Option<Interval> {
    assert_confidence(confidence);
    let n = ascending.len();
    // In logarithms, for the first terms of a large sample are too small for a number.
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
    fn the_ends_are_the_order_statistics_of_the_tables() {
        // Hollander, Wolfe and Chicken (2014), and by hand: 2 (1 + 10) / 1024 = 2.1 % for n = 10.
        let ends = |n, confidence| median_interval(&upto(n), confidence).map(|i| (i.low, i.high));
        assert_eq!(ends(5, 0.95), None);
        assert_eq!(ends(6, 0.95), Some((1.0, 6.0)));
        assert_eq!(ends(9, 0.95), Some((2.0, 8.0)));
        assert_eq!(ends(10, 0.95), Some((2.0, 9.0)));
        assert_eq!(ends(10, 0.975), Some((2.0, 9.0)));
        assert_eq!(ends(20, 0.95), Some((6.0, 15.0)));
        assert_eq!(ends(1, 0.95), None);
        // Where the coin is nearly normal, k is n / 2 - 1.96 sqrt(n) / 2.
        let (low, high) = ends(2500, 0.95).unwrap();
        assert!((low - 1201.0).abs() <= 1.0, "{low}");
        assert_eq!(low + high, 2501.0);
    }

    #[test]
    fn it_covers_the_median_as_often_as_it_says_over_all_ways_to_fall() {
        // Values above the median are 1, those below -1: every pattern of ten is equally likely.
        for (n, confidence) in [(6, 0.95), (8, 0.9), (10, 0.95)] {
            let covers = |pattern: &u32| {
                let side = |i: usize| match pattern >> i & 1 {
                    1 => 1.0,
                    _ => -1.0,
                };
                let sample = Sample::new((0..n).map(side).collect()).unwrap();
                median_interval(&sample, confidence).unwrap().contains(0.0)
            };
            let covered = (0..1_u32 << n).filter(covers).count() as f64 / f64::from(1 << n);
            assert!(covered >= confidence, "{n}: {covered}");
        }
    }

    #[test]
    fn a_ratio_is_of_medians_between_the_ends_of_both() {
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
        assert_eq!(
            few.interval, None,
            "six values say too little of half the doubt"
        );
    }

    #[test]
    fn a_share_turns_its_interval_round() {
        let step = Estimate::median(&sample(&[1.0, 2.0, 2.0, 2.0, 2.0, 4.0]), 0.95);
        let rate = step.share(8.0);
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
