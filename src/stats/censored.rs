//! Median of right-censored times to an event.

use super::median::{Estimate, bonferroni_pair, median_interval, order_statistic_interval};
use super::sample::Sample;

/// One or more times to an event, in ascending order.
///
/// A censored time, whose event did not happen during the observation, is `f64::INFINITY`. It must be
/// longer than every observed time: all observations last equally long.
#[derive(Clone, Debug, PartialEq)]
pub struct CensoredTimes {
    ascending: Vec<f64>,
}

impl CensoredTimes {
    /// Times to the event, with `None` for each censored one. Returns `None` without any times.
    ///
    /// # Panics
    /// If a time is negative or NaN.
    pub fn new(times: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let times = times.into_iter().map(|time| time.unwrap_or(f64::INFINITY));
        let mut ascending: Vec<f64> = times.collect();
        assert!(
            ascending.iter().all(|time| *time >= 0.0),
            "times must not be negative or NaN: {ascending:?}"
        );
        ascending.sort_unstable_by(f64::total_cmp);
        (!ascending.is_empty()).then_some(Self { ascending })
    }

    /// Number of times, censored ones included.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one time")]
    pub fn len(&self) -> usize {
        self.ascending.len()
    }

    /// Number of times that are not censored.
    pub fn observed(&self) -> usize {
        self.ascending.partition_point(|time| time.is_finite())
    }

    /// The median with its order-statistic interval, as for a [`Sample`].
    ///
    /// Only the order of the times matters, so censoring needs no further assumption. A median or an
    /// end of the interval that falls on a censored time is infinite.
    ///
    /// # Panics
    /// If `confidence` is not in `(0, 1)`.
    pub fn median(&self, confidence: f64) -> Estimate {
        let n = self.len();
        Estimate {
            value: f64::midpoint(self.ascending[(n - 1) / 2], self.ascending[n / 2]),
            interval: order_statistic_interval(&self.ascending, confidence),
        }
    }

    /// The median times the median of `unit`, a positive sample: for example a number of epochs times
    /// the duration of an epoch.
    ///
    /// Both intervals are taken at half the error probability (Bonferroni), so the coverage of the
    /// product is at least `confidence`. The interval is absent if either median has none.
    ///
    /// # Panics
    /// If `confidence` is not in `(0, 1)`.
    pub fn median_times(&self, unit: &Sample, confidence: f64) -> Estimate {
        let each = bonferroni_pair(confidence);
        let times = self.median(each);
        let ends = times.interval.zip(median_interval(unit, each));
        Estimate {
            value: times.value * unit.median(),
            interval: ends.map(|(times, unit)| super::Interval {
                low: times.low * unit.low,
                high: times.high * unit.high,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;

    fn times(observed: usize, censored: usize) -> CensoredTimes {
        let observed = (1..=observed).rev().map(|time| Some(time as f64));
        CensoredTimes::new(observed.chain(vec![None; censored])).unwrap()
    }

    fn interval(low: f64, high: f64) -> Option<Interval> {
        Some(Interval { low, high })
    }

    #[test]
    fn uncensored_times_match_a_sample() {
        let sample = Sample::new((1..=10).map(f64::from).collect()).unwrap();
        assert_eq!(times(10, 0).median(0.95), Estimate::median(&sample, 0.95));
        assert_eq!(times(9, 0).median(0.95).value, 5.0);
        assert_eq!(times(5, 0).median(0.95).interval, None, "five are too few");
        assert_eq!(CensoredTimes::new([]), None);
    }

    #[test]
    fn censored_times_count_as_longest() {
        let some = times(8, 2);
        assert_eq!((some.len(), some.observed()), (10, 8));
        assert_eq!(some.median(0.95).value, 5.5);
        assert_eq!(some.median(0.95).interval, interval(2.0, f64::INFINITY));
        assert_eq!(times(9, 1).median(0.95).interval, interval(2.0, 9.0));
        let half = times(5, 5).median(0.95);
        assert_eq!(
            (half.value, half.interval.unwrap().low),
            (f64::INFINITY, 2.0)
        );
        let none = times(0, 10).median(0.95);
        assert_eq!(none.interval, interval(f64::INFINITY, f64::INFINITY));
    }

    #[test]
    fn median_times_multiplies_the_ends_of_both_intervals() {
        let unit = Sample::new((11..=20).map(f64::from).collect()).unwrap();
        let found = times(10, 0).median_times(&unit, 0.95);
        assert_eq!(found.value, 5.5 * 15.5);
        // At 97.5 % the interval is from the second to the ninth of ten.
        assert_eq!(found.interval, interval(2.0 * 12.0, 9.0 * 19.0));
        let open = times(8, 2).median_times(&unit, 0.95);
        assert_eq!(open.interval, interval(2.0 * 12.0, f64::INFINITY));
        // Six values have an interval at 95 % but not at 97.5 %.
        assert!(times(6, 0).median(0.95).interval.is_some());
        assert_eq!(times(6, 0).median_times(&unit, 0.95).interval, None);
    }
}
