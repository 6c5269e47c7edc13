//! The results of one experiment: the content of `summary.json`.

use super::{EffectSummary, IdentitySummary, NewData, RateDifference, Settling, Withheld};
use crate::record::{CellRecord, Scores};
use crate::spec::{Changes, Contrast, Designed, Factor, GivenScores, Metric, Published, When};
use crate::stats::{Decision, Looks, Sample, Verdict, overall_verdict};
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
    /// Name of the claim of the spec, which its contrasts test unless they name another one.
    pub claim: Option<String>,
    /// Names of other claims that it informs without testing them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bears_on: Vec<String>,
    /// The sentence of the claim.
    pub sentence: Option<String>,
    /// The question that it answers.
    pub question: String,
    /// How to interpret each outcome.
    pub reading: String,
    /// When predictions, margins, reading and primary contrasts were fixed, if the spec says so. Only
    /// [`Designed::Before`] means that the reading was written before the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub designed: Option<Designed>,
    /// What a trial changed in the design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub designed_reason: Option<String>,
    /// Other experiments of the folder with some of the same cells, which are not independent of this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<SharedCells>,
    /// How the command line changed it, and where its file is.
    #[serde(default, skip_serializing_if = "Changes::is_empty")]
    pub changes: Changes,
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
    /// Version of the program that trained the cells, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of the file of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_sha256: Option<String>,
    /// Seeds of the spec.
    pub seeds: Vec<u64>,
    /// Looks at the results, if seeds were added after a look; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
    /// Overall verdict of the primary contrasts on the claim of the spec (without a claim: of those
    /// without one); absent if there is none.
    pub verdict: Option<Verdict>,
    /// Why the verdict is withheld, if it is; `verdict` is then not to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
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
    /// Metrics of a program in the order of their names; empty for nets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub program_metrics: Vec<Metric>,
    /// Where the scores come from that were judged without a run; absent for runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores_given: Option<GivenScores>,
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
    /// The chosen learning rate; absent for a program without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
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
    /// Metrics of a program by name, in their units.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Spread>,
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
    /// The learning rate; absent for a program without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Number of seeds that finished.
    pub n: usize,
    /// Number of seeds that diverged.
    pub diverged: usize,
    /// Number of seeds that failed with an error.
    pub failed: usize,
    /// Validation scores of the last epoch over the finished seeds.
    pub validation: Option<ScoreSummary>,
    /// The metric of a program that chooses the rate, over the finished seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_metric: Option<Spread>,
    /// Whether its validation accuracy is within one standard error of the arm's best.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tied: bool,
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
    /// Data set, net and training length of the compared arms.
    #[serde(default)]
    pub condition: Condition,
    /// Factors that it averages over although an interaction with them is not excluded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixed_over: Vec<String>,
    /// Whether differences are taken seed by seed. Otherwise the seeds of the arms count as independent,
    /// and mean and interval are those of Welch.
    #[serde(default = "on", skip_serializing_if = "is_on")]
    pub paired: bool,
    /// The verdict; absent for an exploratory contrast, `undecided` without a decision or if it is
    /// withheld.
    pub verdict: Option<Verdict>,
    /// Why the verdict is withheld, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
    /// Estimate, interval and finding for training again on this data; absent with fewer than two
    /// improvements.
    pub decision: Option<Decision>,
    /// The same for new data of the same kind, where it is known; it decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_data: Option<NewData>,
    /// Improvement per seed, for the seeds at which every arm finished.
    pub improvements: Vec<Improvement>,
    /// Seeds without an improvement, because an arm diverged, failed or has no score there.
    pub left_out: Vec<u64>,
    /// Whether the difference has settled; absent for a contrast that is not read at the last evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settling: Option<Settling>,
    /// The difference with the same learning rate in all arms, for each rate that they share; empty if no
    /// arm has a choice of rates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_rate: Vec<RateDifference>,
}

const fn on() -> bool {
    true
}

const fn is_on(switch: &bool) -> bool {
    *switch
}

/// Data set, net and training length under which arms are compared, in plain words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The data set, such as `digits, 100 training examples`; empty for a program.
    pub data: String,
    /// The net, such as `dense net 128-128`, or the command of a program.
    pub net: String,
    /// The training length, such as `20 epochs`; empty for a program.
    pub length: String,
}

impl std::fmt::Display for Condition {
    /// Its parts, separated by commas.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [&*self.data, &*self.net, &*self.length];
        let there: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        f.write_str(&there.join(", "))
    }
}

