//! The difference between two results of the same arm, such as before and after a change.

use super::{ArmSummary, paired_scores::last_score};
use crate::record::{CellRecord, Outcome};
use crate::spec::Metric;
use crate::stats::{Interval, Sample, WeightedSamples, decisive_interval};
use serde::Serialize;
use std::collections::BTreeMap;

/// Confidence level of the intervals. They are not adjusted for their number: nothing here was planned.
pub const DIFF_CONFIDENCE: f64 = 0.95;

/// How two results of an arm are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffMethod {
    /// One difference per seed, and its t interval.
    Paired,
    /// The seeds of both count as independent; the interval is Welch's.
    Welch,
}

/// Scores of one arm in two results `a` and `b`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmDiff {
    /// Number of seeds in the first result.
    pub n_a: usize,
    /// Mean in the first result.
    pub mean_a: f64,
    /// Number of seeds in the second result.
    pub n_b: usize,
    /// Mean in the second result.
    pub mean_b: f64,
    /// Number of differences: common seeds if paired, else the smaller number of seeds.
    pub n: usize,
    /// How they are compared.
    pub method: DiffMethod,
    /// Mean of the second minus mean of the first, over the common seeds if paired.
    pub difference: f64,
    /// Its interval; absent with too few seeds, or for a few equal ones.
    pub interval: Option<Interval>,
    /// Whether every pair has the same score.
    pub equal: bool,
}

/// The finished scores of `arm` at its chosen learning rate, by seed.
pub fn scores_of_arm(
    arm: &ArmSummary,
    metric: &Metric,
    records: &[CellRecord],
) -> BTreeMap<u64, f64> {
    let own = records.iter().filter(|record| {
        record.arm == arm.name
            && record.learning_rate == arm.learning_rate
            && record.outcome == Outcome::Done
    });
    let scores = own.filter_map(|record| Some((record.seed, last_score(metric, record)?)));
    scores.filter(|(_, score)| score.is_finite()).collect()
}

/// Compares the scores `a` and `b` of an arm, by seed. Pairs are formed only if `same_data` says that a
/// seed means the same split of the same data in both, and at least two seeds are common; otherwise the
/// seeds count as independent. `None` if one of them is empty.
pub fn diff_arm(
    a: &BTreeMap<u64, f64>,
    b: &BTreeMap<u64, f64>,
    same_data: bool,
) -> Option<ArmDiff> {
    let sample = |scores: &BTreeMap<u64, f64>| Sample::new(scores.values().copied().collect()).ok();
    let (first, second) = (sample(a)?, sample(b)?);
    let pairs: Vec<f64> = a
        .iter()
        .filter_map(|(seed, x)| Some(b.get(seed)? - x))
        .collect();
    let pairs = Sample::new(pairs)
        .ok()
        .filter(|pairs| same_data && pairs.len() > 1);
    let (n_a, n_b) = (first.len(), second.len());
    let (mean_a, mean_b) = (first.mean(), second.mean());
    let (method, n, difference, interval, equal) = match pairs {
        Some(pairs) => (
            DiffMethod::Paired,
            pairs.len(),
            pairs.mean(),
            decisive_interval(&pairs, DIFF_CONFIDENCE),
            pairs.values().iter().all(|x| *x == 0.0),
        ),
        None => {
            let both = WeightedSamples(vec![(1.0, second), (-1.0, first)]);
            (
                DiffMethod::Welch,
                n_a.min(n_b),
                both.mean(),
                both.interval(DIFF_CONFIDENCE),
                false,
            )
        }
    };
    Some(ArmDiff {
        n_a,
        mean_a,
        n_b,
        mean_b,
        n,
        method,
        difference,
        interval,
        equal,
    })
}

impl ArmDiff {
    /// What the interval shows of the second result, B; `higher_is_better` is a property of the metric.
    pub fn words(&self, higher_is_better: bool) -> &'static str {
        let Some(Interval { low, high }) = self.interval else {
            return if self.equal { "equal" } else { "too few seeds" };
        };
        match (self.equal, low > 0.0, high < 0.0) {
            (true, ..) => "equal",
            (_, false, false) => "unclear",
            (_, up, _) if up == higher_is_better => "B better",
            _ => "B worse",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(from: u64, values: &[f64]) -> BTreeMap<u64, f64> {
        (from..).zip(values.iter().copied()).collect()
    }

    #[test]
    fn common_seeds_of_the_same_data_are_paired() {
        // Differences 1, 2, 3: t quantile 4.302652730 with 2 degrees of freedom, standard error 1/sqrt(3).
        let (a, b) = (
            scores(0, &[10.0, 20.0, 30.0, 7.0]),
            scores(0, &[11.0, 22.0, 33.0]),
        );
        let found = diff_arm(&a, &b, true).unwrap();
        assert_eq!(
            (found.method, found.n, found.n_a, found.n_b),
            (DiffMethod::Paired, 3, 4, 3)
        );
        assert_eq!(found.difference, 2.0);
        let half = 4.302_652_729_9 / 3.0f64.sqrt();
        assert!((found.interval.unwrap().high - 2.0 - half).abs() < 1e-9);
        assert_eq!(found.words(true), "unclear");
    }

    #[test]
    fn other_data_and_other_seeds_are_independent() {
        let (a, b) = (scores(0, &[1.0, 2.0, 3.0]), scores(0, &[11.0, 12.0, 13.0]));
        let found = diff_arm(&a, &b, false).unwrap();
        assert_eq!(found.method, DiffMethod::Welch);
        assert!((found.difference - 10.0).abs() < 1e-12);
        // As in the tests of Welch: 4 degrees of freedom, standard error sqrt(2/3).
        let half = 2.776_445_105_198 * (2.0f64 / 3.0).sqrt();
        assert!((found.interval.unwrap().low - 10.0 + half).abs() < 1e-9);
        assert_eq!(found.words(true), "B better");
        assert_eq!(found.words(false), "B worse");
        let apart = diff_arm(&a, &scores(7, &[1.0, 2.0]), true).unwrap();
        assert_eq!(apart.method, DiffMethod::Welch);
    }

    #[test]
    fn equal_scores_are_exactly_equal_whatever_their_number() {
        let a = scores(0, &[1.0, 2.0]);
        assert_eq!(diff_arm(&a, &a, true).unwrap().words(true), "equal");
        let many = scores(0, &[1.0; 8]);
        assert_eq!(diff_arm(&many, &many, true).unwrap().words(true), "equal");
        assert_eq!(diff_arm(&a, &BTreeMap::new(), true), None);
        let one = scores(0, &[1.0]);
        assert_eq!(
            diff_arm(&one, &one, true).unwrap().words(true),
            "too few seeds"
        );
    }
}
