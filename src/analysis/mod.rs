//! From records to a summary: chosen learning rates, effects and verdicts.
//!
//! The learning rate of each arm is chosen by validation scores alone. Contrasts compare test scores
//! at the chosen rates, paired by seed; by default those of the last epoch. Values are not rounded,
//! and the order of the records does not matter.
//!
//! # Files
//!
//! | file | content |
//! |---|---|
//! | `cells` | records by arm, learning rate and seed, checked against the spec |
//! | `learning_rate` | selection of each arm's learning rate |
//! | `paired_scores` | scores by arm and seed, and their weighted sums |
//! | `contrast` | paired improvements of each contrast, and the decisions on them |
//! | `effects` | main effects and interactions of factors, not tested |
//! | `identities` | whether each identity holds as stated |
//! | `claim_status`, `evidence` | overall answer to a claim, and the contrast that shows it best |
//! | `conditions` | nets, data and training of an experiment in words |
//! | `power_forecast` | minimum detectable effects before the run |
//! | `presentation` | decimals, intervals and words for tables and figures |
//! | `warnings` | caveats that a reader must know |

mod cells;
mod claim_status;
mod conditions;
mod contrast;
mod effects;
mod error;
mod evidence;
mod identities;
mod learning_rate;
mod paired_scores;
mod power_forecast;
mod presentation;
mod warnings;

pub use cells::Cells;
pub use claim_status::{ClaimStatus, claim_status};
pub use effects::EffectSummary;
pub use error::AnalysisError;
pub use evidence::{Evidence, evidence};
pub use identities::{IdentityInArm, IdentitySummary, Outcome as IdentityOutcome};
pub use paired_scores::PairedScores;
pub use power_forecast::{PowerForecast, SdSource, power_forecast};
pub use presentation::{metric_decimals, prediction_word, verdict_word};

