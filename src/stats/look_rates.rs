//! Simulated error rates and power of interim looks.

use super::decision::decisive_interval;
use super::error_rates::{Distribution, Random};
use super::looks::Looks;
use super::sample::Sample;
use super::verdict::{Prediction, Rule, Verdict};
use ablate_streams::{Purpose, Stream};

/// Looks after `first` seeds, then after every `block` more, up to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookPlan {
    /// Seeds of the first look.
    pub first: usize,
    /// Seeds between two looks.
    pub block: usize,
    /// Largest number of seeds.
    pub most: usize,
}

impl LookPlan {
    /// The usual plan for an experiment with `seeds` seeds: blocks of half of them, up to `most`.
    pub fn of(seeds: usize, most: usize) -> Self {
        Self {
            first: seeds,
            block: seeds.div_ceil(2).max(1),
            most: most.max(seeds),
        }
    }

    /// Number of seeds of the look after one with `seeds` seeds; `None` after the last.
    pub fn next(&self, seeds: usize) -> Option<usize> {
        let next = (seeds + self.block).max(self.first).min(self.most);
        (next > seeds).then_some(next)
    }

    /// The numbers of seeds of all looks.
    pub fn looks(&self) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(self.first), |&seeds| self.next(seeds))
    }
}

/// Rates over simulated experiments with one contrast that predicts *differs*, stopped at the first look
/// with a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LookRates {
    /// Share in which the interval of any look, stopped or not, misses the true difference.
    pub misses: f64,
    /// Share supported when it stopped. With a true difference of zero this is the error rate of the
    /// whole procedure; otherwise its power.
    pub supported: f64,
    /// Mean number of seeds when it stopped.
    pub seeds: f64,
}

/// Simulates `rounds` experiments with a true difference of `mean` and the margin `margin`, in the unit of
/// `distribution`.
///
/// # Panics
/// If the plan has no seeds or `rounds` is zero.
pub fn look_rates(
    distribution: Distribution,
    plan: LookPlan,
    mean: f64,
    margin: f64,
    rounds: usize,
) -> LookRates {
    let alpha = Rule::default().alpha;
    let mut looks = Looks::planned(plan.most);
    let levels: Vec<(usize, f64)> = (plan.looks())
        .map(|seeds| {
            looks = looks.clone().at(seeds, alpha);
            (seeds, looks.looks.last().map_or(alpha, |look| look.level))
        })
        .collect();
    let path = format!("{distribution:?} {plan:?} {mean} {margin}");
    let mut random = Random::new(&Stream::new(0, Purpose::Resample, &path));
    let (mut misses, mut supported, mut seeds) = (0, 0, 0);
    for _ in 0..rounds {
        let values = distribution.draw(mean, plan.most, &mut random);
        let (mut stopped, mut missed) = (None, false);
        for &(n, level) in &levels {
            let sample = Sample::new(values[..n].to_vec()).expect("finite differences");
            let interval = decisive_interval(&sample, 1.0 - level);
            missed |= interval.is_some_and(|i| !i.contains(mean));
            let verdict = Verdict::of(Prediction::Differs, interval, margin);
            if stopped.is_none() && (verdict != Verdict::Undecided || n == plan.most) {
                stopped = Some((n, verdict));
            }
        }
        let (n, verdict) = stopped.expect("the last look stops");
        misses += usize::from(missed);
        supported += usize::from(verdict == Verdict::Supported);
        seeds += n;
    }
    let share = |count: usize| count as f64 / rounds as f64;
    LookRates {
        misses: share(misses),
        supported: share(supported),
        seeds: share(seeds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::power_of_difference;

    const ROUNDS: usize = 10_000;

    #[test]
    fn looks_follow_the_plan() {
        let looks = |first, most| LookPlan::of(first, most).looks().collect::<Vec<_>>();
        assert_eq!(looks(20, 40), [20, 30, 40]);
        assert_eq!(looks(5, 12), [5, 8, 11, 12]);
        assert_eq!(looks(20, 10), [20]);
        assert_eq!(LookPlan::of(20, 40).next(25), Some(35));
        assert_eq!(LookPlan::of(20, 40).next(40), None);
    }

    #[test]
    fn looks_keep_the_error_rate() {
        // Two standard errors of 5 % are 0.4 %.
        for (first, most) in [(5, 10), (10, 20), (10, 40), (20, 40)] {
            for distribution in [Distribution::Normal, Distribution::Images] {
                let rates = look_rates(distribution, LookPlan::of(first, most), 0.0, 0.01, ROUNDS);
                let which = format!("{distribution:?} {first} {most}: {rates:?}");
                assert!(rates.misses < 0.054, "{which}");
                assert!(rates.supported <= rates.misses, "{which}");
            }
        }
    }

    #[test]
    fn looks_find_more_than_a_fixed_number_and_need_fewer_than_the_most() {
        let effect = 0.6;
        let rates = look_rates(
            Distribution::Normal,
            LookPlan::of(20, 40),
            effect,
            effect,
            ROUNDS,
        );
        let fixed = power_of_difference(effect, 1.0, 20, 0.05).unwrap();
        let most = power_of_difference(effect, 1.0, 40, 0.05).unwrap();
        assert!(rates.supported > fixed + 0.1, "{rates:?} {fixed}");
        assert!(rates.supported > most - 0.04, "{rates:?} {most}");
        assert!(rates.seeds < 33.0, "{rates:?}");
    }
}
