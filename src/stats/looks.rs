//! Interim looks: intervals that stay valid although seeds are added after looking at the results.
//!
//! An interval that is computed again and again misses the true difference at some look far more often
//! than a single one. Group-sequential methods divide the error rate among the looks: a *spending
//! function* says how much of it is used up at each fraction of the largest number of seeds (Lan and
//! DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983). The bounds follow
//! by integrating over the paths that stayed inside the earlier bounds (Armitage, McPherson and Rowe,
//! "Repeated significance tests on accumulating data", 1969). The intervals of all looks together miss
//! with at most the error rate, whatever rule decides when to stop (Jennison and Turnbull, "Interim
//! analyses: the repeated confidence interval approach", 1989).
//!
//! The bounds are those of normal values with a known variance, and a bound becomes the level of a t
//! interval. Such intervals miss a little too often, up to 1.08 times the error rate for a first look after
//! 3 seeds (simulated). Looks therefore share a little less than the error rate ([`shared`]);
//! [`look_rates`](super::look_rates()) simulates the result.

use super::student::{normal_cdf, normal_quantile};
use serde::{Deserialize, Serialize};

/// Smallest error rate of a look. Smaller ones have no accurate critical value of t.
const MIN_LEVEL: f64 = 1e-10;

/// How the error rate is divided among the looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spending {
    /// O'Brien-Fleming type: little for early looks, most for the last. For looks that are planned before
    /// the first result.
    ObrienFleming,
    /// Pocock type: nearly the same for all looks. For looks that were not planned, where the earlier
    /// results were not held to a stricter bound.
    Pocock,
}

/// One look at the results.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Number of seeds.
    pub seeds: usize,
    /// Error rate of the interval of each primary contrast as it was reported at this look.
    pub level: f64,
}

/// The looks at an experiment so far, in order; the last one is the present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Looks {
    /// Division of the error rate.
    pub spending: Spending,
    /// Largest number of seeds.
    pub most: usize,
    /// The looks, with increasing numbers of seeds.
    pub looks: Vec<Look>,
}

impl Looks {
    /// No look yet, with looks planned up to `most` seeds.
    pub const fn planned(most: usize) -> Self {
        Self {
            spending: Spending::ObrienFleming,
            most,
            looks: Vec::new(),
        }
    }

    /// A result with `seeds` seeds that was reported at error rate `level` as if it were the only one.
    pub fn unplanned(seeds: usize, level: f64) -> Self {
        Self {
            spending: Spending::Pocock,
            most: seeds,
            looks: vec![Look { seeds, level }],
        }
    }

    /// Number of seeds of the last look; 0 before the first.
    pub fn seeds(&self) -> usize {
        self.looks.last().map_or(0, |look| look.seeds)
    }

    /// The same looks with another largest number of seeds. After a look such a change is not planned, so
    /// the error rate is divided anew by [`Spending::Pocock`].
    #[must_use]
    pub fn with_most(mut self, most: usize) -> Self {
        if most != self.most && !self.looks.is_empty() {
            self.spending = Spending::Pocock;
        }
        self.most = most.max(self.seeds());
        self
    }

    /// These looks and one more after `seeds` seeds, for an error rate of `alpha` over all looks.
    ///
    /// Unchanged if the last look has as many seeds.
    ///
    /// # Panics
    /// If the last look has more seeds, or `alpha` is not in `(0, 1)`.
    #[must_use]
    pub fn at(self, seeds: usize, alpha: f64) -> Self {
        assert!(seeds >= self.seeds(), "seeds are never taken away");
        if seeds == self.seeds() {
            return self;
        }
        let mut next = match seeds > self.most {
            true => self.with_most(seeds),
            false => self,
        };
        next.looks.push(Look { seeds, level: 0.0 });
        let level = next.level(alpha);
        if let Some(last) = next.looks.last_mut() {
            last.level = level;
        }
        next
    }

