//! Ties between learning rates, and the rate that they go to.
//!
//! A rate is *tied* with the best rate of an arm if its mean validation accuracy is within one standard
//! error of it. The error is that of the mean difference between the two rates, paired over seeds. Only
//! rates at which as many seeds finished as at the best one, and no more cells failed or are missing, take
//! part.
//!
//! Which of several tied rates an arm takes is a toss, and arms that toss differently compare unlike rates.
//! So ties go to the rate that the compared arms share: of its tied rates, an arm takes the one that is tied
//! in most *voters*. Voters are the arms of the primary contrasts; without any, those of all contrasts;
//! without any, all arms. If several rates have the same number of votes, the one with the highest mean
//! validation accuracy over the voters wins, then the one with the lowest NLL, then the smallest. Every arm
//! keeps one rate for all contrasts. For a program, the metric that the spec names for this choice stands in
//! place of the validation accuracy.

use super::cells::Row;
use super::learning_rate::open;
use super::paired_scores::last_score;
use super::{Cells, RateSummary};
use crate::record::CellRecord;
use crate::spec::{Arm, Contrast, Metric, Spec};
use crate::stats::Sample;
use std::cmp::Ordering;

/// The rates of one arm, and the index of the best.
pub(super) type Selection = (usize, Vec<RateSummary>);

/// Marks the tied rates of every arm, and moves its choice to the tied rate that most arms share.
pub(super) fn share(spec: &Spec, cells: &Cells<'_>, selections: &mut [Selection]) {
    let metric = spec.program.as_ref().and_then(|p| p.validation.as_ref());
    let read = |record: &CellRecord| choosing_score(metric, record);
    for (arm, (best, rates)) in selections.iter_mut().enumerate() {
        for (k, tied) in tied(cells.grid(arm), *best, rates, read)
            .into_iter()
            .enumerate()
        {
            rates[k].tied = tied;
        }
    }
    let voters = voters(spec);
    let all = &*selections;
    let chosen: Vec<usize> = (all.iter())
        .map(|(best, rates)| {
            let candidates = (0..rates.len()).filter(|&k| rates[k].tied);
            let order = |a: &usize, b: &usize| {
                let [a, b] =
                    [a, b].map(|&k| Votes::on(rates[k].learning_rate, &voters, all, metric));
                a.compare(&b)
            };
            candidates.min_by(order).unwrap_or(*best)
        })
        .collect();
    for ((best, _), chosen) in selections.iter_mut().zip(chosen) {
        *best = chosen;
    }
}

