//! Waiting times, of which some did not end while they were watched.

use super::median::{Estimate, median_interval, order_interval};
use super::sample::Sample;

/// One or more waiting times. One that did not end is longer than all that did: `f64::INFINITY`.
#[derive(Clone, Debug, PartialEq)]
pub struct Waits {
    ascending: Vec<f64>,
}

impl Waits {
    /// Waits that ended, and `None` for each that did not. `None` where there are none at all.
    ///
    /// # Panics
    /// If a wait is negative or no number.
    pub fn new(waits: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let waits = waits.into_iter().map(|wait| wait.unwrap_or(f64::INFINITY));
        let mut ascending: Vec<f64> = waits.collect();
        assert!(ascending.iter().all(|wait| *wait >= 0.0), "{ascending:?}");
        ascending.sort_unstable_by(f64::total_cmp);
        (!ascending.is_empty()).then_some(Self { ascending })
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.ascending.len()
    }

    /// How many of them ended.
    pub fn ended(&self) -> usize {
        self.ascending.partition_point(|wait| wait.is_finite())
    }

    /// Their median with its interval between order statistics, as for a [`Sample`]: only the order
    /// counts, so waits that did not end need no assumption. Infinite is what lies among those.
    ///
    /// # Panics
    /// If `confidence` is not in `(0, 1)`.
    pub fn median(&self, confidence: f64) -> Estimate {
        let n = self.len();
        Estimate {
            value: f64::midpoint(self.ascending[(n - 1) / 2], self.ascending[n / 2]),
            interval: order_interval(&self.ascending, confidence),
        }
    }

    /// The median wait, counted in units that take the median of `unit`, which is positive. Each median
    /// misses its interval half as often as `confidence` allows, so the product is covered at least
    /// that often.
    ///
    /// # Panics
    /// If `confidence` is not in `(0, 1)`.
    pub fn in_units(&self, unit: &Sample, confidence: f64) -> Estimate {
        let each = 1.0 - (1.0 - confidence) / 2.0;
        let waits = self.median(each);
        let ends = waits.interval.zip(median_interval(unit, each));
        Estimate {
            value: waits.value * unit.median(),
            interval: ends.map(|(waits, unit)| super::Interval {
                low: waits.low * unit.low,
                high: waits.high * unit.high,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;

    fn waits(ended: usize, open: usize) -> Waits {
        let ended = (1..=ended).rev().map(|wait| Some(wait as f64));
        Waits::new(ended.chain(vec![None; open])).unwrap()
    }

    fn interval(low: f64, high: f64) -> Option<Interval> {
        Some(Interval { low, high })
    }

    #[test]
    fn waits_that_all_ended_have_the_median_and_interval_of_a_sample() {
        let sample = Sample::new((1..=10).map(f64::from).collect()).unwrap();
        assert_eq!(waits(10, 0).median(0.95), Estimate::median(&sample, 0.95));
        assert_eq!(waits(9, 0).median(0.95).value, 5.0);
        assert_eq!(waits(5, 0).median(0.95).interval, None, "too few");
        assert_eq!(Waits::new([]), None);
    }

    #[test]
    fn waits_that_did_not_end_are_longer_than_all_that_did_and_change_nothing_below() {
        let some = waits(8, 2);
        assert_eq!((some.len(), some.ended()), (10, 8));
        assert_eq!(some.median(0.95).value, 5.5);
        assert_eq!(some.median(0.95).interval, interval(2.0, f64::INFINITY));
        assert_eq!(waits(9, 1).median(0.95).interval, interval(2.0, 9.0));
        let half = waits(5, 5).median(0.95);
        assert_eq!(
            (half.value, half.interval.unwrap().low),
            (f64::INFINITY, 2.0)
        );
        let none = waits(0, 10).median(0.95);
        assert_eq!(none.interval, interval(f64::INFINITY, f64::INFINITY));
    }

    #[test]
    fn in_units_both_medians_may_be_at_the_ends_of_their_intervals() {
        let unit = Sample::new((11..=20).map(f64::from).collect()).unwrap();
        let found = waits(10, 0).in_units(&unit, 0.95);
        assert_eq!(found.value, 5.5 * 15.5);
        // At 97.5 %, the second and the ninth of ten.
        assert_eq!(found.interval, interval(2.0 * 12.0, 9.0 * 19.0));
        let open = waits(8, 2).in_units(&unit, 0.95);
        assert_eq!(open.interval, interval(2.0 * 12.0, f64::INFINITY));
        // Six values have an interval at 95 %, and none at 97.5 %.
        assert!(waits(6, 0).median(0.95).interval.is_some());
        assert_eq!(waits(6, 0).in_units(&unit, 0.95).interval, None);
    }
}
