//! Interval of a proportion.

use super::interval::{Interval, assert_confidence};
use super::student::normal_quantile;

/// The score interval of the probability of an event that happened in `count` of `n` independent trials
/// (Wilson, "Probable inference, the law of succession, and statistical inference", 1927). Its coverage is
/// near the level on average also for rare events, where the interval of the normal approximation is too
/// short and reaches below 0.
///
/// # Panics
/// If `confidence` is not in `(0, 1)`, `n` is 0, or `count` is above `n`.
pub fn proportion_interval(count: usize, n: usize, confidence: f64) -> Interval {
    assert_confidence(confidence);
    assert!(
        n > 0 && count <= n,
        "a proportion needs trials, and at most as many events, not {count} of {n}"
    );
    let trials = n as f64;
    let share = count as f64 / trials;
    let z = -normal_quantile((1.0 - confidence) / 2.0);
    let shrink = 1.0 + z * z / trials;
    let middle = (share + z * z / (2.0 * trials)) / shrink;
    let variance = share * (1.0 - share) / trials + (z / (2.0 * trials)).powi(2);
    let half_width = z * variance.sqrt() / shrink;
    Interval {
        low: if count == 0 { 0.0 } else { middle - half_width },
        high: if count == n { 1.0 } else { middle + half_width },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_match_scipy() {
        // scipy.stats.binomtest(count, n).proportion_ci(0.95, method="wilson"), scipy 1.17
        for (count, n, low, high) in [
            (10, 100, 0.055_229_14, 0.174_365_66),
            (0, 10, 0.0, 0.277_532_80),
            (10, 10, 0.722_467_20, 1.0),
        ] {
            let found = proportion_interval(count, n, 0.95);
            assert!((found.low - low).abs() < 1e-6, "{count} of {n}: {found:?}");
            assert!(
                (found.high - high).abs() < 1e-6,
                "{count} of {n}: {found:?}"
            );
        }
    }

    #[test]
    fn coverage_is_near_the_level() {
        // Exact: the sum of the binomial probabilities of all counts whose interval has the truth.
        for truth in [0.01_f64, 0.025, 0.05, 0.2, 0.5] {
            let n = 1_000;
            let mut probability = (1.0 - truth).powi(n as i32);
            let mut covered = 0.0;
            for count in 0..=n {
                if proportion_interval(count, n, 0.95).contains(truth) {
                    covered += probability;
                }
                let odds = truth / (1.0 - truth);
                probability *= odds * (n - count) as f64 / (count + 1) as f64;
            }
            assert!((covered - 0.95).abs() < 0.02, "{truth}: {covered}");
        }
    }
}
