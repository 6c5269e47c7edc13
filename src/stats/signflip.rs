//! The sign-flip test: under no effect, every difference could as well have had the other sign.
//!
//! A randomization test (Fisher, "The Design of Experiments", 1935, section 21) with the mean as
//! statistic. It is exact for independent differences that are each symmetric about zero, whatever
//! their distributions; arms that are exchangeable under the null give such differences.

use super::SIGN_FLIP_STEP;
use super::sample::{ROUNDING, Sample};
use ablate_streams::Stream;

/// Up to this many values all `2^n` sign patterns are counted; beyond, they are drawn.
pub const EXACT_LIMIT: usize = 40;

/// Which means speak against a mean of zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Those far from zero on either side.
    TwoSided,
    /// The large ones.
    Greater,
    /// The small ones.
    Less,
}

/// The p-value of a mean of zero: the share of sign patterns whose mean is as extreme as the one
/// observed, or more.
///
/// Exact up to [`EXACT_LIMIT`] values. Beyond, `resamples` patterns are drawn from `stream` and `b`
/// extreme ones give `(b + 1) / (resamples + 1)`, which is valid at any number of draws (Phipson
/// and Smyth, "Permutation p-values should never be zero", 2010). Means that agree up to rounding
/// count as equal. Differences that are all zero give 1.
pub fn sign_flip_test(sample: &Sample, tail: Tail, resamples: usize, stream: &Stream) -> f64 {
    let total: f64 = sample.values().iter().sum();
    let sizes: Vec<f64> = sample.values().iter().map(|x| x.abs()).collect();
    let slack = ROUNDING * sizes.iter().sum::<f64>();
    let (observed, sides) = match tail {
        Tail::TwoSided => (total.abs(), 2.0),
        Tail::Greater => (total, 1.0),
        // Flipping every sign turns one tail into the other.
        Tail::Less => (-total, 1.0),
    };
    let threshold = observed - slack;
    if tail == Tail::TwoSided && threshold <= 0.0 {
        return 1.0;
    }
    if sample.len() <= EXACT_LIMIT {
        return (sides * exact_tail(&sizes, threshold)).min(1.0);
    }
    let extreme = |sum: f64| match tail {
        Tail::TwoSided => sum.abs() >= threshold,
        Tail::Greater | Tail::Less => sum >= threshold,
    };
    let hits = random_sums(&sizes, stream)
        .take(resamples)
        .filter(|&sum| extreme(sum))
        .count();
    (hits + 1) as f64 / (resamples + 1) as f64
}

/// The smallest two-sided p-value that `n` differences can reach, `2 / 2^n`.
pub fn sign_flip_floor(n: usize) -> f64 {
    let halvings = i32::try_from(n).unwrap_or(i32::MAX);
    (2.0 * 0.5_f64.powi(halvings)).min(1.0)
}

/// The smallest `n` with [`sign_flip_floor`] below `alpha`: with fewer seeds nothing can be shown.
///
/// # Panics
/// If `alpha` is not in `(0, 1)`.
pub fn sign_flip_seeds(alpha: f64) -> usize {
    assert!(
        alpha > 0.0 && alpha < 1.0,
        "a level lies between 0 and 1, not at {alpha}"
    );
    (1..)
        .find(|&n| sign_flip_floor(n) < alpha)
        .expect("the floor falls to zero")
}

/// The level that a two-sided test at `alpha` really has with `n` differences: the largest multiple
/// of [`sign_flip_floor`] below `alpha`. `None` where the floor is not below `alpha`.
pub fn sign_flip_level(n: usize, alpha: f64) -> Option<f64> {
    let floor = sign_flip_floor(n);
    if !(floor < alpha && alpha < 1.0) {
        return None;
    }
    if floor < f64::EPSILON * alpha {
        return Some(alpha);
    }
    // The last multiple that is strictly below; the floor is a power of two, so this is exact.
    Some(((alpha / floor).ceil() - 1.0) * floor)
}

/// The share of the `2^n` signed sums of `sizes` that reach `threshold`.
///
/// Every signed sum is one of the first half of the sizes plus one of the second, so counting over
/// two sorted lists of `2^(n/2)` replaces the enumeration of `2^n` (Horowitz and Sahni, "Computing
/// partitions with applications to the knapsack problem", 1974).
fn exact_tail(sizes: &[f64], threshold: f64) -> f64 {
    let (first, second) = sizes.split_at(sizes.len() / 2);
    let (first, second) = (signed_sums(first), signed_sums(second));
    let mut hits = 0u64;
    // The first place in `second` that reaches the threshold moves down as `a` grows.
    let mut place = second.len();
    for a in &first {
        while place > 0 && a + second[place - 1] >= threshold {
            place -= 1;
        }
        hits += (second.len() - place) as u64;
    }
    hits as f64 / (first.len() as u64 * second.len() as u64) as f64
}