/// Cells that an experiment has in common with another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedCells {
    /// The other experiment.
    pub experiment: String,
    /// Number of common cells.
    pub cells: usize,
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
    /// Summarizes `scores`; `None` if there are none.
    pub(super) fn of(scores: &[Scores]) -> Option<Self> {
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
            Metric::Program(metric) => self.metrics.get(&metric.program),
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
            Metric::Probe(_) | Metric::Program(_) => None,
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

impl ContrastSummary {
    /// Replaces the verdict if there is a reason to withhold it.
    pub(super) fn withhold(&mut self, why: Option<Withheld>) {
        if why.is_some() {
            self.verdict = Some(Verdict::Undecided);
        }
        self.withheld = why;
    }

    /// Whether its verdict counts for its claim: it is primary, and it averages over no factor whose
    /// interaction is not excluded.
    pub fn counts(&self) -> bool {
        self.contrast.primary && self.mixed_over.is_empty()
    }

    /// Whether it is a primary contrast on `claim`.
    pub fn tests(&self, claim: &str) -> bool {
        self.contrast.primary && self.contrast.claim.as_deref() == Some(claim)
    }
}

impl Summary {
    /// The metrics of the table of arms: the test scores of nets, or what a program reports.
    pub fn scores(&self) -> Vec<Metric> {
        match self.program_metrics.is_empty() {
            true => Metric::SCORES.to_vec(),
            false => self.program_metrics.clone(),
        }
    }

    /// The arm called `name`.
    pub fn arm(&self, name: &str) -> Option<&ArmSummary> {
        self.arms.iter().find(|a| a.name == name)
    }

    /// `records` by arm, in the order of the arms, then by seed and learning rate.
    pub fn sorted<'r>(&self, records: &'r [CellRecord]) -> Vec<&'r CellRecord> {
        let mut sorted: Vec<&CellRecord> = records.iter().collect();
        let place = |arm: &str| self.arms.iter().position(|other| other.name == arm);
        sorted.sort_by(|a, b| {
            let rate = |record: &CellRecord| record.learning_rate.unwrap_or(0.0);
            let first = (place(&a.arm), a.seed).cmp(&(place(&b.arm), b.seed));
            first.then(rate(a).total_cmp(&rate(b)))
        });
        sorted
    }

    /// Whether the arm of `record` chose its learning rate.
    pub fn has_chosen(&self, record: &CellRecord) -> bool {
        self.arm(&record.arm).map(|arm| arm.learning_rate) == Some(record.learning_rate)
    }

    /// Whether it is a variant of an experiment. Its verdict is no evidence on a claim, because the
    /// experiment was designed with other settings.
    pub const fn is_variant(&self) -> bool {
        self.changes.variant_of.is_some()
    }

    /// The primary contrasts, in the order of the spec.
    pub fn primary(&self) -> impl Iterator<Item = &ContrastSummary> {
        self.contrasts.iter().filter(|c| c.contrast.primary)
    }

    /// Whether one of its primary contrasts tests `claim`.
    pub fn tests(&self, claim: &str) -> bool {
        self.contrasts.iter().any(|c| c.tests(claim))
    }

    /// The claims of the primary contrasts (`None`: no claim), in the order of their first contrast, each
    /// with the verdict of its contrasts together.
    pub fn verdicts(&self) -> Vec<(Option<&str>, Verdict)> {
        let mut claims: Vec<Option<&str>> = Vec::new();
        for contrast in self.primary() {
            let claim = contrast.contrast.claim.as_deref();
            if !claims.contains(&claim) {
                claims.push(claim);
            }
        }
        let of = |claim: Option<&str>| {
            let own = self
                .primary()
                .filter(|c| c.contrast.claim.as_deref() == claim);
            overall_verdict(own.filter_map(|c| c.verdict))
        };
        let verdicts = claims
            .into_iter()
            .filter_map(|claim| Some((claim, of(claim)?)));
        verdicts.collect()
    }

    /// The strata of `claim` to which its contrasts belong, with repeats.
    pub fn strata_of(&self, claim: &str) -> impl Iterator<Item = Option<&str>> {
        let own = self.contrasts.iter().filter(move |c| c.tests(claim));
        own.map(|c| c.contrast.stratum.as_deref())
    }

    /// The verdict of the contrasts on one stratum of `claim` together; `None` without any that counts.
    pub fn verdict_on(&self, claim: &str, stratum: Option<&str>) -> Option<Verdict> {
        let own = self
            .contrasts
            .iter()
            .filter(|c| c.tests(claim) && c.counts() && c.contrast.stratum.as_deref() == stratum);
        overall_verdict(own.filter_map(|c| c.verdict))
    }
}