    /// Error rate of the interval at the last look, for an error rate of `alpha` over all looks.
    ///
    /// # Panics
    /// If `alpha` is not in `(0, 1)`.
    pub fn level(&self, alpha: f64) -> f64 {
        assert!(
            alpha > 0.0 && alpha < 1.0,
            "an error rate must be in (0, 1), not {alpha}"
        );
        let first = self.looks.first().map_or(0, |look| look.seeds);
        let all = match first >= self.most {
            true => alpha,
            false => shared(alpha, first),
        };
        let fractions: Vec<f64> = self.fractions(self.most).collect();
        let bounds = bounds(&fractions, |t| self.spending.spent(t, all));
        let level = bounds.last().map_or(alpha, |z| 2.0 * normal_cdf(-z));
        level.clamp(MIN_LEVEL, alpha)
    }

    /// Probability that at least one of the intervals misses, each at the error rate at which it was
    /// reported, for one contrast.
    pub fn error_rate(&self) -> f64 {
        let mut walk = Walk::start();
        let mut total = 0.0;
        let fractions: Vec<f64> = self.fractions(self.seeds()).collect();
        for (index, (&time, look)) in fractions.iter().zip(&self.looks).enumerate() {
            let bound = -normal_quantile(look.level / 2.0) * time.sqrt();
            total += walk.leaves(time, bound);
            walk = walk.stay(time, bound, fractions.get(index + 1).copied());
        }
        total
    }

    fn fractions(&self, of: usize) -> impl Iterator<Item = f64> {
        let of = of.max(1) as f64;
        self.looks.iter().map(move |look| look.seeds as f64 / of)
    }
}

/// The error rate that several looks share, the first after `first` seeds, so that intervals based on t keep
/// `alpha`.
fn shared(alpha: f64, first: usize) -> f64 {
    alpha * (0.96 - 0.2 / first.max(1) as f64)
}

impl Spending {
    /// The part of a two-sided error rate `alpha` that is used up at the fraction `t` of the seeds.
    fn spent(self, t: f64, alpha: f64) -> f64 {
        let t = t.min(1.0);
        match self {
            Self::ObrienFleming => 4.0 * normal_cdf(normal_quantile(alpha / 4.0) / t.sqrt()),
            Self::Pocock => alpha * (1.0 + (std::f64::consts::E - 1.0) * t).ln(),
        }
    }
}

/// Bounds of the standardized mean at the increasing `fractions`, so that a path leaves them by each
/// fraction with the probability that `spent` says.
fn bounds(fractions: &[f64], spent: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut walk = Walk::start();
    let mut used = 0.0;
    let mut found = Vec::new();
    for (index, &time) in fractions.iter().enumerate() {
        let allowed = (spent(time) - used).max(MIN_LEVEL);
        used = spent(time);
        let (mut low, mut high) = (0.0, 10.0 * time.sqrt());
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            match walk.leaves(time, middle) > allowed {
                true => low = middle,
                false => high = middle,
            }
        }
        found.push(high / time.sqrt());
        walk = walk.stay(time, high, fractions.get(index + 1).copied());
    }
    found
}

/// Brownian motion that has stayed inside the bounds so far: its distribution at `time`, as points with
/// their probabilities.
struct Walk {
    time: f64,
    points: Vec<(f64, f64)>,
}

impl Walk {
    fn start() -> Self {
        Self {
            time: 0.0,
            points: vec![(0.0, 1.0)],
        }
    }

    /// Probability of having stayed inside so far and being outside `±bound` at `time`.
    fn leaves(&self, time: f64, bound: f64) -> f64 {
        let scale = (time - self.time).sqrt();
        let outside = |x: f64| normal_cdf((x - bound) / scale) + normal_cdf((-x - bound) / scale);
        self.points.iter().map(|&(x, p)| p * outside(x)).sum()
    }

