//! Quantiles and standard deviation of a distribution.

use super::ProbeResults;

/// The 5 %, 50 % and 95 % quantiles of some values, and their standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantiles {
    low: f64,
    median: f64,
    high: f64,
    sd: f64,
}

impl Quantiles {
    /// Computes the quantiles of at least one value. The quantile for share `s` is the smallest
    /// value with at least a share `s` of all values at or below it.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let scatter: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let mut quantile = |share: f64| {
            let rank = ((share * n as f64).ceil() as usize).clamp(1, n) - 1;
            *values.select_nth_unstable_by(rank, f64::total_cmp).1
        };
        Self {
            low: quantile(0.05),
            median: quantile(0.5),
            high: quantile(0.95),
            sd: (scatter / n as f64).sqrt(),
        }
    }

    /// Appends them to the traces of the quantity `what` in the block at `path`.
    pub(super) fn push_traces(&self, what: &str, path: &str, result: &mut ProbeResults) {
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
    fn quantiles_of_one_to_twenty() {
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
    fn quantiles_of_a_single_value() {
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