use crate::record::{CellRecord, Outcome, Scores};
use crate::spec::{Arm, Contrast, Factor, Metric, Published, Spec, When};
use crate::stats::{Decision, Sample, Verdict, overall_verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Results of one experiment; the content of `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Name of the spec.
    pub name: String,
    /// Title of the report.
    pub title: String,
    /// Name of the claim that it tests, if any.
    pub claim: Option<String>,
    /// Names of other claims that it informs without testing them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bears_on: Vec<String>,
    /// The sentence of the claim.
    pub sentence: Option<String>,
    /// The question that it answers.
    pub question: String,
    /// How to interpret each outcome, written before the run.
    pub reading: String,
    /// Nets, data and training in words.
    #[serde(rename = "scope")]
    pub conditions: String,
    /// Nets and data in a few words, such as "dense net 128-128 on `digits`".
    #[serde(rename = "brief_scope")]
    pub net_on_data: String,
    /// Device on which all cells ran.
    pub device: String,
    /// Name of the GPU adapter behind `device`; absent for CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Seeds of the spec.
    pub seeds: Vec<u64>,
    /// Overall verdict of the primary contrasts; absent if no contrast is primary.
    pub verdict: Option<Verdict>,
    /// Contrasts in the order of the spec.
    pub contrasts: Vec<ContrastSummary>,
    /// Factors in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// Main effects and interactions of the factors; empty without factors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<EffectSummary>,
    /// Arms in the order of the spec.
    pub arms: Vec<ArmSummary>,
    /// Identities in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentitySummary>,
    /// Published results for comparison.
    pub published: Vec<Published>,
    /// Caveats, the most serious first.
    pub warnings: Vec<String>,
}

/// Results of one arm at its chosen learning rate.
///
/// Scores are those of the last epoch, over the seeds that finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmSummary {
    /// Name.
    pub name: String,
    /// Label for tables and figures.
    pub label: String,
    /// Index of the level of each factor; empty for an arm without factors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<usize>,
    /// The chosen learning rate.
    pub learning_rate: f64,
    /// All learning rates that were tried, in the order of the spec.
    pub grid: Vec<RateSummary>,
    /// Number of seeds that finished at the chosen rate.
    pub n: usize,
    /// Number of seeds that diverged at the chosen rate.
    pub diverged: usize,
    /// Number of seeds that failed with an error at the chosen rate.
    pub failed: usize,
    /// Number of seeds without a record at the chosen rate.
    pub missing: usize,
    /// Test scores; absent if no seed finished.
    pub test: Option<ScoreSummary>,
    /// Test scores at earlier evaluations that contrasts or published results refer to.
    #[serde(rename = "moments", default, skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<EvaluationSummary>,
    /// The best test accuracy of each seed over all evaluations, for training with an evaluation
    /// schedule.
    ///
    /// It is selected on the test set, so it is optimistic; no choice or verdict depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Spread>,
    /// Validation scores; absent without a validation split.
    pub validation: Option<ScoreSummary>,
    /// Training loss of the last epoch in nats, as the optimizer saw it.
    pub train_loss: Option<Spread>,
    /// Probe values by name. Values that are not finite are left out, which shows as a smaller `n`.
    pub probes: BTreeMap<String, Spread>,
}

/// Test scores of one arm at an earlier evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSummary {
    /// The evaluation.
    pub when: When,
    /// Its scores.
    pub test: ScoreSummary,
}

/// One learning rate of an arm's grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSummary {
    /// The learning rate.
    pub learning_rate: f64,
    /// Number of seeds that finished.
    pub n: usize,
    /// Number of seeds that diverged.
    pub diverged: usize,
    /// Number of seeds that failed with an error.
    pub failed: usize,
    /// Validation scores of the last epoch over the finished seeds.
    pub validation: Option<ScoreSummary>,
}

/// Accuracy, negative log-likelihood (NLL) and calibration error over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreSummary {
    /// Accuracy in percent.
    pub accuracy: Spread,
    /// Mean negative log-likelihood in nats.
    pub nll: Spread,
    /// Expected calibration error in percent.
    pub ece: Spread,
}

/// Mean, standard deviation and range of a quantity over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Number of values.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (divisor `n - 1`); absent for a single value.
    pub sd: Option<f64>,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

/// One contrast with its paired improvements and the decision on it.
///
/// An *improvement* is positive if the treatment is better. For accuracies it is the weighted sum of
/// the arms' scores, such as treatment minus control; for NLL and calibration error, where lower is
/// better, it is the negative of that sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastSummary {
    /// What is compared, and the prediction.
    pub contrast: Contrast,
    /// The verdict; `undecided` without a decision.
    pub verdict: Verdict,
    /// Estimates and tests; absent with fewer than two improvements.
    pub decision: Option<Decision>,
    /// Improvement per seed, for the seeds at which every arm finished.
    pub improvements: Vec<Improvement>,
    /// Seeds without an improvement, because an arm diverged, failed or has no score there.
    pub left_out: Vec<u64>,
}

/// Improvement at one seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Improvement {
    /// The seed.
    pub seed: u64,
    /// Positive if the treatment is better, in the unit of the metric.
    pub value: f64,
}

/// Analyses the records of one experiment on one device.
///
/// # Errors
/// If there are no records, if a cell has two, if they come from several devices, if a finished cell
/// has too few epochs or a score that is not finite, or if validation scores are missing for the
/// choice of a learning rate.
pub fn summarize(spec: &Spec, records: &[CellRecord]) -> Result<Summary, AnalysisError> {
    let cells = Cells::new(spec, records)?;
    let arms = spec
        .arms
        .iter()
        .enumerate()
        .map(|(a, arm)| summarize_arm(spec, arm, cells.grid(a)))
        .collect::<Result<Vec<_>, _>>()?;
    let scores = PairedScores::new(spec, &cells, &arms);
    let contrasts = contrast::decide_all(spec, &scores)?;
    let primary: Vec<Verdict> = contrasts
        .iter()
        .filter(|c| c.contrast.primary)
        .map(|c| c.verdict)
        .collect();
    let warnings = warnings::collect(spec, &cells, &arms, &contrasts);
    Ok(Summary {
        name: spec.name.clone(),
        title: spec.title.clone(),
        claim: spec.claim.clone(),
        bears_on: spec.bears_on.clone(),
        sentence: spec.sentence.clone(),
        question: spec.question.clone(),
        reading: spec.reading.clone(),
        conditions: conditions::conditions(spec),
        net_on_data: conditions::net_on_data(spec),
        device: cells.device().to_owned(),
        adapter: None,
        seeds: spec.seeds.clone(),
        verdict: overall_verdict(primary),
        effects: effects::estimate_all(spec, &scores),
        factors: spec.factors.clone(),
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
) -> Result<ArmSummary, AnalysisError> {
    let (chosen, rates) = learning_rate::select(arm, grid)?;
    let row = &grid[chosen];
    let done: Vec<&CellRecord> = row.done().collect();
    let last = || done.iter().filter_map(|r| r.epochs.last());
    let validation: Vec<Scores> = last().filter_map(|e| e.validation).collect();
    Ok(ArmSummary {
        name: arm.name.clone(),
        label: arm.label.clone(),
        levels: arm.levels.clone(),
        learning_rate: arm.learning_rates[chosen],
        grid: rates,
        n: done.len(),
        diverged: row.count(|o| matches!(o, Outcome::Diverged { .. })),
        failed: row.count(|o| matches!(o, Outcome::Failed { .. })),
        missing: row.missing(),
        test: ScoreSummary::of(&last().map(|e| e.test).collect::<Vec<_>>()),
        evaluations: evaluations(spec, arm, &done),
        best: (arm.train.says_when())
            .then(|| Spread::of(done.iter().filter_map(|r| best(r))))
            .flatten(),
        validation: ScoreSummary::of(&validation),
        train_loss: Spread::of(last().map(|e| e.train_loss)),
        probes: probes(&done),
    })
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
            Some(found.test)
        });
        let test = ScoreSummary::of(&scores.collect::<Vec<_>>())?;
        Some(EvaluationSummary { when, test })
    };
    positions.into_iter().filter_map(at).collect()
}

/// The best test accuracy over all evaluations.
fn best(record: &CellRecord) -> Option<f64> {
    let accuracies = record.epochs.iter().map(|e| e.test.accuracy);
    accuracies.reduce(f64::max)
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

impl Spread {
    /// Summarizes the finite values; `None` if there are none.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        let (min, max) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| {
                (lo.min(v), hi.max(v))
            });
        let sample = Sample::new(values).ok()?;
        Some(Self {
            n: sample.len(),
            mean: sample.mean(),
            sd: sample.sd(),
            min,
            max,
        })
    }
}

impl ScoreSummary {
    fn of(scores: &[Scores]) -> Option<Self> {
        Some(Self {
            accuracy: Spread::of(scores.iter().map(|s| s.accuracy))?,
            nll: Spread::of(scores.iter().map(|s| s.nll))?,
            ece: Spread::of(scores.iter().map(|s| s.ece))?,
        })
    }
}

impl ArmSummary {
    /// The spread of `metric` at the last evaluation; `None` if the arm has no such score.
    pub fn spread(&self, metric: &Metric) -> Option<&Spread> {
        let test = self.test.as_ref();
        match metric {
            Metric::TestAccuracy => test.map(|t| &t.accuracy),
            Metric::TestNll => test.map(|t| &t.nll),
            Metric::TestEce => test.map(|t| &t.ece),
            Metric::Probe(measure) => self.probes.get(&measure.name()),
        }
    }

    /// The spread of `metric` at `when`; `None` if the arm has no such score.
    pub fn spread_at(&self, metric: &Metric, when: When) -> Option<&Spread> {
        if when == When::Last {
            return self.spread(metric);
        }
        let test = self.test_at(when)?;
        match metric {
            Metric::TestAccuracy => Some(&test.accuracy),
            Metric::TestNll => Some(&test.nll),
            Metric::TestEce => Some(&test.ece),
            Metric::Probe(_) => None,
        }
    }

    /// Test scores at `when`; `None` if no contrast or published result refers to it.
    pub fn test_at(&self, when: When) -> Option<&ScoreSummary> {
        if when == When::Last {
            return self.test.as_ref();
        }
        let found = self.evaluations.iter().find(|e| e.when == when);
        found.map(|e| &e.test)
    }
}

impl Summary {
    /// The arm called `name`.
    pub fn arm(&self, name: &str) -> Option<&ArmSummary> {
        self.arms.iter().find(|a| a.name == name)
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
