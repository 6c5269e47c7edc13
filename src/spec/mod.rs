//! The spec: an experiment as its author wrote it.
//!
//! `parse` turns TOML into nodes that know their line, merges arms and overrides, and words errors.
//! `schema` reads the merged tables strictly and converts them to the types of this module. `design`
//! makes arms of crossed factors and weights of contrasts, and holds metrics, identities and claims.
//! `files` finds and loads files.

mod design;
mod files;
mod parse;
mod schema;

#[cfg(test)]
mod tests;

pub use design::claims::{Claim, Claims, DeclaredIdentity, InPractice};
#[cfg(test)]
pub(crate) use design::contrast::pair;
pub use design::contrast::{Between, Comparison, Held, Weight};
pub use design::factors::{Factor, Level};
pub use design::figure::{Figure, Panels};
pub use design::identity::Identity;
pub use design::metric::{Measure, Metric};
pub use design::quantities::{Axis, Direction, Parts, QUANTITIES, Quantity, Timing, Unit};
pub use files::{all, find, names};
pub use parse::error::SpecError;
pub use parse::overrides::{Override, OverrideError};

use crate::recipe::{DataConfig, Probe, TrainConfig};
use ablate_models::zoo::ModelConfig;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// File of the claims, in the folder of experiments; no experiment can have its name.
pub const CLAIMS_FILE: &str = "claims.toml";

/// A checked experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// File stem; the name of the results folder.
    pub name: String,
    /// The file it came from.
    pub path: PathBuf,
    /// Heading of the report.
    pub title: String,
    /// What is asked.
    pub question: String,
    /// Which claim it tests: `C1` ... `C7`, or none.
    pub claim: Option<String>,
    /// Further claims on which its results bear, without testing their sentences.
    pub bears_on: Vec<String>,
    /// The claim's sentence.
    pub sentence: Option<String>,
    /// How to read each outcome, written before the run.
    pub reading: String,
    /// Suites that include it (`standard`, `smoke`, `mnist`, ...).
    pub suites: Vec<String>,
    /// Seeds, without repeats, in the order of the file.
    pub seeds: Vec<u64>,
    /// Factors in the order of the file; empty where every arm is written out.
    pub factors: Vec<Factor>,
    /// Arms: the combinations of the factors, the last factor running fastest, then those that are
    /// written out.
    pub arms: Vec<Arm>,
    /// Contrasts in the order of the file.
    pub contrasts: Vec<Contrast>,
    /// Identities under test.
    pub identities: Vec<Identity>,
    /// Results of others, to lay beside ours.
    pub published: Vec<Published>,
    /// The figure it asks for beside those that every report has.
    pub figure: Option<Figure>,
}

/// One arm: a complete recipe, after its table was merged onto the base.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// Name; unique in the spec; `[a-z0-9-]+`.
    pub name: String,
    /// Words for tables and legends.
    pub label: String,
    /// The level of each factor, by index; empty for an arm that is written out.
    pub levels: Vec<usize>,
    /// The data.
    pub data: DataConfig,
    /// The model.
    pub model: ModelConfig,
    /// The training.
    pub train: TrainConfig,
    /// Learning rates to choose from on validation; one or more.
    pub learning_rates: Vec<f64>,
    /// What is measured beside accuracy.
    pub probes: Vec<Probe>,
}

/// A planned comparison of arms, paired by seed: a weighted sum of their scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// Name; unique in the spec; `[a-z0-9-]+`.
    pub name: String,
    /// What is compared.
    pub comparison: Comparison,
    /// What that makes of the arms' scores at each seed.
    pub weights: Vec<Weight>,
    /// The measured quantity.
    pub metric: Metric,
    /// At which evaluation it is read.
    #[serde(default, skip_serializing_if = "When::is_last")]
    pub when: When,
    /// What the claim predicts of the weighted sum, turned so that positive is better.
    pub expect: Expect,
    /// Smallest difference that matters, in the metric's unit (points for accuracies); positive.
    pub margin: f64,
    /// Whether the claim's verdict rests on it.
    pub primary: bool,
    /// Why it is in the spec; one sentence.
    pub note: String,
}

impl Contrast {
    /// The measured quantity in words, and when it is read if not at the end.
    pub fn quantity(&self) -> String {
        self.when.read(&self.metric.label())
    }
}

/// At which evaluation the arms of a contrast are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The last one.
    #[default]
    Last,
    /// Seed by seed, where each arm first reaches the test accuracy that all of them reach.
    EqualAccuracy,
    /// Seed by seed, where each arm first reaches the test NLL that all of them reach.
    EqualNll,
    /// The one after so many epochs.
    Epoch(usize),
    /// The one after so many steps, where training counts in steps.
    Step(usize),
}

impl When {
    fn is_last(&self) -> bool {
        *self == Self::Last
    }

    /// `quantity`, and when it is read if not at the end.
    pub fn read(self, quantity: &str) -> String {
        match self {
            Self::Last => quantity.to_owned(),
            Self::EqualAccuracy => format!("{quantity} at equal test accuracy"),
            Self::EqualNll => format!("{quantity} at equal test NLL"),
            Self::Epoch(1) => format!("{quantity} after 1 epoch"),
            Self::Epoch(n) => format!("{quantity} after {n} epochs"),
            Self::Step(1) => format!("{quantity} after 1 step"),
            Self::Step(n) => format!("{quantity} after {n} steps"),
        }
    }
}

/// What a claim predicts of treatment against control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The treatment is better.
    Better,
    /// The treatment is worse.
    Worse,
    /// They are equal within the margin.
    Equivalent,
    /// They differ, either way.
    Differs,
}

/// A result of others that a report sets beside ours. It never chooses anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The arm it corresponds to.
    pub arm: String,
    /// The measured quantity.
    pub metric: Metric,
    /// Author and year.
    pub source: String,
    /// Place in the text: a table, a figure, a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The published value.
    pub value: f64,
    /// Its standard deviation, if given.
    #[serde(default)]
    pub sd: Option<f64>,
    /// Over how many runs, if given.
    #[serde(default)]
    pub n: Option<u32>,
    /// Which of our evaluations it is laid beside. Default: the last.
    #[serde(
        default,
        deserialize_with = "schema::when::deserialize",
        skip_serializing_if = "When::is_last"
    )]
    pub when: When,
}
