//! The sign-flip test of a mean of zero, a randomization test.
//!
//! Under the null hypothesis each difference could equally well have had the opposite sign, so the
//! observed mean is compared with the means of all sign patterns (Fisher, "The Design of Experiments",
//! 1935, section 21). The test is exact for independent differences that are symmetric about zero,
//! whatever their distributions. Arms that are exchangeable under the null hypothesis have such
//! differences.

use super::SIGN_FLIP_STEP;
use super::sample::{ROUNDING, Sample};
use ablate_streams::Stream;

/// Largest number of values for which all `2^n` sign patterns are counted. For more, patterns are
/// drawn at random.
pub const EXACT_LIMIT: usize = 40;

/// The alternative hypothesis about the mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alternative {
    /// The mean is not zero.
    TwoSided,
    /// The mean is above zero.
    Greater,
    /// The mean is below zero.
    Less,
}

/// The p-value of a mean of zero: the proportion of sign patterns with a mean at least as extreme as
/// the observed one.
///
/// Exact up to [`EXACT_LIMIT`] values. Beyond, `resamples` patterns are drawn from `stream`, and `b`
/// extreme ones give `(b + 1) / (resamples + 1)`, a valid p-value for any number of draws (Phipson
/// and Smyth, "Permutation p-values should never be zero", 2010). Means that are equal up to rounding
/// count as equal. Returns 1 if all differences are zero.
pub fn sign_flip_test(
    sample: &Sample,
    alternative: Alternative,
    resamples: usize,
    stream: &Stream,
) -> f64 {
    let total: f64 = sample.values().iter().sum();
    let magnitudes: Vec<f64> = sample.values().iter().map(|x| x.abs()).collect();
    let tolerance = ROUNDING * magnitudes.iter().sum::<f64>();
    let (observed, tails) = match alternative {
        Alternative::TwoSided => (total.abs(), 2.0),
        Alternative::Greater => (total, 1.0),
        // Flipping every sign turns the lower tail into the upper one.
        Alternative::Less => (-total, 1.0),
    };
    let threshold = observed - tolerance;
    if alternative == Alternative::TwoSided && threshold <= 0.0 {
        return 1.0;
    }
    if sample.len() <= EXACT_LIMIT {
        return (tails * upper_tail(&magnitudes, threshold)).min(1.0);
    }
    let extreme = |sum: f64| match alternative {
        Alternative::TwoSided => sum.abs() >= threshold,
        Alternative::Greater | Alternative::Less => sum >= threshold,
    };
    let hits = random_sums(&magnitudes, stream)
        .take(resamples)
        .filter(|&sum| extreme(sum))
        .count();
    (hits + 1) as f64 / (resamples + 1) as f64
}

/// The smallest two-sided p-value that `n` differences can have, `2 / 2^n`; 1 for `n <= 1`.
pub fn sign_flip_min_p(n: usize) -> f64 {
    let halvings = i32::try_from(n).unwrap_or(i32::MAX);
    (2.0 * 0.5_f64.powi(halvings)).min(1.0)
}

/// The proportion of the `2^n` signed sums of `magnitudes` that are at least `threshold`.
///
/// Meet in the middle: every signed sum is one of the first half of the values plus one of the second
/// half, so two sorted lists of `2^(n/2)` sums replace the enumeration of `2^n` (Horowitz and Sahni,
/// "Computing partitions with applications to the knapsack problem", 1974).
fn upper_tail(magnitudes: &[f64], threshold: f64) -> f64 {
    let (first, second) = magnitudes.split_at(magnitudes.len() / 2);
    let (first, second) = (signed_sums(first), signed_sums(second));
    let mut hits = 0u64;
    // Index of the first sum in `second` that reaches the threshold; it falls as `a` grows.
    let mut start = second.len();
    for a in &first {
        while start > 0 && a + second[start - 1] >= threshold {
            start -= 1;
        }
        hits += (second.len() - start) as u64;
    }
    hits as f64 / (first.len() as u64 * second.len() as u64) as f64
}

/// All `2^n` signed sums, ascending.
fn signed_sums(magnitudes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for magnitude in magnitudes {
        // Merges the two shifted copies, which are both sorted.
        let mut merged = Vec::with_capacity(2 * sums.len());
        let (mut minus, mut plus) = (0, 0);
        while plus < sums.len() {
            let high = sums[plus] + magnitude;
            if minus < sums.len() && sums[minus] - magnitude <= high {
                merged.push(sums[minus] - magnitude);
                minus += 1;
            } else {
                merged.push(high);
                plus += 1;
            }
        }
        sums = merged;
    }
    sums
}

