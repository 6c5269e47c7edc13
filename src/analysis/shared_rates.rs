//! The difference of a contrast at every learning rate that all its arms share.
//!
//! Each arm is compared at the rate that is best for it, so part of a difference may come from that choice.
//! Here both arms have the same rate. A rate is *usable* for a contrast if in every arm of it
//!
//! - every seed of the spec finished, and
//! - the mean validation error is at most [`USABLE_ERROR`] times that of the arm's best rate, or the rate
//!   is tied with the best.
//!
//! At a rate that one arm cannot use, the difference is about that failure. Half as many errors again is far
//! beyond the noise of a validation split and still a rate that somebody might choose. Test scores do not
//! enter. A program has no validation error; there every complete rate is usable.

use super::{ArmSummary, Cells, ContrastSummary, PairedScores, RateSummary};
use crate::spec::{Contrast, Spec};
use crate::stats::{Finding, Interval, Sample, decisive_interval};
use serde::{Deserialize, Serialize};

/// Largest validation error of a usable rate, as a multiple of that of the arm's best rate.
pub const USABLE_ERROR: f64 = 1.5;

/// The difference of a contrast with the same learning rate in every arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateDifference {
    /// The learning rate.
    pub learning_rate: f64,
    /// Number of seeds at which every arm finished.
    pub n: usize,
    /// Mean improvement; absent if no seed finished.
    pub mean: Option<f64>,
    /// Its t interval, at the level of the contrast's own.
    pub interval: Option<Interval>,
    /// What it shows.
    pub finding: Finding,
    /// Whether every arm can use the rate.
    pub usable: bool,
}

/// Whether the finding depends on the learning rate.
#[derive(Clone, Debug, PartialEq)]
pub enum Robustness {
    /// The finding is the same at every usable shared rate, of which there are this many.
    Robust(usize),
    /// It is another at these usable shared rates.
    Differs(Vec<f64>),
    /// There are fewer than two usable shared rates: this many.
    FewRates(usize),
}

/// The differences of `contrast` at the shared rates, ascending. Empty if no arm of it has a choice, or if
/// the arms share no rate.
pub(super) fn differences(
    spec: &Spec,
    cells: &Cells<'_>,
    arms: &[ArmSummary],
    contrast: &Contrast,
    confidence: f64,
) -> Vec<RateDifference> {
    let compared: Vec<&ArmSummary> = (contrast.weights.iter())
        .filter_map(|term| arms.iter().find(|arm| arm.name == term.arm))
        .collect();
    if compared.iter().all(|arm| arm.grid.len() < 2) {
        return Vec::new();
    }
    let has = |arm: &ArmSummary, rate| arm.grid.iter().any(|r| r.learning_rate == Some(rate));
    let first = compared.first().map_or(&[][..], |arm| &arm.grid);
    let rates = first.iter().filter_map(|r| r.learning_rate);
    let mut rates: Vec<f64> = rates
        .filter(|&rate| compared.iter().all(|arm| has(arm, rate)))
        .collect();
    rates.sort_by(f64::total_cmp);
    let difference = |rate: f64| {
        let scores = PairedScores::at_rate(spec, cells, rate);
        let found = scores.improvements(&contrast.weights, &contrast.metric, contrast.when);
        let values = found.map(|(found, _)| found.iter().map(|i| i.value).collect());
        let sample = Sample::new(values.unwrap_or_default()).ok();
        let interval = sample
            .as_ref()
            .and_then(|sample| decisive_interval(sample, confidence));
        RateDifference {
            learning_rate: rate,
            n: sample.as_ref().map_or(0, Sample::len),
            mean: sample.as_ref().map(Sample::mean),
            interval,
            finding: Finding::of(interval, contrast.margin),
            usable: (compared.iter()).all(|arm| is_usable(arm, rate, spec.seeds.len())),
        }
    };
    rates.into_iter().map(difference).collect()
}

/// Whether `arm` can use `rate`.
fn is_usable(arm: &ArmSummary, rate: f64, seeds: usize) -> bool {
    let Some(tried) = arm.grid.iter().find(|r| r.learning_rate == Some(rate)) else {
        return false;
    };
    let error = |r: &RateSummary| Some(100.0 - r.validation.as_ref()?.accuracy.mean);
    let complete = arm.grid.iter().filter(|r| r.n == seeds);
    let best = complete.filter_map(error).reduce(f64::min);
    let errors = error(tried).zip(best);
    let near = errors.is_none_or(|(error, best)| error <= USABLE_ERROR * best);
    tried.n == seeds && (near || tried.tied)
}

impl ContrastSummary {
    /// Whether the finding at the chosen rates is also that at the usable shared rates; `None` where the
    /// arms share no choice of rates.
    ///
    /// Findings agree if both are *better*, *worse*, *no difference that matters* or *unclear*; their
    /// distance from the margin does not count.
    pub fn robustness(&self) -> Option<Robustness> {
        if self.by_rate.is_empty() {
            return None;
        }
        let usable = || self.by_rate.iter().filter(|rate| rate.usable);
        let count = usable().count();
        if count < 2 {
            return Some(Robustness::FewRates(count));
        }
        let other = usable().filter(|rate| !agree(rate.finding, self.finding()));
        let other: Vec<f64> = other.map(|rate| rate.learning_rate).collect();
        Some(match other.is_empty() {
            true => Robustness::Robust(count),
            false => Robustness::Differs(other),
        })
    }
}

