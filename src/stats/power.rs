//! Power of the paired t test and of the equivalence test (TOST), and the inverse: minimum
//! detectable differences, margins and numbers of seeds.
//!
//! Differences are assumed to be normal. All functions return `None` for invalid input: fewer than
//! two seeds, a standard deviation that is not positive and finite, or a level or power outside
//! `(0, 1)`.

use super::noncentral::{SmoothStep, expectation, expected_normal_cdf};
use super::student::{normal_cdf, t_critical};

/// Largest number of seeds that [`seeds_needed`] tries.
pub const MAX_SEEDS: usize = 10_000;

/// Power of the two-sided paired t test at level `alpha`, for a true mean difference of `delta` and
/// `n` differences with standard deviation `sd` (noncentral t distribution; Cohen, "Statistical power
/// analysis for the behavioral sciences", 1988, chapter 2).
pub fn power_of_difference(delta: f64, sd: f64, n: usize, alpha: f64) -> Option<f64> {
    let design = PairedDesign::new(sd, n, alpha)?;
    delta.is_finite().then(|| design.power(delta / sd))
}

/// Power of a two-sided t interval at level `1 - alpha` to lie above zero, for a true mean difference of
/// `delta`: one direction of [`power_of_difference`].
pub fn power_of_direction(delta: f64, sd: f64, n: usize, alpha: f64) -> Option<f64> {
    let design = PairedDesign::new(sd, n, alpha)?;
    delta.is_finite().then(|| design.above(delta / sd))
}

/// Minimum detectable difference: the smallest mean difference for which [`power_of_difference`] is
/// at least `power`.
pub fn detectable_difference(sd: f64, n: usize, alpha: f64, power: f64) -> Option<f64> {
    let design = PairedDesign::new(sd, n, alpha)?;
    Some(sd * smallest(power, |effect| design.power(effect))?)
}

/// Power of the two one-sided t tests, each at level `alpha`, to show equivalence within `margin`,
/// for a true mean difference of `true_mean` and `n` differences with standard deviation `sd`.
///
/// Exact, by integration over the estimated standard deviation (Phillips, "Power of the two one-sided
/// tests procedure in bioequivalence", 1990). `None` also if the margin is not positive and finite.
pub fn equivalence_power(
    margin: f64,
    true_mean: f64,
    sd: f64,
    n: usize,
    alpha: f64,
) -> Option<f64> {
    let design = PairedDesign::new(sd, n, alpha)?;
    let valid = margin > 0.0 && margin.is_finite() && true_mean.is_finite();
    valid.then(|| design.equivalence_power(margin / sd, true_mean / sd))
}

/// Minimum detectable margin: the smallest margin for which [`equivalence_power`] is at least `power`
/// if the true difference is zero.
pub fn detectable_margin(sd: f64, n: usize, alpha: f64, power: f64) -> Option<f64> {
    let design = PairedDesign::new(sd, n, alpha)?;
    Some(sd * smallest(power, |margin| design.equivalence_power(margin, 0.0))?)
}

/// The smallest number of seeds for which [`power_of_difference`] is at least `power`.
///
/// `None` also if `delta` is zero, or if more than [`MAX_SEEDS`] are needed.
pub fn seeds_needed(delta: f64, sd: f64, alpha: f64, power: f64) -> Option<usize> {
    if !is_probability(power) || !is_probability(alpha) {
        return None;
    }
    let enough = |n: usize| Some(power_of_difference(delta, sd, n, alpha)? >= power);
    if !enough(MAX_SEEDS)? {
        return None;
    }
    let (mut few, mut many) = (1, MAX_SEEDS);
    while many - few > 1 {
        let middle = (few + many) / 2;
        if enough(middle)? {
            many = middle;
        } else {
            few = middle;
        }
    }
    Some(many)
}

/// A paired design, with effects in units of the standard deviation of the differences.
#[derive(Debug)]
struct PairedDesign {
    df: f64,
    root_n: f64,
    alpha: f64,
}

impl PairedDesign {
    fn new(sd: f64, n: usize, alpha: f64) -> Option<Self> {
        let valid = n >= 2 && sd > 0.0 && sd.is_finite() && is_probability(alpha);
        valid.then(|| Self {
            df: (n - 1) as f64,
            root_n: (n as f64).sqrt(),
            alpha,
        })
    }

