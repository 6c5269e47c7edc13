//! What a paired design can see: power of the t test and of the equivalence test, and their
//! inverses, for normal differences.
//!
//! All functions give `None` where the question has no answer: fewer than two seeds, a standard
//! deviation that is not positive and finite, or a level or power that is not in `(0, 1)`.
//!
//! The verdicts test differences with the sign-flip test, which is weaker where its p-values are
//! coarse. In simulation, what the t test shows in 80 % of samples at the level that the sign-flip
//! test really has ([`sign_flip_level`](super::sign_flip_level)), the sign-flip test shows in 72 %
//! with 6 seeds, 78 to 79 % with 7 to 12, and 80 % from 15 on, at `alpha = 0.05`; and at 0.05 / 4 in
//! 67 % with 8 seeds (the fewest that reach it), 75 % with 9, 77 % with 10, and 80 % from 15 on.

use super::noncentral::{Edge, expect_normal_cdf, expect_over_scale};
use super::signflip::sign_flip_seeds;
use super::student::{normal_cdf, t_critical};

/// [`seeds_needed`] looks no further.
pub const MOST_SEEDS: usize = 10_000;

/// The probability that a two-sided paired t test at level `alpha` shows a true mean difference of
/// `delta`, with `n` differences of standard deviation `sd`.
pub fn power_of_difference(delta: f64, sd: f64, n: usize, alpha: f64) -> Option<f64> {
    let design = Design::new(sd, n, alpha)?;
    delta.is_finite().then(|| design.power(delta / sd))
}

/// The smallest mean difference that [`power_of_difference`] shows with probability `power`.
pub fn detectable_difference(sd: f64, n: usize, alpha: f64, power: f64) -> Option<f64> {
    let design = Design::new(sd, n, alpha)?;
    Some(sd * smallest(power, |effect| design.power(effect))?)
}

/// The probability that the two one-sided t tests, each at level `alpha`, show equivalence within
/// `margin` when the true mean difference is `true_mean`, with `n` differences of standard
/// deviation `sd`.
///
/// Exact, by integration over the observed standard deviation (Phillips, "Power of the two one-sided
/// tests procedure in bioequivalence", 1990). `None` also where the margin is not positive.
pub fn equivalence_power(
    margin: f64,
    true_mean: f64,
    sd: f64,
    n: usize,
    alpha: f64,
) -> Option<f64> {
    let design = Design::new(sd, n, alpha)?;
    let sound = margin > 0.0 && margin.is_finite() && true_mean.is_finite();
    sound.then(|| design.equivalence_power(margin / sd, true_mean / sd))
}

/// The smallest margin within which [`equivalence_power`] shows a true difference of zero with
/// probability `power`.
pub fn detectable_margin(sd: f64, n: usize, alpha: f64, power: f64) -> Option<f64> {
    let design = Design::new(sd, n, alpha)?;
    Some(sd * smallest(power, |margin| design.equivalence_power(margin, 0.0))?)
}

/// The smallest number of seeds with which a mean difference of `delta` is shown with probability
/// `power`, and with which a sign-flip test can reach `alpha` at all.
///
/// `None` also for no difference, and where more than [`MOST_SEEDS`] are needed.
pub fn seeds_needed(delta: f64, sd: f64, alpha: f64, power: f64) -> Option<usize> {
    if !is_share(power) || !is_share(alpha) {
        return None;
    }
    let enough = |n: usize| Some(power_of_difference(delta, sd, n, alpha)? >= power);
    if !enough(MOST_SEEDS)? {
        return None;
    }
    let (mut few, mut many) = (1, MOST_SEEDS);
    while many - few > 1 {
        let middle = (few + many) / 2;
        if enough(middle)? {
            many = middle;
        } else {
            few = middle;
        }
    }
    Some(many.max(sign_flip_seeds(alpha)))
}

/// A paired design in units of the standard deviation of its differences.
#[derive(Debug)]
struct Design {
    df: f64,
    root_n: f64,
    alpha: f64,
}

impl Design {
    fn new(sd: f64, n: usize, alpha: f64) -> Option<Self> {
        let sound = n >= 2 && sd > 0.0 && sd.is_finite() && is_share(alpha);
        sound.then(|| Self {
            df: (n - 1) as f64,
            root_n: (n as f64).sqrt(),
            alpha,
        })
    }

    fn power(&self, effect: f64) -> f64 {
        let critical = t_critical(self.alpha / 2.0, self.df);
        let shift = effect * self.root_n;
        expect_normal_cdf(self.df, -critical, shift) + expect_normal_cdf(self.df, -critical, -shift)
    }

    /// With `S` the observed over the true standard deviation, equivalence is shown where the
    /// standardized mean lies between `-margin + t S` and `margin - t S`, which is nowhere once
    /// `t S` exceeds the margin.
    fn equivalence_power(&self, margin: f64, true_mean: f64) -> f64 {
        let critical = t_critical(self.alpha, self.df);
        let high = (margin - true_mean) * self.root_n;
        let low = (-margin - true_mean) * self.root_n;
        let edges: Vec<Edge> = [
            Edge::of_normal_cdf(-critical, high),
            Edge::of_normal_cdf(critical, low),
        ]
        .into_iter()
        .flatten()
        .collect();
        let end = match critical > 0.0 {
            true => margin * self.root_n / critical,
            false => f64::INFINITY,
        };
        expect_over_scale(self.df, &edges, end, |s| {
            normal_cdf(high - critical * s) - normal_cdf(low + critical * s)
        })
    }
}

fn is_share(x: f64) -> bool {
    x > 0.0 && x < 1.0
}

/// The smallest `x >= 0` with `f(x) >= target`, for a rising `f`, to 12 digits.
fn smallest(target: f64, f: impl Fn(f64) -> f64) -> Option<f64> {
    if !is_share(target) {
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
    fn power_matches_an_independent_implementation() {
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
    fn power_without_a_difference_is_the_level() {
        for (n, alpha) in [(2, 0.05), (5, 0.05), (30, 0.01), (10, 0.001)] {
            let power = power_of_difference(0.0, 1.0, n, alpha).unwrap();
            assert!((power - alpha).abs() < 1e-10, "{n} {alpha}: {power}");
        }
    }

    #[test]
    fn published_numbers_of_pairs_come_out() {
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
    fn however_large_the_difference_six_seeds_are_needed_at_five_percent() {
        assert!(power_of_difference(10.0, 1.0, 4, 0.05).unwrap() > 0.999);
        assert_eq!(seeds_needed(10.0, 1.0, 0.05, 0.8), Some(6));
        assert_eq!(seeds_needed(0.0, 1.0, 0.05, 0.8), None);
        assert_eq!(seeds_needed(0.001, 1.0, 0.05, 0.8), None);
    }

    #[test]
    fn what_is_detectable_has_the_power_asked_for() {
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
    fn equivalence_power_matches_an_independent_integration() {
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
        // At the end of a wide margin only one of both tests decides.
        let level = equivalence_power(10.0, 10.0, 1.0, 10, 0.05).unwrap();
        assert!((level - 0.05).abs() < 1e-10, "{level}");
    }

    #[test]
    fn equivalence_power_is_the_rate_at_which_equivalence_is_shown() {
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
    fn more_seeds_see_smaller_differences_and_scale_carries_over() {
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
    fn questions_without_an_answer_get_none() {
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