/// Whether each rate is tied with the best one, which is tied with itself.
fn tied(
    grid: &[Row<'_>],
    best: usize,
    rates: &[RateSummary],
    read: impl Fn(&CellRecord) -> Option<f64> + Copy,
) -> Vec<bool> {
    let is_tied = |k: usize| {
        if k == best {
            return true;
        }
        let as_complete = rates[k].n >= rates[best].n && open(&grid[k]) <= open(&grid[best]);
        as_complete && is_within_an_error(&grid[best].per_seed(read), &grid[k].per_seed(read))
    };
    (0..rates.len()).map(is_tied).collect()
}

/// Whether the mean advantage of `best` over `other` is at most its standard error.
fn is_within_an_error(best: &[Option<f64>], other: &[Option<f64>]) -> bool {
    let pairs = best.iter().zip(other);
    let advantages = pairs.filter_map(|(best, other)| Some((*best)? - (*other)?));
    let Ok(advantages) = Sample::new(advantages.collect()) else {
        return false;
    };
    let error = advantages.standard_error();
    error.is_some_and(|error| advantages.mean() <= error)
}

/// The score that chooses a rate, higher is better: the metric that a program names for it, or else the
/// validation accuracy.
fn choosing_score(metric: Option<&Metric>, record: &CellRecord) -> Option<f64> {
    match metric {
        Some(metric) => Some(sign(metric) * last_score(metric, record)?),
        None => Some(record.epochs.last()?.validation?.accuracy),
    }
}

fn sign(metric: &Metric) -> f64 {
    if metric.higher_is_better() { 1.0 } else { -1.0 }
}

/// Indices of the arms that vote.
fn voters(spec: &Spec) -> Vec<usize> {
    let compared = |counts: &dyn Fn(&Contrast) -> bool| -> Vec<usize> {
        let named = |arm: &Arm| {
            let mut contrasts = spec.contrasts.iter().filter(|c| counts(c));
            contrasts.any(|c| c.weights.iter().any(|term| term.arm == arm.name))
        };
        let arms = spec.arms.iter().enumerate();
        arms.filter(|(_, arm)| named(arm)).map(|(k, _)| k).collect()
    };
    let primary = compared(&|contrast| contrast.primary);
    let any = compared(&|_| true);
    match (primary.is_empty(), any.is_empty()) {
        (false, _) => primary,
        (true, false) => any,
        (true, true) => (0..spec.arms.len()).collect(),
    }
}

/// What the voters say about a rate.
struct Votes {
    rate: Option<f64>,
    /// Number of voters in which it is tied with the best.
    tied: usize,
    /// Mean over the voters that tried it of the score that chooses; higher is better.
    score: f64,
    /// Mean validation NLL over them.
    nll: f64,
}

impl Votes {
    fn on(
        rate: Option<f64>,
        voters: &[usize],
        selections: &[Selection],
        metric: Option<&Metric>,
    ) -> Self {
        let tried = (voters.iter()).filter_map(|&arm| {
            let (_, rates) = &selections[arm];
            rates.iter().find(|r| r.learning_rate == rate)
        });
        let tried: Vec<&RateSummary> = tried.collect();
        let mean = |values: &dyn Fn(&RateSummary) -> Option<f64>| {
            let values: Vec<f64> = tried.iter().filter_map(|r| values(r)).collect();
            values.iter().sum::<f64>() / values.len().max(1) as f64
        };
        Self {
            rate,
            tied: tried.iter().filter(|r| r.tied).count(),
            score: match metric {
                Some(metric) => mean(&|r| Some(sign(metric) * r.validation_metric.as_ref()?.mean)),
                None => mean(&|r| Some(r.validation.as_ref()?.accuracy.mean)),
            },
            nll: mean(&|r| Some(r.validation.as_ref()?.nll.mean)),
        }
    }

    /// `Less` if this rate is preferred to `other`.
    fn compare(&self, other: &Self) -> Ordering {
        (other.tied.cmp(&self.tied))
            .then(other.score.total_cmp(&self.score))
            .then(self.nll.total_cmp(&other.nll))
            .then(
                self.rate
                    .unwrap_or(0.0)
                    .total_cmp(&other.rate.unwrap_or(0.0)),
            )
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::fixture::{records, spec, test_scores};
    use crate::analysis::{Summary, summarize};
    use crate::record::CellRecord;
    use crate::spec::Spec;

    const RATES: [f64; 3] = [0.001, 0.01, 0.1];

    /// Arms with eight seeds; `means` are the mean validation accuracies of each arm at the three rates. The
    /// differences between neighboring rates have a standard error of 0.19 points, those between seeds do
    /// not enter it.
    fn tuned(means: &[[f64; 3]]) -> (Spec, Vec<CellRecord>) {
        let mut spec = spec(means.len(), 8, 1);
        for arm in &mut spec.arms {
            arm.learning_rates = RATES.to_vec();
        }
        let mut records = records(&spec);
        for record in &mut records {
            let arm = spec.arms.iter().position(|arm| arm.name == record.arm);
            let rate = RATES.iter().position(|&r| Some(r) == record.learning_rate);
            let (arm, rate) = (arm.unwrap(), rate.unwrap());
            let sign = if record.seed % 2 == 0 { 1.0 } else { -1.0 };
            let own = [0.0, 0.5, 1.0][rate] * sign;
            let last = record.epochs.last_mut().unwrap();
            let scores = last.validation.as_mut().unwrap();
            scores.accuracy = means[arm][rate] + 0.3 * record.seed as f64 + own;
        }
        (spec, records)
    }

    fn chosen(summary: &Summary) -> Vec<f64> {
        summary
            .arms
            .iter()
            .filter_map(|arm| arm.learning_rate)
            .collect()
    }

    fn tied(summary: &Summary, arm: usize) -> Vec<f64> {
        let rates = summary.arms[arm].grid.iter().filter(|rate| rate.tied);
        rates.filter_map(|rate| rate.learning_rate).collect()
    }

    #[test]
    fn rates_within_one_paired_error_are_tied() {
        // SD of the differences: 0.5 * sqrt(8 / 7) = 0.535; over sqrt(8): 0.189.
        for (gap, expected) in [(0.18, vec![0.001, 0.01]), (0.20, vec![0.01])] {
            let (spec, records) = tuned(&[[90.0 - gap, 90.0, 80.0]]);
            let summary = summarize(&spec, &records).unwrap();
            assert_eq!(tied(&summary, 0), expected, "{gap}");
            assert_eq!(chosen(&summary), [0.01], "one arm keeps its best rate");
        }
    }

    #[test]
    fn ties_go_to_the_rate_that_most_arms_share() {
        // The last two arms can only use 0.001, with which the best rate of the first one is tied.
        let (spec, records) = tuned(&[[89.9, 90.0, 80.0], [92.0, 90.0, 80.0], [92.0, 90.0, 80.0]]);
        let summary = summarize(&spec, &records).unwrap();
        assert_eq!(tied(&summary, 0), [0.001, 0.01]);
        assert_eq!(chosen(&summary), [0.001; 3]);
    }

    #[test]
    fn untied_arms_keep_unlike_rates() {
        let (spec, records) = tuned(&[[80.0, 90.0, 80.0], [90.0, 80.0, 80.0], [90.0, 80.0, 80.0]]);
        let summary = summarize(&spec, &records).unwrap();
        assert_eq!(chosen(&summary), [0.01, 0.001, 0.001]);
    }

    #[test]
    fn equal_votes_take_the_better_rate_for_all() {
        let (spec, records) = tuned(&[[90.1, 90.0, 80.0], [90.0, 90.15, 80.0]]);
        let summary = summarize(&spec, &records).unwrap();
        assert_eq!(chosen(&summary), [0.01; 2]);
    }

    #[test]
    fn exploratory_arms_follow_and_do_not_vote() {
        let means = [
            [90.0, 89.9, 80.0],
            [80.0, 90.0, 80.0],
            [92.0, 80.0, 80.0],
            [92.0, 80.0, 80.0],
        ];
        let (mut spec, records) = tuned(&means);
        for contrast in &mut spec.contrasts[1..] {
            contrast.primary = false;
        }
        let summary = summarize(&spec, &records).unwrap();
        assert_eq!(chosen(&summary), [0.01, 0.01, 0.001, 0.001]);
    }

    #[test]
    fn test_scores_never_break_a_tie() {
        let (spec, mut records) = tuned(&[[89.9, 90.0, 80.0], [92.0, 90.0, 80.0]]);
        let before = chosen(&summarize(&spec, &records).unwrap());
        for record in &mut records {
            let rate = record.learning_rate.unwrap();
            test_scores(record.epochs.last_mut().unwrap()).accuracy = 1000.0 * rate;
        }
        assert_eq!(chosen(&summarize(&spec, &records).unwrap()), before);
    }
}