    fn power(&self, effect: f64) -> f64 {
        self.above(effect) + self.above(-effect)
    }

    fn above(&self, effect: f64) -> f64 {
        let critical = t_critical(self.alpha / 2.0, self.df);
        expected_normal_cdf(self.df, -critical, effect * self.root_n)
    }

    /// Let `S` be the estimated over the true standard deviation. Equivalence is shown if the
    /// standardized mean is between `-margin + t S` and `margin - t S`, which is impossible once
    /// `t S` exceeds the margin.
    fn equivalence_power(&self, margin: f64, true_mean: f64) -> f64 {
        let critical = t_critical(self.alpha, self.df);
        let high = (margin - true_mean) * self.root_n;
        let low = (-margin - true_mean) * self.root_n;
        let steps: Vec<SmoothStep> = [
            SmoothStep::of_normal_cdf(-critical, high),
            SmoothStep::of_normal_cdf(critical, low),
        ]
        .into_iter()
        .flatten()
        .collect();
        let end = match critical > 0.0 {
            true => margin * self.root_n / critical,
            false => f64::INFINITY,
        };
        expectation(self.df, &steps, end, |s| {
            normal_cdf(high - critical * s) - normal_cdf(low + critical * s)
        })
    }
}

fn is_probability(x: f64) -> bool {
    x > 0.0 && x < 1.0
}

