//! From records to a summary: chosen learning rates, effects and verdicts.
//!
//! The learning rate of each arm is chosen by validation scores alone; ties go to the rate that the
//! compared arms share. Contrasts compare test scores at the chosen rates, paired by seed; by default those
//! of the last epoch. Values are not rounded, and the order of the records does not matter.
//!
//! # Files
//!
//! | file | content |
//! |---|---|
//! | `cells` | records by arm, learning rate and seed, checked against the spec |
//! | `learning_rate` | the best learning rate of each arm |
//! | `tied_rates` | learning rates as good as the best, and the one that the arms share |
//! | `paired_scores` | scores by arm and seed, and their weighted sums |
//! | `contrast` | paired improvements of each contrast, and the decisions on them |
//! | `new_data` | what a contrast shows for new data of the same kind |
//! | `course`, `settling` | the difference along training, and whether it has settled |
//! | `shared_rates` | differences with the same learning rate in all arms |
//! | `effects` | main effects and interactions of factors, without a finding |
//! | `identities` | whether each identity holds as stated |
//! | `claim_answer`, `evidence` | answer to a claim by stratum, and the contrasts that show it best |
//! | `conditions`, `condition` | nets, data and training of an experiment or of a contrast in words |
//! | `fragile` | verdicts that change if one seed is left out |
//! | `power_forecast` | what an experiment can decide, before the run |
//! | `experience` | spread of differences in the committed results, for the forecast |
//! | `presentation` | decimals, intervals and words for tables and figures |
//! | `result_diff` | the difference between two results of one arm |
//! | `seed_check` | whether a program uses its seed and is deterministic |
//! | `subject` | arms, contrasts and effects in words |
//! | `summary` | the result types, and their JSON format |
//! | `ties` | arms that are not shown to differ |
//! | `warnings` | caveats that a reader must know |
//! | `withheld` | verdicts that are withheld because cells failed or are missing |

mod cells;
mod claim_answer;
mod condition;
mod conditions;
mod contrast;
mod course;
mod effects;
mod error;
mod evidence;
mod experience;
mod fragile;
mod identities;
mod learning_rate;
mod machines;
mod new_data;
mod paired_scores;
mod power_forecast;
mod presentation;
mod result_diff;
mod seed_check;
mod settling;
mod shared_rates;
pub mod subject;
mod summary;
mod tied_rates;
mod ties;
mod warnings;
mod withheld;

pub use cells::Cells;
pub use claim_answer::{ClaimAnswer, ClaimStatus, StratumAnswer, claim_answer};
pub use course::{Course, Unjudged};
pub use effects::EffectSummary;
pub use error::AnalysisError;
pub use evidence::{Evidence, evidence};
pub use experience::{Experience, Factor, NetExperience, NetKind, SdPrediction};
pub use fragile::WithoutSeed;
pub use identities::{IdentityInArm, IdentitySummary, Outcome as IdentityOutcome};
pub use machines::machine_warnings;
pub use new_data::{NewData, NewDataMethod};
pub use paired_scores::PairedScores;
pub(crate) use paired_scores::last_score;
pub use power_forecast::{PowerForecast, SdSource, WeakContrast, power_forecast, weak_contrasts};
pub use presentation::{finding_words, metric_decimals, prediction_word, ruled_out, verdict_word};
pub use result_diff::{ArmDiff, DIFF_CONFIDENCE, DiffMethod, diff_arm, scores_of_arm};
pub use seed_check::{CheckedMetric, SeedCheck};
pub use settling::{FittedChange, Settling};
pub use shared_rates::{RateDifference, Robustness, USABLE_ERROR};
pub use summary::{
    ArmSummary, Condition, ContrastSummary, EvaluationSummary, Improvement, RateSummary,
    ScoreSummary, SharedCells, Spread, Summary,
};
pub use ties::{TiedArm, Ties, ties};
pub use withheld::Withheld;

use crate::record::{CellRecord, Outcome, Scores};
use crate::spec::{Arm, Contrast, Metric, Pairing, Spec, When};
use crate::stats::overall_verdict;
use std::collections::BTreeMap;

/// Analyses the records of one experiment on one device.
///
/// # Errors
/// If there are no records, if a cell has two, if they come from several devices, if a finished cell
/// has too few epochs or a score that is not finite, or if validation scores are missing for the
/// choice of a learning rate.
pub fn summarize(spec: &Spec, records: &[CellRecord]) -> Result<Summary, AnalysisError> {
    summarize_checked(spec, records, None)
}