fn agree(a: Finding, b: Finding) -> bool {
    let kind = |finding: Finding| (finding.is_better(), finding.is_worse(), finding);
    match (kind(a), kind(b)) {
        ((true, ..), (true, ..)) | ((_, true, _), (_, true, _)) => true,
        ((.., a), (.., b)) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{diverge, records, spec, test_scores};
    use crate::analysis::summarize;
    use crate::record::CellRecord;
    use crate::spec::Expect;

    /// Two arms with three rates and eight seeds, every validation accuracy 95 %, and the test accuracy of
    /// the second arm better by `differences` at the three rates.
    fn tuned(differences: [f64; 3]) -> (Spec, Vec<CellRecord>) {
        let mut spec = spec(2, 8, 1);
        spec.contrasts[0].expect = Expect::Better;
        for arm in &mut spec.arms {
            arm.learning_rates = RATES.to_vec();
        }
        let mut records = records(&spec);
        for record in &mut records {
            let rate = RATES.iter().position(|&r| Some(r) == record.learning_rate);
            let noise = 0.01 * (record.seed % 3) as f64;
            let last = record.epochs.last_mut().unwrap();
            last.validation.as_mut().unwrap().accuracy = 95.0;
            test_scores(last).accuracy = match record.arm.as_str() {
                "a" => 90.0,
                _ => 90.0 + differences[rate.unwrap()] + noise,
            };
        }
        (spec, records)
    }

    const RATES: [f64; 3] = [0.1, 0.001, 0.01];

    fn set_validation(records: &mut [CellRecord], arm: &str, rate: f64, accuracy: f64) {
        for record in records.iter_mut() {
            if record.arm == arm && record.learning_rate == Some(rate) {
                let last = record.epochs.last_mut().unwrap();
                last.validation.as_mut().unwrap().accuracy = accuracy;
            }
        }
    }

    fn contrast(spec: &Spec, records: &[CellRecord]) -> ContrastSummary {
        summarize(spec, records).unwrap().contrasts.remove(0)
    }

    #[test]
    fn difference_is_reported_at_each_shared_rate() {
        let (mut spec, records) = tuned([3.0, 1.0, 2.0]);
        let found = contrast(&spec, &records).by_rate;
        let rates: Vec<f64> = found.iter().map(|r| r.learning_rate).collect();
        assert_eq!(rates, [0.001, 0.01, 0.1]);
        for (rate, expected) in found.iter().zip([1.0, 2.0, 3.0]) {
            let mean = rate.mean.unwrap();
            assert!((mean - expected).abs() < 0.02, "{rate:?}");
            assert!(rate.interval.unwrap().contains(mean));
            assert_eq!((rate.n, rate.usable), (8, true));
            assert_eq!(rate.finding, Finding::BetterByMore);
        }
        spec.arms[0].learning_rates = vec![0.001, 0.01];
        let shared: Vec<CellRecord> = (records.into_iter())
            .filter(|r| r.arm == "b" || r.learning_rate < Some(0.1))
            .collect();
        let rates = contrast(&spec, &shared).by_rate.len();
        assert_eq!(rates, 2, "the rate that one arm lacks is left out");
        spec.arms[0].learning_rates = vec![0.5];
        let mut unlike = shared;
        unlike.retain(|r| r.arm == "b" || r.learning_rate == Some(0.001));
        let own = unlike.iter_mut().filter(|r| r.arm == "a");
        own.for_each(|r| r.learning_rate = Some(0.5));
        let none = contrast(&spec, &unlike);
        assert_eq!((none.by_rate.len(), none.robustness()), (0, None));
    }

    #[test]
    fn one_rate_has_no_table() {
        let spec = spec(2, 8, 1);
        let found = contrast(&spec, &records(&spec));
        assert_eq!((found.by_rate.len(), found.robustness()), (0, None));
    }

    #[test]
    fn finding_is_robust_only_where_all_usable_rates_agree() {
        let (spec, records) = tuned([3.0, 0.3, 2.0]);
        let found = contrast(&spec, &records).robustness();
        assert_eq!(found, Some(Robustness::Robust(3)));
        let (spec, mut records) = tuned([-3.0, 1.0, 2.0]);
        let found = contrast(&spec, &records).robustness();
        assert_eq!(found, Some(Robustness::Differs(vec![0.1])));
        // With an error of 8 instead of 5 % the rate is not usable in one arm; with 7 % it is.
        set_validation(&mut records, "a", 0.1, 93.0);
        let found = contrast(&spec, &records).robustness();
        assert_eq!(found, Some(Robustness::Differs(vec![0.1])));
        set_validation(&mut records, "a", 0.1, 92.0);
        let found = contrast(&spec, &records).robustness();
        assert_eq!(found, Some(Robustness::Robust(2)));
        set_validation(&mut records, "b", 0.01, 80.0);
        let found = contrast(&spec, &records).robustness();
        assert_eq!(found, Some(Robustness::FewRates(1)));
    }

    #[test]
    fn rate_with_an_unfinished_seed_is_not_usable() {
        let (spec, mut records) = tuned([-3.0, 1.0, 2.0]);
        assert_eq!(records[0].learning_rate, Some(0.1));
        diverge(&mut records, "a", 0);
        let found = contrast(&spec, &records);
        let last = found.by_rate.last().unwrap();
        assert_eq!((last.n, last.usable), (7, false));
        assert_eq!(found.robustness(), Some(Robustness::Robust(2)));
    }
}