/// All `2^n` sums with signs, ascending.
fn signed_sums(sizes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for size in sizes {
        // Both shifted copies are sorted already: merge them.
        let mut merged = Vec::with_capacity(2 * sums.len());
        let (mut minus, mut plus) = (0, 0);
        while plus < sums.len() {
            let high = sums[plus] + size;
            if minus < sums.len() && sums[minus] - size <= high {
                merged.push(sums[minus] - size);
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

/// Sums of `sizes` with random signs, one bit of `stream` a sign.
fn random_sums(sizes: &[f64], stream: &Stream) -> impl Iterator<Item = f64> {
    let mut words = stream.words(SIGN_FLIP_STEP);
    std::iter::from_fn(move || {
        let mut sum = 0.0;
        for part in sizes.chunks(32) {
            let bits = words.next()?;
            for (i, size) in part.iter().enumerate() {
                sum += if bits >> i & 1 == 1 { *size } else { -size };
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

    fn test(values: &[f64], tail: Tail) -> f64 {
        sign_flip_test(
            &Sample::new(values.to_vec()).unwrap(),
            tail,
            10_000,
            &stream(),
        )
    }

    /// All sign patterns one by one.
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
    fn a_known_sample_matches_an_independent_implementation() {
        // scipy.stats.permutation_test((x,), np.mean, permutation_type='samples',
        //                              n_resamples=np.inf, alternative=...), times 2^7
        let x = [1.5, -0.2, 0.7, 2.2, 0.9, -0.4, 1.1];
        assert_eq!(test(&x, Tail::TwoSided), 8.0 / 128.0);
        assert_eq!(test(&x, Tail::Greater), 4.0 / 128.0);
        assert_eq!(test(&x, Tail::Less), 125.0 / 128.0);
    }

    #[test]
    fn one_sign_throughout_gives_the_floor() {
        for n in 1..=EXACT_LIMIT {
            let values: Vec<f64> = (1..=n).map(|i| i as f64).collect();
            if n <= 16 || n == EXACT_LIMIT {
                assert_eq!(test(&values, Tail::TwoSided), sign_flip_floor(n), "{n}");
            }
        }
        let floors = [1, 5, 6, 10, 5000].map(sign_flip_floor);
        assert_eq!(floors, [1.0, 0.0625, 0.031_25, 2.0 / 1024.0, 0.0]);
    }

    #[test]
    fn five_seeds_cannot_reach_five_percent_and_six_can() {
        assert_eq!(sign_flip_seeds(0.05), 6);
        // 2 / 2^8 = 0.0078 is the first below 0.05 / 5; a floor at the level does not reach it.
        assert_eq!(sign_flip_seeds(0.01), 8);
        assert_eq!(sign_flip_seeds(0.0625), 6);
    }

    #[test]
    fn the_real_level_is_the_last_step_below_the_nominal_one() {
        assert_eq!(sign_flip_level(5, 0.05), None);
        assert_eq!(sign_flip_level(5, 0.0625), None);
        assert_eq!(sign_flip_level(6, 0.05), Some(1.0 / 32.0));
        assert_eq!(sign_flip_level(7, 0.05), Some(3.0 / 64.0));
        assert_eq!(sign_flip_level(7, 3.0 / 64.0), Some(2.0 / 64.0));
        for n in [40, 80, 2000] {
            assert!((sign_flip_level(n, 0.05).unwrap() - 0.05).abs() < 1e-11);
        }
    }

    #[test]
    fn differences_of_zero_show_nothing() {
        assert_eq!(test(&[0.0; 8], Tail::TwoSided), 1.0);
        assert_eq!(test(&[0.0; 8], Tail::Greater), 1.0);
        assert_eq!(test(&[0.0; 8], Tail::Less), 1.0);
        assert_eq!(test(&[0.0; 50], Tail::TwoSided), 1.0);
        assert_eq!(test(&[3.0], Tail::TwoSided), 1.0);
    }

    #[test]
    fn ties_count_in_spite_of_rounding() {
        // Multiples of 0.28 (one image of 360): 14 of the 16 patterns reach a sum of +-0.
        let unit = 100.0 / 360.0;
        let noisy = [
            100.0 - (100.0 - unit),
            98.0 + unit - 98.0,
            2.0 * unit,
            -unit,
        ];
        assert_eq!(
            test(&noisy, Tail::TwoSided),
            brute_force(&[1.0, 1.0, 2.0, -1.0], |sum, observed| sum.abs()
                >= observed.abs())
        );
    }

    #[test]
    fn random_signs_agree_with_exact_counts() {
        // 41 values, of which 31 are zero: exact on the 10 others.
        let mut values = vec![0.9, -0.3, 0.5, 0.8, -0.1, 0.7, -0.6, 0.4, 0.2, -0.35];
        for tail in [Tail::TwoSided, Tail::Greater, Tail::Less] {
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
        assert_eq!(test(&values, Tail::TwoSided), 1.0 / 10_001.0, "never zero");
    }

    proptest! {
        #[test]
        fn counting_by_halves_equals_counting_one_by_one(
            values in prop::collection::vec(-4i32..5, 1..10)
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let two_sided = brute_force(&values, |sum, observed| sum.abs() >= observed.abs());
            prop_assert_eq!(test(&values, Tail::TwoSided), two_sided);
            prop_assert_eq!(test(&values, Tail::Greater), brute_force(&values, |s, o| s >= o));
            prop_assert_eq!(test(&values, Tail::Less), brute_force(&values, |s, o| s <= o));
        }

        #[test]
        fn negation_swaps_the_tails_and_scale_does_not_matter(
            values in prop::collection::vec(-5.0..5.0_f64, 1..16),
            scale in 0.01..100.0_f64,
        ) {
            let times = |factor: f64| values.iter().map(|x| factor * x).collect::<Vec<_>>();
            let (negated, scaled) = (times(-1.0), times(scale));
            prop_assert_eq!(test(&values, Tail::TwoSided), test(&negated, Tail::TwoSided));
            prop_assert_eq!(test(&values, Tail::Greater), test(&negated, Tail::Less));
            prop_assert_eq!(test(&values, Tail::TwoSided), test(&scaled, Tail::TwoSided));
            prop_assert!(test(&values, Tail::TwoSided) >= sign_flip_floor(values.len()));
        }
    }
}
