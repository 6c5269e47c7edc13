//! The bias-corrected and accelerated bootstrap interval of a mean.

use super::BOOTSTRAP_STEP;
use super::interval::{Interval, assert_confidence};
use super::sample::{ROUNDING, Sample, quantile_of_sorted};
use super::student::{normal_cdf, normal_quantile};
use ablate_streams::Stream;

/// The BCa interval of the mean (Efron, "Better bootstrap confidence intervals", 1987): percentiles
/// of `resamples` bootstrap means, moved by the bias `z0` (the normal quantile of the share of
/// bootstrap means below the observed one, ties counted half) and the acceleration `a` (from the
/// jackknife).
///
/// Zero spread, and so a single value, gives a point.
///
/// The bootstrap takes the sample for the population, and small samples spread less than their
/// population: with few values the interval is too short. In simulation the 95 % interval covers the
/// mean of 5, 10, 20 and 40 normal values in 84, 90, 93 and 94 % of samples (the t interval in 95 %),
/// and that of a lognormal distribution (skewness 6.2) in 75, 83, 87 and 90 % (the t interval in 83,
/// 85, 87 and 89 %). It is reported beside the t interval and decides nothing.
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
    let end = |share: f64| {
        let moved = adjusted_share(normal_quantile(share), bias, acceleration);
        mean + quantile_of_sorted(&shifts, moved)
    };
    let tail = (1.0 - confidence) / 2.0;
    Interval {
        low: end(tail),
        high: end(1.0 - tail),
    }
}

/// Bootstrap means less the observed mean, ascending.
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

/// `z0`, kept finite where all bootstrap means fall on one side.
fn bias_correction(shifts: &[f64], deviations: &[f64]) -> f64 {
    let size: f64 = deviations.iter().map(|d| d.abs()).sum();
    let slack = ROUNDING * size / deviations.len() as f64;
    let below = shifts.partition_point(|&shift| shift < -slack);
    let above = shifts.len() - shifts.partition_point(|&shift| shift <= slack);
    let count = shifts.len() as f64;
    let share = (count + below as f64 - above as f64) / (2.0 * count);
    let least = 1.0 / (count + 1.0);
    normal_quantile(share.clamp(least, 1.0 - least))
}

/// The jackknife's skewness over 6. Leaving out value `i` moves the mean by `-d_i / (n - 1)`, and
/// the factor cancels. At most 1/6 in magnitude.
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

/// Which percentile of the bootstrap means stands for the normal quantile `z` (Efron 1987,
/// equation 2.3).
fn adjusted_share(z: f64, bias: f64, acceleration: f64) -> f64 {
    let shifted = bias + z;
    let stretch = 1.0 - acceleration * shifted;
    if stretch <= 0.0 {
        // Past the pole, which takes a level beyond six standard deviations.
        return if shifted > 0.0 { 1.0 } else { 0.0 };
    }
    normal_cdf(bias + shifted / stretch)
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
    fn a_skewed_sample_matches_an_independent_implementation() {
        // scipy.stats.bootstrap((x,), np.mean, n_resamples=1_000_000, method='BCa', rng=1), 1.17
        let x = [0.1, 0.7, 0.2, 1.9, 0.4, 0.3, 3.2, 0.8, 0.5, 0.6];
        let interval = bca_interval(&sample(&x), 0.95, 20_000, &stream());
        assert!((interval.low - 0.46).abs() < 0.011, "{interval:?}");
        assert!((interval.high - 1.73).abs() < 0.03, "{interval:?}");
    }

    #[test]
    fn acceleration_is_that_by_hand() {
        // Deviations -1, -1, 2: cubes sum to 6, squares to 6.
        assert!((acceleration(&[-1.0, -1.0, 2.0]) - 6f64.powf(-0.5) / 6.0).abs() < 1e-15);
        assert_eq!(acceleration(&[-1.0, 0.0, 1.0]), 0.0);
    }

    #[test]
    fn without_bias_and_acceleration_the_percentiles_stay() {
        for share in [0.025, 0.5, 0.975] {
            let z = normal_quantile(share);
            assert!((adjusted_share(z, 0.0, 0.0) - share).abs() < 1e-10);
        }
        assert!((adjusted_share(0.0, 0.5, 0.0) - normal_cdf(1.0)).abs() < 1e-15);
        assert_eq!(adjusted_share(7.0, 0.0, 1.0 / 6.0), 1.0);
        assert_eq!(adjusted_share(-7.0, 0.0, -1.0 / 6.0), 0.0);
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
    fn zero_spread_and_a_single_value_give_a_point() {
        for values in [&[2.5][..], &[0.1; 6], &[0.0; 6]] {
            let interval = bca_interval(&sample(values), 0.95, 100, &stream());
            assert_eq!((interval.low, interval.high), (values[0], values[0]));
        }
    }

    #[test]
    fn the_interval_depends_on_the_stream_and_on_nothing_else() {
        let s = sample(&[0.3, 1.0, -0.4, 0.8, 0.1]);
        let interval = bca_interval(&s, 0.95, 500, &stream());
        assert_eq!(interval, bca_interval(&s, 0.95, 500, &stream()));
        let other = Stream::new(1, Purpose::Resample, "bca");
        assert_ne!(interval, bca_interval(&s, 0.95, 500, &other));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_interval_lies_in_the_range_nests_and_follows_scale_and_shift(
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