/// The smallest `x >= 0` with `f(x) >= target` for an increasing `f`, by bisection to 12 digits.
///
/// `None` if `target` is not in `(0, 1)` or is not reached up to 1e12.
fn smallest(target: f64, f: impl Fn(f64) -> f64) -> Option<f64> {
    if !is_probability(target) {
        return None;
    }
    let mut high = 1.0;
    while f(high) < target {
        high *= 2.0;
        if high > 1e12 {
            return None;
        }
    }
    let mut low = 0.0;
    while high - low > 1e-12 * high {
        let middle = low + (high - low) / 2.0;
        if f(middle) < target {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_streams::{Purpose, Stream};

    #[test]
    fn power_matches_scipy() {
        // tc = t.isf(alpha/2, n-1); nc = d*sqrt(n)
        // nct.sf(tc, n-1, nc) + nct.cdf(-tc, n-1, nc)         (scipy 1.17)
        for (effect, n, expected) in [
            (1.0, 10, 0.803_096_856_632_722),
            (0.5, 34, 0.807_777_501_279_274),
            (0.5, 33, 0.795_365_841_487_504),
            (0.8, 15, 0.821_310_538_724_110),
            (0.2, 199, 0.801_691_024_037_066),
        ] {
            let power = power_of_difference(0.3 * effect, 0.3, n, 0.05).unwrap();
            assert!((power - expected).abs() < 1e-10, "{effect} {n}: {power}");
        }
    }

    #[test]
    fn power_at_zero_difference_is_the_level() {
        for (n, alpha) in [(2, 0.05), (5, 0.05), (30, 0.01), (10, 0.001)] {
            let power = power_of_difference(0.0, 1.0, n, alpha).unwrap();
            assert!((power - alpha).abs() < 1e-10, "{n} {alpha}: {power}");
        }
    }

    #[test]
    fn seeds_needed_match_published_tables() {
        // Cohen 1988 and G*Power 3: two-sided paired t test, alpha 0.05, power 0.8.
        for (effect, pairs) in [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)] {
            assert_eq!(
                seeds_needed(effect, 1.0, 0.05, 0.8),
                Some(pairs),
                "{effect}"
            );
            assert_eq!(
                seeds_needed(-effect, 1.0, 0.05, 0.8),
                Some(pairs),
                "{effect}"
            );
        }
    }

    #[test]
    fn seeds_needed_have_a_smallest_and_a_largest_number() {
        assert!(power_of_difference(10.0, 1.0, 4, 0.05).unwrap() > 0.999);
        assert_eq!(seeds_needed(10.0, 1.0, 0.05, 0.8), Some(3));
        assert_eq!(seeds_needed(0.0, 1.0, 0.05, 0.8), None);
        assert_eq!(seeds_needed(0.001, 1.0, 0.05, 0.8), None);
    }

    #[test]
    fn detectable_sizes_have_the_requested_power() {
        for (n, alpha, power) in [(2, 0.05, 0.8), (5, 0.01, 0.9), (10, 0.05 / 12.0, 0.8)] {
            let delta = detectable_difference(0.3, n, alpha, power).unwrap();
            let back = power_of_difference(delta, 0.3, n, alpha).unwrap();
            assert!((back - power).abs() < 1e-9, "{n}: {back}");
            let margin = detectable_margin(0.3, n, alpha, power).unwrap();
            let back = equivalence_power(margin, 0.0, 0.3, n, alpha).unwrap();
            assert!((back - power).abs() < 1e-9, "{n}: {back}");
        }
    }

    #[test]
    fn equivalence_power_matches_scipy_integration() {
        // tc = t.isf(alpha, n-1); se = sd/sqrt(n); f = density of sqrt(chi2(n-1)/(n-1))
        // quad(lambda s: (norm.cdf((m-mu)/se - tc*s) - norm.cdf((-m-mu)/se + tc*s)) * f(s),
        //      0, m/se/tc)                                    (scipy 1.17)
        for (margin, mean, sd, n, expected) in [
            (1.0, 0.0, 1.0, 10, 0.795_207_266_705_898),
            (1.0, 0.0, 1.0, 12, 0.889_381_096_038_702),
            (0.1, 0.0, 0.15, 20, 0.780_492_522_667_687),
            (1.0, 0.5, 1.0, 20, 0.695_148_569_530_178),
            (3.0, 0.0, 1.0, 3, 0.880_420_733_081_586),
        ] {
            let power = equivalence_power(margin, mean, sd, n, 0.05).unwrap();
            assert!(
                (power - expected).abs() < 1e-10,
                "{margin} {mean} {n}: {power}"
            );
        }
        // At the end of a wide margin only one of the two tests matters.
        let level = equivalence_power(10.0, 10.0, 1.0, 10, 0.05).unwrap();
        assert!((level - 0.05).abs() < 1e-10, "{level}");
    }

    #[test]
    fn equivalence_power_matches_simulation() {
        let (n, rounds) = (8, 5000);
        let mut normals = Stream::new(3, Purpose::Resample, "power").normals(0);
        let shown = (0..rounds)
            .filter(|_| {
                let values = normals.by_ref().take(n).map(|z| 0.2 + z).collect();
                let sample = super::super::Sample::new(values).unwrap();
                super::super::equivalence_p(&sample, 1.0) < 0.05
            })
            .count();
        let power = equivalence_power(1.0, 0.2, 1.0, n, 0.05).unwrap();
        let error = (power * (1.0 - power) / rounds as f64).sqrt();
        assert!(
            (shown as f64 / rounds as f64 - power).abs() < 3.0 * error,
            "{shown} {power}"
        );
    }

    #[test]
    fn detectable_difference_falls_with_seeds_and_scales() {
        let mut last = f64::INFINITY;
        for n in [2, 3, 5, 10, 40] {
            let delta = detectable_difference(1.0, n, 0.05, 0.8).unwrap();
            assert!(delta < last, "{n}");
            let doubled = detectable_difference(2.0, n, 0.05, 0.8).unwrap();
            assert!((doubled - 2.0 * delta).abs() < 1e-9);
            last = delta;
        }
    }

    #[test]
    fn invalid_input_gives_none() {
        for (sd, n, alpha, power) in [
            (1.0, 0, 0.05, 0.8),
            (1.0, 1, 0.05, 0.8),
            (0.0, 9, 0.05, 0.8),
            (f64::NAN, 9, 0.05, 0.8),
            (f64::INFINITY, 9, 0.05, 0.8),
            (1.0, 9, 0.0, 0.8),
            (1.0, 9, 1.0, 0.8),
            (1.0, 9, 0.05, 1.0),
        ] {
            assert_eq!(detectable_difference(sd, n, alpha, power), None);
            assert_eq!(detectable_margin(sd, n, alpha, power), None);
        }
        assert_eq!(power_of_difference(f64::NAN, 1.0, 9, 0.05), None);
        assert_eq!(power_of_difference(1.0, 1.0, 1, 0.05), None);
        assert_eq!(equivalence_power(0.0, 0.0, 1.0, 9, 0.05), None);
        assert_eq!(seeds_needed(1.0, 0.0, 0.05, 0.8), None);
        assert_eq!(seeds_needed(1.0, 1.0, 0.05, 0.0), None);
    }
}