/// [`summarize`], with what is known of the seeds of a program.
///
/// # Errors
/// As [`summarize`].
pub fn summarize_checked(
    spec: &Spec,
    records: &[CellRecord],
    seed_check: Option<&SeedCheck>,
) -> Result<Summary, AnalysisError> {
    let cells = Cells::new(spec, records)?;
    let mut selections = (spec.arms.iter().enumerate())
        .map(|(a, arm)| learning_rate::select(spec, arm, cells.grid(a)))
        .collect::<Result<Vec<_>, _>>()?;
    tied_rates::share(spec, &cells, &mut selections);
    let arms: Vec<ArmSummary> = (spec.arms.iter().zip(selections).enumerate())
        .map(|(a, (arm, selection))| summarize_arm(spec, arm, cells.grid(a), selection))
        .collect();
    let scores = PairedScores::new(spec, &cells, &arms);
    let mut contrasts = contrast::decide_all(spec, &scores, seed_check)?;
    for contrast in contrasts.iter_mut().filter(|c| c.contrast.primary) {
        contrast.withhold(Withheld::of(spec, [&contrast.contrast], &cells));
    }
    for contrast in &mut contrasts {
        contrast.new_data = NewData::of(spec, &scores, contrast);
    }
    contrast::describe_all(spec, &cells, &arms, &scores, &mut contrasts);
    let own = contrasts.iter().filter(|c| c.contrast.claim == spec.claim);
    let verdict = overall_verdict(own.filter_map(|c| c.verdict));
    let mut warnings = warnings::collect(&cells, &arms, &contrasts);
    let pairing = spec.program.as_ref().map(|program| program.paired);
    let scores_given = spec
        .program
        .as_ref()
        .and_then(|program| program.scores.clone());
    warnings.extend(
        (scores_given
            .iter()
            .filter(|_| pairing == Some(Pairing::Unpaired)))
        .map(|scores| scores.matching.clone()),
    );
    warnings.extend(
        seed_check
            .zip(pairing)
            .and_then(|(check, pairing)| check.caveat(pairing)),
    );
    Ok(Summary {
        name: spec.name.clone(),
        title: spec.title.clone(),
        claim: spec.claim.clone(),
        bears_on: spec.bears_on.clone(),
        sentence: spec.sentence.clone(),
        question: spec.question.clone(),
        reading: spec.reading.clone(),
        designed: spec.designed,
        designed_reason: spec.designed_reason.clone(),
        shared: Vec::new(),
        changes: spec.changes.clone(),
        conditions: conditions::conditions(spec),
        net_on_data: conditions::net_on_data(spec),
        device: cells.device().to_owned(),
        adapter: None,
        version: None,
        records_sha256: None,
        seeds: spec.seeds.clone(),
        looks: spec.looks.clone(),
        withheld: Withheld::of(
            spec,
            spec.contrasts.iter().filter(|contrast| contrast.primary),
            &cells,
        ),
        verdict,
        effects: effects::estimate_all(spec, &scores),
        factors: spec.factors.clone(),
        program_metrics: (spec.program.as_ref()).map_or(Vec::new(), |p| p.metrics.clone()),
        scores_given,
        contrasts,
        identities: identities::evaluate(spec, &arms),
        arms,
        published: spec.published.clone(),
        warnings,
    })
}

fn summarize_arm(
    spec: &Spec,
    arm: &Arm,
    grid: &[cells::Row<'_>],
    (chosen, rates): tied_rates::Selection,
) -> ArmSummary {
    let row = &grid[chosen];
    let done: Vec<&CellRecord> = row.done().collect();
    let last = || done.iter().filter_map(|r| r.epochs.last());
    let validation: Vec<Scores> = last().filter_map(|e| e.validation).collect();
    ArmSummary {
        name: arm.name.clone(),
        label: arm.label.clone(),
        levels: arm.levels.clone(),
        learning_rate: arm.rates()[chosen],
        grid: rates,
        n: done.len(),
        diverged: row.count(|o| matches!(o, Outcome::Diverged { .. })),
        failed: row.count(|o| matches!(o, Outcome::Failed { .. })),
        missing: row.missing(),
        test: ScoreSummary::of(&last().filter_map(|e| e.test).collect::<Vec<_>>()),
        evaluations: evaluations(spec, arm, &done),
        best: (arm.net().is_some_and(|net| net.train.says_when()))
            .then(|| Spread::of(done.iter().filter_map(|r| best(r))))
            .flatten(),
        validation: ScoreSummary::of(&validation),
        train_loss: Spread::of(last().filter_map(|e| e.train_loss)),
        probes: probes(&done),
        metrics: metrics(spec, &done),
    }
}

/// Test scores of `arm` at the earlier evaluations that a contrast or a published result refers to.
fn evaluations(spec: &Spec, arm: &Arm, done: &[&CellRecord]) -> Vec<EvaluationSummary> {
    let of_arm = |c: &&Contrast| c.weights.iter().any(|term| term.arm == arm.name);
    let referred = (spec.contrasts.iter().filter(of_arm).map(|c| c.when)).chain(
        (spec.published.iter())
            .filter(|p| p.arm == arm.name)
            .map(|p| p.when),
    );
    let mut positions: Vec<(usize, When)> = referred
        .filter_map(|when| match when {
            When::Last | When::EqualAccuracy | When::EqualNll => None,
            When::Epoch(n) | When::Step(n) => Some((n, when)),
        })
        .collect();
    positions.sort_unstable_by_key(|(n, _)| *n);
    positions.dedup();
    let at = |(n, when): (usize, When)| {
        let scores = done.iter().filter_map(|record| {
            let found = record.epochs.iter().find(|e| e.place() == n)?;
            found.test
        });
        let test = ScoreSummary::of(&scores.collect::<Vec<_>>())?;
        Some(EvaluationSummary { when, test })
    };
    positions.into_iter().filter_map(at).collect()
}

/// The best test accuracy over all evaluations.
fn best(record: &CellRecord) -> Option<f64> {
    let accuracies = record.epochs.iter().filter_map(|e| Some(e.test?.accuracy));
    accuracies.reduce(f64::max)
}

/// The last reported value of each metric of a program.
fn metrics(spec: &Spec, done: &[&CellRecord]) -> BTreeMap<String, Spread> {
    let metrics = spec.program.iter().flat_map(|program| &program.metrics);
    let spread = |metric: &Metric| {
        let values = done.iter().filter_map(|record| last_score(metric, record));
        Some((metric.name().into_owned(), Spread::of(values)?))
    };
    metrics.filter_map(spread).collect()
}

fn probes(done: &[&CellRecord]) -> BTreeMap<String, Spread> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, value) in done.iter().flat_map(|r| r.at_end()) {
        values.entry(name).or_default().push(value);
    }
    values
        .into_iter()
        .filter_map(|(name, v)| Some((name.to_owned(), Spread::of(v.into_iter())?)))
        .collect()
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
