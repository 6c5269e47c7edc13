//! The learning rate with the best validation scores. `tied_rates` settles ties.

use super::cells::Row;
use super::paired_scores::last_score;
use super::{AnalysisError, RateSummary, ScoreSummary, Spread};
use crate::record::{CellRecord, Outcome, Scores};
use crate::spec::{Arm, Metric, Spec};
use std::cmp::Ordering;

/// Index of the best learning rate, and a summary of every rate in the order of the spec.
///
/// Only complete rates are candidates: those at which every seed finished or diverged. A cell that failed
/// with an error or is missing says nothing about its rate. Without a complete rate, the one with the
/// fewest such cells is selected.
///
/// Of several candidates, the rate with the most finished seeds is selected, so a rate at which a seed
/// diverged loses to one at which all finished. Ties are broken by the highest mean validation accuracy of
/// the last epoch, then by the lowest mean validation NLL, then by the smallest rate. For a program,
/// the metric that the spec names for this choice stands in place of the validation scores.
///
/// # Errors
/// If there are several rates and a finished cell has no validation scores.
pub(super) fn select(
    spec: &Spec,
    arm: &Arm,
    grid: &[Row<'_>],
) -> Result<(usize, Vec<RateSummary>), AnalysisError> {
    let metric = spec
        .program
        .as_ref()
        .and_then(|program| program.validation.as_ref());
    let several = arm.learning_rates.len() > 1;
    let lacks_scores = |record: &CellRecord| match metric {
        Some(metric) => last_score(metric, record).is_none(),
        None => validation(record).is_none(),
    };
    let rates = (arm.rates().into_iter().zip(grid))
        .map(|(rate, row)| {
            if let Some(cell) = row.done().find(|r| several && lacks_scores(r)) {
                return Err(AnalysisError::NoValidation {
                    arm: arm.name.clone(),
                    id: cell.id.clone(),
                });
            }
            let scores: Vec<Scores> = row.done().filter_map(validation).collect();
            Ok(RateSummary {
                learning_rate: rate,
                n: row.done().count(),
                diverged: row.count(|o| matches!(o, Outcome::Diverged { .. })),
                failed: row.count(|o| matches!(o, Outcome::Failed { .. })),
                validation: ScoreSummary::of(&scores),
                validation_metric: metric
                    .and_then(|m| Spread::of(row.done().filter_map(|r| last_score(m, r)))),
                tied: false,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let chosen = (0..rates.len())
        .min_by(|&a, &b| {
            let by_open = open(&grid[a]).cmp(&open(&grid[b]));
            by_open.then_with(|| preference(metric, &rates[a], &rates[b]))
        })
        .unwrap_or(0);
    Ok((chosen, rates))
}

/// Number of cells that failed or are missing.
pub(super) fn open(row: &Row<'_>) -> usize {
    row.missing() + row.count(|outcome| matches!(outcome, Outcome::Failed { .. }))
}

fn validation(record: &CellRecord) -> Option<Scores> {
    record.epochs.last()?.validation
}

/// `Less` if `a` is preferred.
fn preference(metric: Option<&Metric>, a: &RateSummary, b: &RateSummary) -> Ordering {
    let sign = match metric.is_some_and(Metric::higher_is_better) {
        true => 1.0,
        false => -1.0,
    };
    let reported = |r: &RateSummary| {
        let spread = r.validation_metric.as_ref();
        spread.map_or(f64::NEG_INFINITY, |v| sign * v.mean)
    };
    let accuracy = |r: &RateSummary| {
        r.validation
            .as_ref()
            .map_or(f64::NEG_INFINITY, |v| v.accuracy.mean)
    };
    let nll = |r: &RateSummary| r.validation.as_ref().map_or(f64::INFINITY, |v| v.nll.mean);
    let rate = |r: &RateSummary| r.learning_rate.unwrap_or(0.0);
    b.n.cmp(&a.n)
        .then(reported(b).total_cmp(&reported(a)))
        .then(accuracy(b).total_cmp(&accuracy(a)))
        .then(nll(a).total_cmp(&nll(b)))
        .then(rate(a).total_cmp(&rate(b)))
}
