//! BCa (bias-corrected and accelerated) bootstrap interval of a mean.

use super::BOOTSTRAP_STEP;
use super::interval::{Interval, assert_confidence};
use super::sample::{ROUNDING, Sample, quantile_of_sorted};
use super::student::{normal_cdf, normal_quantile};
use ablate_streams::Stream;

/// The BCa bootstrap interval of the mean (Efron, "Better bootstrap confidence intervals", 1987).
///
/// The ends are percentiles of `resamples` bootstrap means. The percentiles are adjusted by the bias
/// correction `z0`, the normal quantile of the proportion of bootstrap means below the observed mean
/// (ties count half), and by the acceleration `a`, estimated by the jackknife.
///
/// A sample with zero standard deviation gives a point, and so does a single value.
///
/// The interval is too short for small samples, because the bootstrap treats the sample as the
/// population. In simulations the 95 % interval covers the mean of 5, 10, 20 and 40 normal values
/// in 84, 90, 93 and 94 % of samples (the t interval in 95 %), and the mean of a lognormal
/// distribution with skewness 6.2 in 75, 83, 87 and 90 % (the t interval in 83, 85, 87 and 89 %).
/// It is reported beside the t interval and no verdict depends on it.
///
/// # Panics
/// If `confidence` is not in `(0, 1)`, or `resamples` is zero.
pub fn bca_interval(
    sample: &Sample,
    confidence: f64,
    resamples: usize,
    stream: &Stream,
) -> Interval {
    assert_confidence(confidence);
    assert!(resamples > 0, "a bootstrap needs at least one resample");
    let mean = sample.mean();
    if sample.sd().unwrap_or(0.0) == 0.0 {
        return Interval {
            low: mean,
            high: mean,
        };
    }
    let deviations: Vec<f64> = sample.values().iter().map(|x| x - mean).collect();
    let shifts = bootstrap_shifts(&deviations, resamples, stream);
    let bias = bias_correction(&shifts, &deviations);
    let acceleration = acceleration(&deviations);
    let end = |probability: f64| {
        let adjusted = adjusted_probability(normal_quantile(probability), bias, acceleration);
        mean + quantile_of_sorted(&shifts, adjusted)
    };
    let tail = (1.0 - confidence) / 2.0;
    Interval {
        low: end(tail),
        high: end(1.0 - tail),
    }
}

/// Bootstrap means minus the observed mean, ascending.
fn bootstrap_shifts(deviations: &[f64], resamples: usize, stream: &Stream) -> Vec<f64> {
    let n = u32::try_from(deviations.len()).expect("a sample of fewer than 2^32 values");
    let mut indices = stream.indices(BOOTSTRAP_STEP);
    let mut shifts: Vec<f64> = (0..resamples)
        .map(|_| {
            let sum: f64 = (0..n).map(|_| deviations[indices.below(n) as usize]).sum();
            sum / f64::from(n)
        })
        .collect();
    shifts.sort_unstable_by(f64::total_cmp);
    shifts
}

/// The bias correction `z0`. It stays finite if all bootstrap means are on one side of the observed
/// mean.
fn bias_correction(shifts: &[f64], deviations: &[f64]) -> f64 {
    let total: f64 = deviations.iter().map(|d| d.abs()).sum();
    let tolerance = ROUNDING * total / deviations.len() as f64;
    let below = shifts.partition_point(|&shift| shift < -tolerance);
    let above = shifts.len() - shifts.partition_point(|&shift| shift <= tolerance);
    let count = shifts.len() as f64;
    let proportion = (count + below as f64 - above as f64) / (2.0 * count);
    let least = 1.0 / (count + 1.0);
    normal_quantile(proportion.clamp(least, 1.0 - least))
}

/// The acceleration `a`: a sixth of the skewness of the jackknife values.
///
/// Leaving out value `i` changes the mean by `-d_i / (n - 1)`, and the factor cancels. The result is
/// at most 1/6 in magnitude.
fn acceleration(deviations: &[f64]) -> f64 {
    let largest = deviations.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
    let power = |k| {
        deviations
            .iter()
            .map(|d| (d / largest).powi(k))
            .sum::<f64>()
    };
    power(3) / (6.0 * power(2).powf(1.5))
}

