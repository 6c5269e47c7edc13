//! Arms that are not shown to differ, and the smallest difference between arms that the seeds can show.
//!
//! All pairs of arms are compared. Nobody predicted these differences, so they have no verdict.

use super::{PairedScores, Summary};
use crate::spec::Metric;
use crate::stats::power::detectable_difference;
use crate::stats::{Rule, Sample, t_interval, tie_groups};
use std::collections::BTreeMap;

/// More groups than this overlap so much that their letters do not help.
const MOST_GROUPS: usize = 8;

/// All arms by one metric, the best first.
#[derive(Clone, Debug, PartialEq)]
pub struct Ties {
    /// The metric: that of the first primary contrast that compares scores, or else the first score.
    pub metric: Metric,
    /// Level of each interval, which allows for the number of pairs.
    pub confidence: f64,
    /// The arms with a score, the best mean first.
    pub arms: Vec<TiedArm>,
    /// Whether there are few enough groups for letters to say something.
    pub has_groups: bool,
}

/// An arm among all others.
#[derive(Clone, Debug, PartialEq)]
pub struct TiedArm {
    /// Its index among the arms of the experiment.
    pub arm: usize,
    /// A letter per group of arms that are not shown to differ; empty without groups.
    pub letters: String,
    /// Whether it is not shown to differ from the arm with the best mean.
    pub is_tied_with_best: bool,
    /// The smallest true difference from another arm that the seeds show with 80 % power, the median over
    /// the other arms; in the unit of the metric.
    pub detectable: Option<f64>,
}

/// Compares all pairs of arms at the same seeds. `None` if fewer than two arms have scores, or if seeds
/// are not paired.
pub fn ties(scores: &PairedScores<'_>, summary: &Summary) -> Option<Ties> {
    if summary.contrasts.iter().any(|contrast| !contrast.paired) {
        return None;
    }
    let primary = summary.primary().map(|contrast| &contrast.contrast.metric);
    let mut asked = primary.filter(|metric| !matches!(metric, Metric::Probe(_)));
    let metric = asked
        .next()
        .cloned()
        .or_else(|| summary.scores().into_iter().next())?;
    let mean = |arm: usize| summary.arms[arm].spread(&metric).map(|spread| spread.mean);
    let mut order: Vec<usize> = (0..summary.arms.len())
        .filter(|arm| mean(*arm).is_some())
        .collect();
    let worth = |arm: usize| {
        let mean = mean(arm).unwrap_or(f64::NAN);
        if metric.higher_is_better() {
            -mean
        } else {
            mean
        }
    };
    order.sort_by(|a, b| worth(*a).total_cmp(&worth(*b)));
    if order.len() < 2 {
        return None;
    }
    let values: Vec<Vec<Option<f64>>> = (order.iter())
        .map(|arm| scores.scores(&summary.arms[*arm].name, &metric))
        .collect::<Option<_>>()?;
    let rule = Rule::default();
    let confidence = rule.confidence(order.len() * (order.len() - 1) / 2);
    let differences = |a: usize, b: usize| {
        let both = values[a].iter().zip(&values[b]);
        let pairs = both.filter_map(|(a, b)| Some((*a)? - (*b)?));
        Sample::new(pairs.collect()).ok()
    };
    let differ = |a: usize, b: usize| {
        let interval = differences(a, b).and_then(|sample| t_interval(&sample, confidence));
        interval.is_some_and(|interval| !interval.contains(0.0))
    };
    let groups = tie_groups(order.len(), differ).filter(|groups| groups.len() <= MOST_GROUPS);
    let letters = |at: usize| {
        let groups = groups.iter().flatten().zip('a'..);
        let own = groups.filter(|(group, _)| group.contains(&at));
        own.map(|(_, letter)| letter).collect()
    };
    // Detectable differences grow with the spread, so one search per number of pairs is enough.
    let mut units: BTreeMap<usize, Option<f64>> = BTreeMap::new();
    let mut size = |sample: &Sample| {
        let n = sample.len();
        let unit = units
            .entry(n)
            .or_insert_with(|| detectable_difference(1.0, n, 1.0 - confidence, rule.power));
        Some(sample.sd()? * (*unit)?)
    };
    let mut detectable = |at: usize| {
        let others = (0..order.len()).filter(|other| *other != at);
        let sizes = others.filter_map(|other| size(&differences(at, other)?));
        Some(Sample::new(sizes.collect()).ok()?.median())
    };
    let arms = order.iter().enumerate().map(|(at, arm)| TiedArm {
        arm: *arm,
        letters: letters(at),
        is_tied_with_best: !differ(0, at),
        detectable: detectable(at),
    });
    Some(Ties {
        arms: arms.collect(),
        metric: metric.clone(),
        confidence,
        has_groups: groups.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Cells, fixture, summarize};

    /// Three arms whose accuracies at seed `k` are their base plus `k % 4` tenths, and noise of mean 0.035
    /// points in every arm.
    fn of(bases: [f64; 3]) -> Ties {
        let spec = fixture::spec(3, 8, 1);
        let mut records = fixture::records(&spec);
        for (k, (arm, base)) in ["a", "b", "c"].into_iter().zip(bases).enumerate() {
            for seed in 0..8 {
                let noise = 0.01 * ((seed + 3 * k as u64) % 8) as f64;
                let value = base + 0.1 * (seed % 4) as f64 + noise;
                fixture::set_accuracy(&mut records, arm, seed, value);
            }
        }
        let summary = summarize(&spec, &records).unwrap();
        let cells = Cells::new(&spec, &records).unwrap();
        ties(&PairedScores::new(&spec, &cells, &summary.arms), &summary).unwrap()
    }

    #[test]
    fn best_arm_comes_first_and_ties_share_a_letter() {
        let ties = of([90.0, 95.0, 90.0]);
        let found: Vec<(usize, &str)> = (ties.arms.iter()).map(|a| (a.arm, &*a.letters)).collect();
        assert_eq!(found[0], (1, "a"));
        let tied: Vec<bool> = ties.arms.iter().map(|arm| arm.is_tied_with_best).collect();
        assert_eq!(tied, [true, false, false]);
        assert!(
            found[1..].iter().all(|(_, letters)| *letters == "b"),
            "{found:?}"
        );
    }

    #[test]
    fn pairing_shows_differences_smaller_than_the_spread() {
        let ties = of([90.0, 90.1, 90.2]);
        let letters: Vec<&str> = ties.arms.iter().map(|arm| &*arm.letters).collect();
        assert_eq!(letters, ["a", "b", "c"]);
        // The seeds spread by 0.12 points, their differences by 0.04.
        assert!(
            ties.arms.iter().all(|arm| arm.detectable.unwrap() < 0.12),
            "{ties:?}"
        );
    }

    #[test]
    fn levels_allow_for_the_number_of_pairs() {
        let ties = of([90.0, 91.0, 92.0]);
        assert!((ties.confidence - (1.0 - 0.05 / 3.0)).abs() < 1e-12);
    }

    #[test]
    fn unpaired_seeds_have_no_ties() {
        let spec = fixture::spec(2, 8, 1);
        let records = fixture::records(&spec);
        let mut summary = summarize(&spec, &records).unwrap();
        summary.contrasts[0].paired = false;
        let cells = Cells::new(&spec, &records).unwrap();
        let scores = PairedScores::new(&spec, &cells, &summary.arms);
        assert_eq!(ties(&scores, &summary), None);
    }
}
