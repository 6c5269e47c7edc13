//! The spec: an experiment as its author wrote it.
//!
//! `parse` turns TOML into nodes that know their line, merges arms and overrides, and words errors.
//! `schema` reads the merged tables strictly and converts them to the types of this module. `design`
//! makes arms of crossed factors and weights of contrasts, and holds metrics, identities and claims.
//! `registry` holds the kinds of models. `files` finds and loads files. `changes` says how the command line
//! changed a file, and `resolved` writes the result as one file.

mod changes;
mod design;
mod excerpt;
mod files;
mod parse;
mod registry;
mod resolved;
mod schema;

#[cfg(test)]
mod tests;

pub use changes::Changes;
pub use design::claims::{Claim, Claims, DeclaredIdentity, InPractice};
#[cfg(test)]
pub(crate) use design::contrast::pair;
pub use design::contrast::{Between, ContrastKind, Held, Weight};
pub use design::factors::{Factor, Level};
pub use design::figure::{Figure, Panels};
pub use design::identity::Identity;
pub use design::metric::{Measure, Metric, ProgramMetric, part_words};
pub use design::quantities::{Axis, Direction, Parts, QUANTITIES, Quantity, Timing, Unit};
pub use files::{all, find, names};
pub(crate) use parse::diagnostic::nearest;
pub use parse::error::{Mistake, SpecError};
pub use parse::overrides::{Override, OverrideError};
pub use registry::Registry;
pub use resolved::{RESOLVED_FILE, Source};

use crate::recipe::{NetRecipe, Recipe};
use crate::stats::Looks;
use crate::text::counted;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Name of the file of claims in the folder of experiments. No experiment may have it.
pub const CLAIMS_FILE: &str = "claims.toml";

/// A checked experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// File stem, for a variant with its changes; the name of the results folder.
    pub name: String,
    /// Path of its file.
    pub path: PathBuf,
    /// Heading of the report.
    pub title: String,
    /// Question.
    pub question: String,
    /// Name of the claim that its contrasts test unless they name another one.
    pub claim: Option<String>,
    /// Names of further claims on which its results bear without testing them.
    pub bears_on: Vec<String>,
    /// Sentence of the claim.
    pub sentence: Option<String>,
    /// Meaning of each outcome.
    pub reading: String,
    /// When predictions, margins, readings and the choice of primary contrasts were fixed, if known.
    pub designed: Option<Designed>,
    /// What a trial changed in the design; present exactly for [`Designed::AfterTrial`].
    pub designed_reason: Option<String>,
    /// Suites that include it (`standard`, `smoke`, `mnist`, ...).
    pub suites: Vec<String>,
    /// Seeds, without repeats, in the order of the file.
    pub seeds: Vec<u64>,
    /// Looks at the results after which seeds were added. A file has none; they are read from the results
    /// folder (`run::looks`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
    /// Factors in the order of the file; empty if every arm is written out.
    pub factors: Vec<Factor>,
    /// Arms: first the combinations of the factors, the last factor varying fastest, then the arms
    /// that are written out.
    pub arms: Vec<Arm>,
    /// Contrasts in the order of the file.
    pub contrasts: Vec<Contrast>,
    /// Identities under test.
    pub identities: Vec<Identity>,
    /// Published results to show beside ours.
    pub published: Vec<Published>,
    /// A figure in addition to those of every report.
    pub figure: Option<Figure>,
    /// What holds for the programs of all arms; `None` for nets.
    pub program: Option<ProgramDesign>,
    /// How the command line changed it, and where its file is.
    pub changes: Changes,
    /// What its file says, with all changes.
    #[serde(skip)]
    pub source: Source,
}

/// What holds for the programs of all arms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProgramDesign {
    /// The declared metrics, sorted by name.
    pub metrics: Vec<Metric>,
    /// The metric that chooses the learning rate.
    pub validation: Option<Metric>,
    /// Whether arms are compared seed by seed.
    pub paired: Pairing,
    /// The scores that stand in place of programs that run; no file has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<GivenScores>,
}

/// Scores that exist already. Cells without scores are not missing: nothing was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenScores {
    /// The file that has them.
    pub file: String,
    /// How the seeds of the arms were matched, in a sentence.
    pub matching: String,
}

/// Whether arms are compared seed by seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Pairing {
    /// As the check of the seeds before the run says.
    #[default]
    Auto,
    /// Always.
    Paired,
    /// Never: the seeds of the arms count as independent.
    Unpaired,
}