/// Probability of the bootstrap percentile that replaces the normal quantile `z` (Efron 1987,
/// equation 2.3).
fn adjusted_probability(z: f64, bias: f64, acceleration: f64) -> f64 {
    let shifted = bias + z;
    let denominator = 1.0 - acceleration * shifted;
    if denominator <= 0.0 {
        // Beyond the pole of the formula; only a level beyond six standard deviations gets here.
        return if shifted > 0.0 { 1.0 } else { 0.0 };
    }
    normal_cdf(bias + shifted / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_streams::Purpose;
    use proptest::prelude::*;

    fn stream() -> Stream {
        Stream::new(0, Purpose::Resample, "bca")
    }

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn skewed_sample_matches_scipy() {
        // scipy.stats.bootstrap((x,), np.mean, n_resamples=1_000_000, method='BCa', rng=1), 1.17
        let x = [0.1, 0.7, 0.2, 1.9, 0.4, 0.3, 3.2, 0.8, 0.5, 0.6];
        let interval = bca_interval(&sample(&x), 0.95, 20_000, &stream());
        assert!((interval.low - 0.46).abs() < 0.011, "{interval:?}");
        assert!((interval.high - 1.73).abs() < 0.03, "{interval:?}");
    }

    #[test]
    fn acceleration_matches_hand_calculation() {
        // Deviations -1, -1, 2: cubes sum to 6, squares to 6.
        assert!((acceleration(&[-1.0, -1.0, 2.0]) - 6f64.powf(-0.5) / 6.0).abs() < 1e-15);
        assert_eq!(acceleration(&[-1.0, 0.0, 1.0]), 0.0);
    }

    #[test]
    fn no_bias_or_acceleration_keeps_the_percentiles() {
        for share in [0.025, 0.5, 0.975] {
            let z = normal_quantile(share);
            assert!((adjusted_probability(z, 0.0, 0.0) - share).abs() < 1e-10);
        }
        assert!((adjusted_probability(0.0, 0.5, 0.0) - normal_cdf(1.0)).abs() < 1e-15);
        assert_eq!(adjusted_probability(7.0, 0.0, 1.0 / 6.0), 1.0);
        assert_eq!(adjusted_probability(-7.0, 0.0, -1.0 / 6.0), 0.0);
    }

    #[test]
    fn ties_with_the_observed_mean_count_half() {
        let deviations = [-1.0, 1.0];
        assert_eq!(bias_correction(&[-1.0, 0.0, 0.0, 1.0], &deviations), 0.0);
        let leaning = bias_correction(&[-1.0, -1.0, 0.0, 0.0], &deviations);
        assert!((leaning - normal_quantile(0.75)).abs() < 1e-15);
        assert!(bias_correction(&[1.0; 9], &deviations).is_finite());
    }

    #[test]
    fn zero_sd_and_single_value_give_a_point() {
        for values in [&[2.5][..], &[0.1; 6], &[0.0; 6]] {
            let interval = bca_interval(&sample(values), 0.95, 100, &stream());
            assert_eq!((interval.low, interval.high), (values[0], values[0]));
        }
    }

    #[test]
    fn same_stream_gives_the_same_interval() {
        let s = sample(&[0.3, 1.0, -0.4, 0.8, 0.1]);
        let interval = bca_interval(&s, 0.95, 500, &stream());
        assert_eq!(interval, bca_interval(&s, 0.95, 500, &stream()));
        let other = Stream::new(1, Purpose::Resample, "bca");
        assert_ne!(interval, bca_interval(&s, 0.95, 500, &other));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn interval_is_in_range_nested_and_equivariant(
            values in prop::collection::vec(-5.0..5.0_f64, 2..12),
            scale in 0.1..10.0_f64,
            shift in -5.0..5.0_f64,
        ) {
            let s = sample(&values);
            let wide = bca_interval(&s, 0.95, 200, &stream());
            let narrow = bca_interval(&s, 0.5, 200, &stream());
            prop_assert!(s.min() - 1e-9 <= wide.low && wide.high <= s.max() + 1e-9);
            prop_assert!(wide.low <= narrow.low && narrow.low <= narrow.high);
            prop_assert!(narrow.high <= wide.high);
            let moved: Vec<f64> = values.iter().map(|x| scale * x + shift).collect();
            let moved = bca_interval(&sample(&moved), 0.95, 200, &stream());
            let slack = 1e-6 * (1.0 + scale);
            prop_assert!((moved.low - (scale * wide.low + shift)).abs() < slack);
            prop_assert!((moved.high - (scale * wide.high + shift)).abs() < slack);
        }
    }
}
