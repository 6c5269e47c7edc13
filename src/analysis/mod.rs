//! From records to a summary: which learning rate, what effect, which verdict.
//!
//! The learning rate of an arm is chosen on validation scores alone; contrasts read the test score
//! of the last epoch at the chosen rates, paired by seed. Nothing is rounded here, and the order of
//! the records has no influence.

mod cells;
mod choose;
mod claim_status;
mod contrast;
mod effects;
mod error;
mod evidence;
mod forecast;
mod identities;
mod presentation;
mod scope;
mod scoreboard;
mod warnings;

pub use cells::Cells;
pub use claim_status::{ClaimStatus, claim_status};
pub use effects::EffectSummary;
pub use error::AnalysisError;
pub use evidence::{Evidence, evidence};
pub use forecast::{Forecast, SpreadSource, forecast};
pub use identities::{IdentityInArm, IdentitySummary, Outcome as IdentityOutcome};
pub use presentation::{metric_decimals, prediction_word, verdict_word};
pub use scoreboard::Scoreboard;

use crate::record::{CellRecord, Outcome, Scores};
use crate::spec::{Arm, Contrast, Factor, Metric, Published, Spec, When};
use crate::stats::{Decision, Sample, Verdict, combine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything a report says about one experiment; the content of `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Name of the spec.
    pub name: String,
    /// Heading.
    pub title: String,
    /// Which claim it tests, if any.
    pub claim: Option<String>,
    /// Further claims on which it bears.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bears_on: Vec<String>,
    /// The claim's sentence.
    pub sentence: Option<String>,
    /// What is asked.
    pub question: String,
    /// How to read each outcome, as written before the run.
    pub reading: String,
    /// What the results are about: nets, data, training.
    pub scope: String,
    /// The same in a few words.
    pub brief_scope: String,
    /// Device that every cell ran on.
    pub device: String,
    /// What answered to it, where that is no CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Seeds of the spec.
    pub seeds: Vec<u64>,
    /// Verdicts of the primary contrasts combined; absent when no contrast is primary.
    pub verdict: Option<Verdict>,
    /// Contrasts in the order of the spec.
    pub contrasts: Vec<ContrastSummary>,
    /// Factors in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// Effects and interactions of the factors, described; empty without factors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<EffectSummary>,
    /// Arms in the order of the spec.
    pub arms: Vec<ArmSummary>,
    /// Identities in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentitySummary>,
    /// Results of others.
    pub published: Vec<Published>,
    /// What a reader has to know before believing the numbers.
    pub warnings: Vec<String>,
}

/// One arm at its chosen learning rate. Scores are of the last epoch, over the finished seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmSummary {
    /// Name.
    pub name: String,
    /// Words for tables.
    pub label: String,
    /// The level of each factor, by index; empty for an arm that is written out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<usize>,
    /// The chosen learning rate.
    pub learning_rate: f64,
    /// Every rate that was tried, in the order of the spec.
    pub grid: Vec<RateSummary>,
    /// Seeds that finished at the chosen rate.
    pub n: usize,
    /// Seeds that diverged at the chosen rate.
    pub diverged: usize,
    /// Seeds that could not be run at the chosen rate.
    pub failed: usize,
    /// Seeds without a record at the chosen rate.
    pub missing: usize,
    /// Test scores; absent when no seed finished.
    pub test: Option<ScoreSummary>,
    /// Test scores at other evaluations that contrasts or published results ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moments: Vec<MomentSummary>,
    /// The largest test accuracy of each seed's evaluations, where the training says when those are.
    /// It is chosen by test scores and chooses nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Spread>,
    /// Validation scores; absent without a validation split.
    pub validation: Option<ScoreSummary>,
    /// Training loss of the last epoch in nats, as trained.
    pub train_loss: Option<Spread>,
    /// Probes by name; values that are not finite are left out and show as a smaller `n`.
    pub probes: BTreeMap<String, Spread>,
}

/// Test scores before the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MomentSummary {
    /// When.
    pub when: When,
    /// The scores.
    pub test: ScoreSummary,
}

/// One learning rate of an arm's grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSummary {
    /// The rate.
    pub learning_rate: f64,
    /// Seeds that finished.
    pub n: usize,
    /// Seeds that diverged.
    pub diverged: usize,
    /// Seeds that could not be run.
    pub failed: usize,
    /// Validation scores of the last epoch over the finished seeds.
    pub validation: Option<ScoreSummary>,
}

/// Accuracy, NLL and calibration error over seeds.
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

/// A quantity over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Number of values.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation with `n - 1`; absent for one value.
    pub sd: Option<f64>,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

/// One contrast and what the decision rule says of it.
///
/// Differences are *improvements*: positive where the treatment is the better one. That is the
/// weighted sum of the arms' scores for accuracies (treatment minus control), and its negative for
/// NLL and calibration error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastSummary {
    /// What is compared, and what is predicted of it.
    pub contrast: Contrast,
    /// The verdict; `undecided` when there is no decision.
    pub verdict: Verdict,
    /// Estimates and tests; absent with fewer than two pairs.
    pub decision: Option<Decision>,
    /// Seeds at which every arm finished, with the improvement at each.
    pub improvements: Vec<Improvement>,
    /// Seeds left out because an arm diverged, failed or has no record there.
    pub left_out: Vec<u64>,
}

/// The improvement at one seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Improvement {
    /// The seed.
    pub seed: u64,
    /// Positive where the treatment is better, in the metric's unit.
    pub value: f64,
}

/// Analyses the records of an experiment.
///
/// # Errors
/// If there are no records, or they cannot be the records of one run of `spec`: two of one cell,
/// several devices, a finished cell that is too short or not finite, no validation scores to choose
/// a learning rate by.
pub fn summarize(spec: &Spec, records: &[CellRecord]) -> Result<Summary, AnalysisError> {
    let cells = Cells::sort(spec, records)?;
    let arms = spec
        .arms
        .iter()
        .enumerate()
        .map(|(a, arm)| summarize_arm(spec, arm, cells.grid(a)))
        .collect::<Result<Vec<_>, _>>()?;
    let scores = Scoreboard::new(spec, &cells, &arms);
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
        scope: scope::scope(spec),
        brief_scope: scope::brief(spec),
        device: cells.device().to_owned(),
        adapter: None,
        seeds: spec.seeds.clone(),
        verdict: combine(primary),
        effects: effects::describe(spec, &scores),
        factors: spec.factors.clone(),
        contrasts,
        identities: identities::judge(spec, &arms),
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
    let (chosen, rates) = choose::learning_rate(arm, grid)?;
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
        moments: moments(spec, arm, &done),
        best: (arm.train.says_when())
            .then(|| Spread::of(done.iter().filter_map(|r| best(r))))
            .flatten(),
        validation: ScoreSummary::of(&validation),
        train_loss: Spread::of(last().map(|e| e.train_loss)),
        probes: probes(&done),
    })
}

/// Scores of the records of `arm` wherever a contrast or a published result asks for them.
fn moments(spec: &Spec, arm: &Arm, done: &[&CellRecord]) -> Vec<MomentSummary> {
    let of_arm = |c: &&Contrast| c.weights.iter().any(|term| term.arm == arm.name);
    let asked = (spec.contrasts.iter().filter(of_arm).map(|c| c.when)).chain(
        (spec.published.iter())
            .filter(|p| p.arm == arm.name)
            .map(|p| p.when),
    );
    let mut places: Vec<(usize, When)> = asked
        .filter_map(|when| match when {
            When::Last | When::EqualAccuracy | When::EqualNll => None,
            When::Epoch(n) | When::Step(n) => Some((n, when)),
        })
        .collect();
    places.sort_unstable_by_key(|(n, _)| *n);
    places.dedup();
    let at = |(n, when): (usize, When)| {
        let scores = done.iter().filter_map(|record| {
            let found = record.epochs.iter().find(|e| e.place() == n)?;
            Some(found.test)
        });
        let test = ScoreSummary::of(&scores.collect::<Vec<_>>())?;
        Some(MomentSummary { when, test })
    };
    places.into_iter().filter_map(at).collect()
}

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
    /// Over the finite ones of `values`; `None` when there are none.
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
    /// The spread of what `metric` names; `None` where the arm does not have it.
    pub fn spread(&self, metric: &Metric) -> Option<&Spread> {
        let test = self.test.as_ref();
        match metric {
            Metric::TestAccuracy => test.map(|t| &t.accuracy),
            Metric::TestNll => test.map(|t| &t.nll),
            Metric::TestEce => test.map(|t| &t.ece),
            Metric::Probe(measure) => self.probes.get(&measure.name()),
        }
    }
}

impl ArmSummary {
    /// The spread of `metric` at `when`; `None` where it is not known.
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

    /// Test scores at `when`; `None` where they are not known.
    pub fn test_at(&self, when: When) -> Option<&ScoreSummary> {
        if when == When::Last {
            return self.test.as_ref();
        }
        let found = self.moments.iter().find(|moment| moment.when == when);
        found.map(|moment| &moment.test)
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