    /// The distribution at `time` inside `±bound`, by Simpson's rule. `next` is the time of the next look;
    /// the grid is fine enough for both steps.
    fn stay(&self, time: f64, bound: f64, next: Option<f64>) -> Self {
        let scale = (time - self.time).sqrt();
        let shortest = next.map_or(scale, |next| scale.min((next - time).sqrt()));
        let intervals = (2.0 * bound / (shortest / 8.0)).ceil().clamp(32.0, 4000.0) as usize;
        let intervals = intervals + intervals % 2;
        let step = 2.0 * bound / intervals as f64;
        let norm = scale * (2.0 * std::f64::consts::PI).sqrt();
        let point = |index: usize| {
            let x = -bound + index as f64 * step;
            let density: f64 = (self.points.iter())
                .map(|&(from, p)| p * (-0.5 * ((x - from) / scale).powi(2)).exp())
                .sum();
            let weight = match index {
                0 => 1.0,
                i if i == intervals => 1.0,
                i if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            (x, weight * step / 3.0 * density / norm)
        };
        Self {
            time,
            points: (0..=intervals).map(point).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn z(spending: Spending, looks: usize) -> Vec<f64> {
        let fractions: Vec<f64> = (1..=looks).map(|k| k as f64 / looks as f64).collect();
        bounds(&fractions, |t| spending.spent(t, 0.05))
    }

    #[test]
    fn bounds_match_published_tables() {
        // Bounds of the program of Reboussin, DeMets, Kim and Lan (2000), two-sided, alpha 0.05.
        for (spending, expected) in [
            (Spending::ObrienFleming, vec![2.9626, 1.9686]),
            (
                Spending::ObrienFleming,
                vec![4.8769, 3.3569, 2.6803, 2.2898, 2.0310],
            ),
            (Spending::Pocock, vec![2.1570, 2.2010]),
            (
                Spending::Pocock,
                vec![2.4380, 2.4268, 2.4101, 2.3966, 2.3859],
            ),
        ] {
            for (found, expected) in z(spending, expected.len()).iter().zip(&expected) {
                assert!((found - expected).abs() < 2e-4, "{found} {expected}");
            }
        }
    }

    #[test]
    fn one_look_at_all_seeds_spends_everything() {
        for spending in [Spending::ObrienFleming, Spending::Pocock] {
            assert!((spending.spent(1.0, 0.0125) - 0.0125).abs() < 1e-12);
            let looks = Looks {
                spending,
                ..Looks::planned(20)
            };
            assert!((looks.at(20, 0.05).looks[0].level - 0.05).abs() < 1e-9);
        }
    }

    #[test]
    fn looks_together_have_the_error_rate() {
        let mut looks = Looks::planned(40);
        for seeds in [10, 20, 25, 40] {
            looks = looks.at(seeds, 0.025);
        }
        let expected = shared(0.025, 10);
        assert!((looks.error_rate() - expected).abs() < 1e-5, "{looks:?}");
        let levels: Vec<f64> = looks.looks.iter().map(|look| look.level).collect();
        assert!(levels.is_sorted(), "{levels:?}");
        assert_eq!(looks.clone().at(40, 0.025), looks, "the same look again");
    }

    #[test]
    fn unplanned_look_exceeds_the_error_rate_by_a_stated_amount() {
        let looks = Looks::unplanned(10, 0.05).at(20, 0.05);
        assert_eq!((looks.spending, looks.most), (Spending::Pocock, 20));
        // A little less than the second bound of Pocock type.
        let ratio = looks.looks[1].level / (2.0 * normal_cdf(-2.2010));
        assert!((ratio - 0.94).abs() < 0.01, "{ratio}");
        let rate = looks.error_rate();
        assert!(rate > 0.06 && rate < 0.08, "{rate}");
        // Two intervals at 95 % of which the second has twice the data: Armitage et al. 1969, table 2.
        let both = Looks {
            looks: [10, 20].map(|seeds| Look { seeds, level: 0.05 }).to_vec(),
            ..looks
        };
        assert!((both.error_rate() - 0.083).abs() < 5e-4);
    }

    #[test]
    fn more_seeds_than_planned_change_the_spending() {
        let looks = Looks::planned(20).at(10, 0.05);
        assert_eq!(looks.clone().with_most(20), looks);
        let more = looks.at(30, 0.05);
        assert_eq!((more.spending, more.most), (Spending::Pocock, 30));
        assert_eq!(
            Looks::planned(20).with_most(30).spending,
            Spending::ObrienFleming
        );
    }

    #[test]
    fn many_looks_and_early_looks_stay_accurate() {
        let mut looks = Looks::planned(100);
        for seeds in 2..=100 {
            looks.looks.push(Look { seeds, level: 0.0 });
        }
        let level = looks.level(0.05);
        assert!(level > 0.02 && level < 0.05, "{level}");
        let first = Looks::planned(1000).at(2, 0.05).looks[0].level;
        assert_eq!(first, MIN_LEVEL);
    }
}