/// Sums of `magnitudes` with random signs; each sign takes one bit of `stream`.
fn random_sums(magnitudes: &[f64], stream: &Stream) -> impl Iterator<Item = f64> {
    let mut words = stream.words(SIGN_FLIP_STEP);
    std::iter::from_fn(move || {
        let mut sum = 0.0;
        for chunk in magnitudes.chunks(32) {
            let bits = words.next()?;
            for (i, magnitude) in chunk.iter().enumerate() {
                sum += if bits >> i & 1 == 1 {
                    *magnitude
                } else {
                    -magnitude
                };
            }
        }
        Some(sum)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_streams::Purpose;
    use proptest::prelude::*;

    fn stream() -> Stream {
        Stream::new(0, Purpose::Resample, "sign-flip")
    }

    fn test(values: &[f64], tail: Alternative) -> f64 {
        sign_flip_test(
            &Sample::new(values.to_vec()).unwrap(),
            tail,
            10_000,
            &stream(),
        )
    }

    /// The p-value by enumeration of all sign patterns.
    fn brute_force(values: &[f64], extreme: impl Fn(f64, f64) -> bool) -> f64 {
        let observed: f64 = values.iter().sum();
        let hits = (0..1u32 << values.len())
            .filter(|bits| {
                let flip = |(i, x): (usize, &f64)| if bits >> i & 1 == 1 { -x } else { *x };
                extreme(values.iter().enumerate().map(flip).sum(), observed)
            })
            .count();
        hits as f64 / (1u32 << values.len()) as f64
    }

    #[test]
    fn known_sample_matches_scipy() {
        // scipy.stats.permutation_test((x,), np.mean, permutation_type='samples',
        //                              n_resamples=np.inf, alternative=...), times 2^7
        let x = [1.5, -0.2, 0.7, 2.2, 0.9, -0.4, 1.1];
        assert_eq!(test(&x, Alternative::TwoSided), 8.0 / 128.0);
        assert_eq!(test(&x, Alternative::Greater), 4.0 / 128.0);
        assert_eq!(test(&x, Alternative::Less), 125.0 / 128.0);
    }

    #[test]
    fn equal_signs_give_the_smallest_p() {
        for n in 1..=EXACT_LIMIT {
            let values: Vec<f64> = (1..=n).map(|i| i as f64).collect();
            if n <= 16 || n == EXACT_LIMIT {
                assert_eq!(
                    test(&values, Alternative::TwoSided),
                    sign_flip_min_p(n),
                    "{n}"
                );
            }
        }
        let smallest = [1, 5, 6, 10, 5000].map(sign_flip_min_p);
        assert_eq!(smallest, [1.0, 0.0625, 0.031_25, 2.0 / 1024.0, 0.0]);
    }

    #[test]
    fn zero_differences_give_one() {
        assert_eq!(test(&[0.0; 8], Alternative::TwoSided), 1.0);
        assert_eq!(test(&[0.0; 8], Alternative::Greater), 1.0);
        assert_eq!(test(&[0.0; 8], Alternative::Less), 1.0);
        assert_eq!(test(&[0.0; 50], Alternative::TwoSided), 1.0);
        assert_eq!(test(&[3.0], Alternative::TwoSided), 1.0);
    }

    #[test]
    fn ties_count_despite_rounding() {
        // Multiples of 0.28 (one image of 360): 14 of the 16 patterns reach a sum of +-0.
        let unit = 100.0 / 360.0;
        let noisy = [
            100.0 - (100.0 - unit),
            98.0 + unit - 98.0,
            2.0 * unit,
            -unit,
        ];
        assert_eq!(
            test(&noisy, Alternative::TwoSided),
            brute_force(&[1.0, 1.0, 2.0, -1.0], |sum, observed| sum.abs()
                >= observed.abs())
        );
    }

    #[test]
    fn random_signs_agree_with_exact_p() {
        // 41 values, 31 of them zero, have the exact p of the other 10.
        let mut values = vec![0.9, -0.3, 0.5, 0.8, -0.1, 0.7, -0.6, 0.4, 0.2, -0.35];
        for tail in [
            Alternative::TwoSided,
            Alternative::Greater,
            Alternative::Less,
        ] {
            let exact = test(&values, tail);
            let mut padded = values.clone();
            padded.resize(EXACT_LIMIT + 1, 0.0);
            let drawn = test(&padded, tail);
            let error = (exact * (1.0 - exact) / 1e4).sqrt();
            assert!(
                (drawn - exact).abs() < 4.0 * error,
                "{tail:?} {exact} {drawn}"
            );
            assert_eq!(drawn, test(&padded, tail), "drawn twice");
        }
        values = (0..60).map(|i| 1.0 + f64::from(i)).collect();
        assert_eq!(
            test(&values, Alternative::TwoSided),
            1.0 / 10_001.0,
            "never zero"
        );
    }

    proptest! {
        #[test]
        fn exact_p_equals_enumeration(
            values in prop::collection::vec(-4i32..5, 1..10)
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let two_sided = brute_force(&values, |sum, observed| sum.abs() >= observed.abs());
            prop_assert_eq!(test(&values, Alternative::TwoSided), two_sided);
            prop_assert_eq!(test(&values, Alternative::Greater), brute_force(&values, |s, o| s >= o));
            prop_assert_eq!(test(&values, Alternative::Less), brute_force(&values, |s, o| s <= o));
        }

        #[test]
        fn negation_swaps_the_tails_and_scale_cancels(
            values in prop::collection::vec(-5.0..5.0_f64, 1..16),
            scale in 0.01..100.0_f64,
        ) {
            let times = |factor: f64| values.iter().map(|x| factor * x).collect::<Vec<_>>();
            let (negated, scaled) = (times(-1.0), times(scale));
            prop_assert_eq!(test(&values, Alternative::TwoSided), test(&negated, Alternative::TwoSided));
            prop_assert_eq!(test(&values, Alternative::Greater), test(&negated, Alternative::Less));
            prop_assert_eq!(test(&values, Alternative::TwoSided), test(&scaled, Alternative::TwoSided));
            prop_assert!(test(&values, Alternative::TwoSided) >= sign_flip_min_p(values.len()));
        }
    }
}
