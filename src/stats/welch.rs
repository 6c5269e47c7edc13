//! Weighted sums of means of independent samples (Welch, "The generalization of 'Student's' problem when
//! several different population variances are involved", 1947).

use super::interval::{Interval, assert_confidence};
use super::sample::Sample;
use super::student::t_critical;

/// Independent samples, each with its weight in the sum of means.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedSamples(pub Vec<(f64, Sample)>);

impl WeightedSamples {
    /// The weighted sum of the means.
    pub fn mean(&self) -> f64 {
        self.0
            .iter()
            .map(|(weight, sample)| weight * sample.mean())
            .sum()
    }

    /// The t interval of the sum, with the degrees of freedom of Satterthwaite (1946).
    ///
    /// Returns `None` if a sample has a single value, or all standard deviations are zero.
    ///
    /// # Panics
    /// If `confidence` is not in `(0, 1)`.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        assert_confidence(confidence);
        let parts = self.0.iter().map(|(weight, sample)| {
            let variance = (weight * sample.standard_error()?).powi(2);
            Some((variance, (sample.len() - 1) as f64))
        });
        let parts: Vec<(f64, f64)> = parts.collect::<Option<_>>()?;
        let variance: f64 = parts.iter().map(|(variance, _)| variance).sum();
        if variance == 0.0 {
            return None;
        }
        let squares: f64 = parts
            .iter()
            .map(|(variance, n)| variance * variance / n)
            .sum();
        let freedom = variance * variance / squares;
        let half_width = t_critical((1.0 - confidence) / 2.0, freedom) * variance.sqrt();
        let mean = self.mean();
        Some(Interval {
            low: mean - half_width,
            high: mean + half_width,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_streams::{Purpose, Stream};

    fn difference(a: &[f64], b: &[f64]) -> WeightedSamples {
        let sample = |values: &[f64]| Sample::new(values.to_vec()).unwrap();
        WeightedSamples(vec![(1.0, sample(a)), (-1.0, sample(b))])
    }

    #[test]
    fn two_samples_of_equal_spread_have_the_textbook_interval() {
        // Both variances are 1 and n is 3: degrees of freedom 4, standard error sqrt(2/3),
        // and the 97.5 % quantile of t with 4 degrees of freedom is 2.776445105.
        let found = difference(&[1.0, 2.0, 3.0], &[0.0, 1.0, 2.0]);
        let interval = found.interval(0.95).unwrap();
        let half = 2.776_445_105_198 * (2.0f64 / 3.0).sqrt();
        assert!((interval.high - 1.0 - half).abs() < 1e-9, "{interval:?}");
        assert!((interval.low - 1.0 + half).abs() < 1e-9, "{interval:?}");
    }

    #[test]
    fn constant_sample_leaves_the_degrees_of_freedom_of_the_other() {
        let found = difference(&[1.0, 2.0, 3.0], &[5.0, 5.0]);
        let interval = found.interval(0.95).unwrap();
        // The 97.5 % quantile of t with 2 degrees of freedom is 4.302652730.
        let half = 4.302_652_729_9 / 3.0f64.sqrt();
        assert!((interval.high + 3.0 - half).abs() < 1e-9, "{interval:?}");
        assert_eq!(difference(&[1.0, 1.0], &[2.0, 2.0]).interval(0.95), None);
        assert_eq!(difference(&[1.0], &[2.0, 3.0]).interval(0.95), None);
    }

    #[test]
    fn coverage_is_nominal_for_unequal_spreads() {
        let mut normals = Stream::new(7, Purpose::Resample, "welch").normals(0);
        let runs = 4_000;
        let covered = (0..runs)
            .filter(|_| {
                let mut draw = |n: usize, sd: f64| -> Vec<f64> {
                    normals.by_ref().take(n).map(|z| sd * z).collect()
                };
                let (a, b) = (draw(6, 1.0), draw(10, 4.0));
                difference(&a, &b).interval(0.95).unwrap().contains(0.0)
            })
            .count();
        let share = covered as f64 / f64::from(runs);
        assert!((0.935..0.965).contains(&share), "{share}");
    }
}
