//! A non-empty sample of finite values, with its moments and quantiles.

/// Relative tolerance for rounding errors: smaller differences between values count as zero.
///
/// Differences of percentages near 100 have absolute errors near 1e-14, so differences that should be
/// equal differ in their last bits. Ties and zero standard deviation are judged with this tolerance.
pub(super) const ROUNDING: f64 = 1e-10;

/// Largest magnitude of a value. Its cube, and sums of such cubes, are still finite.
const LARGEST: f64 = 1e100;

/// Why values cannot form a [`Sample`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// No values.
    #[error("the sample is empty; it needs at least one value")]
    Empty,
    /// A value is not finite, or larger than 1e100 in magnitude.
    #[error(
        "value {index} of the sample is {value}; values must be finite and at most 1e100 in \
         magnitude, so leave out runs without a result"
    )]
    OutOfRange {
        /// Index of the value, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
}

/// One or more finite values, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    values: Vec<f64>,
}

impl Sample {
    /// A sample of `values`.
    ///
    /// # Errors
    /// If `values` is empty, or a value is not finite or is larger than 1e100 in magnitude.
    pub fn new(values: Vec<f64>) -> Result<Self, StatsError> {
        if values.is_empty() {
            return Err(StatsError::Empty);
        }
        let invalid = |value: &f64| value.is_nan() || value.abs() > LARGEST;
        match values.iter().position(invalid) {
            Some(index) => Err(StatsError::OutOfRange {
                index,
                value: values[index],
            }),
            None => Ok(Self { values }),
        }
    }

    /// Number of values; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a sample is never empty")]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The values, in the order given.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Arithmetic mean.
    pub fn mean(&self) -> f64 {
        let mean = self.values.iter().sum::<f64>() / self.len() as f64;
        // Rounding may push the mean of equal values outside their range.
        mean.clamp(self.min(), self.max())
    }

    /// Sample standard deviation (divisor `n - 1`); `None` for a single value.
    ///
    /// Exactly 0 if the range is below 1e-10 of the largest magnitude, which is rounding error.
    pub fn sd(&self) -> Option<f64> {
        if self.len() < 2 {
            return None;
        }
        let (low, high) = (self.min(), self.max());
        let range = high - low;
        if range <= ROUNDING * low.abs().max(high.abs()) {
            return Some(0.0);
        }
        let mean = self.mean();
        // Dividing by the range keeps the squares from overflow and underflow.
        let squares: f64 = self
            .values
            .iter()
            .map(|x| ((x - mean) / range).powi(2))
            .sum();
        Some(range * (squares / (self.len() - 1) as f64).sqrt())
    }

    /// Standard error of the mean, `sd / sqrt(n)`; `None` for a single value.
    pub fn standard_error(&self) -> Option<f64> {
        Some(self.sd()? / (self.len() as f64).sqrt())
    }

    /// Median: the middle value, or the mean of the two middle values.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Smallest value.
    pub fn min(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Largest value.
    pub fn max(&self) -> f64 {
        self.values
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// The `probability`-quantile, with linear interpolation between order statistics (definition 7 of
    /// Hyndman and Fan, "Sample quantiles in statistical packages", 1996; the default of R and NumPy).
    ///
    /// # Panics
    /// If `probability` is not in `[0, 1]`.
    pub fn quantile(&self, probability: f64) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        quantile_of_sorted(&sorted, probability)
    }
}

/// [`Sample::quantile`] of values in ascending order.
pub(super) fn quantile_of_sorted(sorted: &[f64], probability: f64) -> f64 {
    assert!(
        (0.0..=1.0).contains(&probability),
        "the probability of a quantile must be in [0, 1], not {probability}"
    );
    let position = probability * (sorted.len() - 1) as f64;
    let below = position.floor();
    let (low, high) = (sorted[below as usize], sorted[position.ceil() as usize]);
    low + (position - below) * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn non_finite_values_are_rejected() {
        assert_eq!(Sample::new(vec![]), Err(StatsError::Empty));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.1e100] {
            let error = Sample::new(vec![1.0, bad]).unwrap_err();
            assert!(
                error.to_string().starts_with("value 1 of the sample is"),
                "{error}"
            );
        }
    }

    #[test]
    fn moments_match_hand_calculation() {
        let s = sample(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!((s.len(), s.mean(), s.min(), s.max()), (8, 5.0, 2.0, 9.0));
        // The squared deviations sum to 32.
        assert!((s.sd().unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15);
        assert!((s.standard_error().unwrap() - (4.0_f64 / 7.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn single_value_has_no_standard_deviation() {
        let s = sample(&[3.5]);
        assert_eq!((s.mean(), s.median(), s.quantile(0.9)), (3.5, 3.5, 3.5));
        assert_eq!((s.sd(), s.standard_error()), (None, None));
    }

    #[test]
    fn values_equal_up_to_rounding_have_zero_sd() {
        let s = sample(&[0.1; 10]);
        assert_eq!((s.mean(), s.sd()), (0.1, Some(0.0)));
        // The same difference of counts out of 360, at two levels of accuracy.
        let percent = |right: f64| 100.0 * right / 360.0;
        let differences = [
            percent(350.0) - percent(349.0),
            percent(340.0) - percent(339.0),
        ];
        assert_ne!(differences[0], differences[1]);
        assert_eq!(sample(&differences).sd(), Some(0.0));
    }

    #[test]
    fn sd_does_not_overflow_or_underflow() {
        assert!((sample(&[-1e100, 1e100]).sd().unwrap() / 2f64.sqrt() - 1e100).abs() < 1e86);
        assert!((sample(&[-1e-200, 1e-200]).sd().unwrap() / 2f64.sqrt() - 1e-200).abs() < 1e-214);
    }

    #[test]
    fn quantiles_match_numpy() {
        // numpy.quantile([3, 1, 4, 1, 5], [0, 0.1, 0.5, 0.9, 1])
        let s = sample(&[3.0, 1.0, 4.0, 1.0, 5.0]);
        for (share, expected) in [(0.0, 1.0), (0.1, 1.0), (0.5, 3.0), (0.9, 4.6), (1.0, 5.0)] {
            assert!((s.quantile(share) - expected).abs() < 1e-12, "{share}");
        }
        assert_eq!(sample(&[4.0, 1.0, 3.0, 2.0]).median(), 2.5);
    }

    proptest! {
        #[test]
        fn mean_and_median_are_within_the_range(
            values in prop::collection::vec(-1e3..1e3_f64, 1..30)
        ) {
            let s = sample(&values);
            for middle in [s.mean(), s.median()] {
                prop_assert!(s.min() <= middle && middle <= s.max());
            }
        }

        #[test]
        fn sd_scales_and_ignores_shifts(
            values in prop::collection::vec(-10.0..10.0_f64, 2..30),
            scale in 0.1..10.0_f64,
            shift in -10.0..10.0_f64,
        ) {
            let moved: Vec<f64> = values.iter().map(|x| scale * x + shift).collect();
            let (sd, moved) = (sample(&values).sd().unwrap(), sample(&moved).sd().unwrap());
            prop_assert!((moved - scale * sd).abs() <= 1e-12 * (1.0 + scale * sd));
        }
    }
}
