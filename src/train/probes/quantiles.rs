//! A distribution in four numbers.

use super::ProbeResults;

/// The 5 %, 50 % and 95 % points of some values, and their standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantiles {
    low: f64,
    median: f64,
    high: f64,
    sd: f64,
}

impl Quantiles {
    /// Of `values`, of which there is at least one. A point is the smallest value that at least
    /// that share of all are no larger than.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let scatter: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let mut point = |share: f64| {
            let rank = ((share * n as f64).ceil() as usize).clamp(1, n) - 1;
            *values.select_nth_unstable_by(rank, f64::total_cmp).1
        };
        Self {
            low: point(0.05),
            median: point(0.5),
            high: point(0.95),
            sd: (scatter / n as f64).sqrt(),
        }
    }

    /// Notes them as what `what` is in the block at `path` after this epoch.
    pub(super) fn trace(&self, what: &str, path: &str, result: &mut ProbeResults) {
        result.push_trace(&format!("{what}_low.{path}"), self.low);
        result.push_trace(&format!("{what}_median.{path}"), self.median);
        result.push_trace(&format!("{what}_high.{path}"), self.high);
        result.push_trace(&format!("{what}_sd.{path}"), self.sd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_of_one_to_twenty_are_known() {
        let values = (1..=20).rev().map(f64::from).collect();
        let quantiles = Quantiles::of(values);
        assert_eq!(
            (quantiles.low, quantiles.median, quantiles.high),
            (1.0, 10.0, 19.0)
        );
        // The variance of 1..n is (n^2 - 1) / 12.
        assert!((quantiles.sd - (399.0f64 / 12.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn one_value_is_every_point_of_itself() {
        let one = Quantiles::of(vec![-3.0]);
        let expected = Quantiles {
            low: -3.0,
            median: -3.0,
            high: -3.0,
            sd: 0.0,
        };
        assert_eq!(one, expected);
    }
}