/// When the design of an experiment was fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Designed {
    /// Before any result of it was known.
    Before,
    /// After results were known: of a trial, or of an earlier form of it.
    AfterTrial,
}

/// An arm: a complete recipe, after its table was merged onto the base.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// Name; unique in the spec; `[a-z0-9-]+`.
    pub name: String,
    /// Label in tables and legends.
    pub label: String,
    /// Index of the level of each factor; empty for an arm that is written out.
    pub levels: Vec<usize>,
    /// What it trains. The arms of a spec are all nets or all programs.
    pub recipe: Recipe,
    /// Learning rates to choose from by validation score; none for a program without one.
    pub learning_rates: Vec<f64>,
}

impl Arm {
    /// The recipe of the net, if it is one.
    pub const fn net(&self) -> Option<&NetRecipe> {
        self.recipe.net()
    }

    /// The same, to change it.
    pub const fn net_mut(&mut self) -> Option<&mut NetRecipe> {
        self.recipe.net_mut()
    }

    /// The learning rate of each row of its grid; one row without a rate for a program without one.
    pub fn rates(&self) -> Vec<Option<f64>> {
        match self.learning_rates.is_empty() {
            true => vec![None],
            false => self.learning_rates.iter().copied().map(Some).collect(),
        }
    }
}

/// A planned comparison of arms, paired by seed: a weighted sum of their scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// Name; unique in the spec; `[a-z0-9-]+`.
    pub name: String,
    /// Name of the claim that it tests if it is primary; the spec's unless it names its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// The stratum of the claim to which its verdict belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stratum: Option<String>,
    /// The compared arms or levels.
    pub comparison: ContrastKind,
    /// Weights of the arms that follow from it.
    pub weights: Vec<Weight>,
    /// Compared quantity.
    pub metric: Metric,
    /// Evaluation at which it is read.
    #[serde(default, skip_serializing_if = "When::is_last")]
    pub when: When,
    /// Prediction for the weighted sum, signed so that positive is better.
    pub expect: Expect,
    /// Smallest difference that matters, positive, in the unit of the metric (points for accuracies).
    pub margin: f64,
    /// Whether it has a verdict, which counts for its claim.
    pub primary: bool,
    /// Reason for it, in one sentence.
    pub note: String,
}

impl Contrast {
    /// Label of the quantity, with the evaluation unless it is the last.
    pub fn quantity(&self) -> String {
        self.when.read(&self.metric.label())
    }
}

/// Evaluation at which the arms of a contrast are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The last one.
    #[default]
    Last,
    /// Per seed, the first at which each arm reaches the validation accuracy that all arms reach.
    EqualAccuracy,
    /// Per seed, the first at which each arm reaches the validation NLL that all arms reach.
    EqualNll,
    /// The one after this epoch.
    Epoch(usize),
    /// The one after this step, if the length is in steps.
    Step(usize),
}

impl When {
    fn is_last(&self) -> bool {
        *self == Self::Last
    }

    /// `quantity`, with the evaluation unless it is the last.
    pub fn read(self, quantity: &str) -> String {
        match self {
            Self::Last => quantity.to_owned(),
            Self::EqualAccuracy => format!("{quantity} at equal validation accuracy"),
            Self::EqualNll => format!("{quantity} at equal validation NLL"),
            Self::Epoch(n) => format!("{quantity} after {}", counted(n, "epoch")),
            Self::Step(n) => format!("{quantity} after {}", counted(n, "step")),
        }
    }
}

/// Prediction for treatment against control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The treatment is better.
    Better,
    /// The treatment is worse.
    Worse,
    /// They are equal within the margin.
    Equivalent,
    /// They differ in either direction.
    Differs,
}

/// A published result that a report shows beside ours. Nothing is chosen by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Corresponding arm.
    pub arm: String,
    /// Compared quantity.
    pub metric: Metric,
    /// Author and year.
    pub source: String,
    /// Table, figure or page in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Published value.
    pub value: f64,
    /// Its standard deviation, if given.
    #[serde(default)]
    pub sd: Option<f64>,
    /// Its number of runs, if given.
    #[serde(default)]
    pub n: Option<u32>,
    /// Evaluation of ours to show beside it. Default: the last.
    #[serde(default, skip_serializing_if = "When::is_last")]
    pub when: When,
}
