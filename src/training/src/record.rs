//! The record of a cell: every raw number, one JSON line per cell, no clock times.

mod misclassified;

pub use misclassified::Misclassified;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything measured on one cell (arm x seed x learning rate x device).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRecord {
    /// Hash of everything that determines the numbers.
    pub id: String,
    /// Arm name.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// Learning rate; absent for a program without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Device name, as asked for (`ndarray`, `flex`, `wgpu`, `cuda`).
    pub device: String,
    /// How it ended.
    pub outcome: Outcome,
    /// One entry per evaluation, by default per epoch. A diverged cell has fewer.
    pub epochs: Vec<EpochRecord>,
    /// Values of the probes by name, e.g. `train_accuracy`, `saturated.0`, `fold_error`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub probes: BTreeMap<String, f64>,
    /// Probe values with one value per epoch, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traces: BTreeMap<String, Vec<f64>>,
    /// Curves and histograms of the probes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub series: BTreeMap<String, Vec<f64>>,
    /// Test images that the trained net misclassifies, by the last evaluation. Absent in records of
    /// older versions, and for cells that did not complete their training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misclassified: Option<Misclassified>,
}

/// Largest number of names in each of `probes`, `traces` and `series`.
pub const MOST_NAMES: usize = 256;
/// Largest length of a series.
pub const LONGEST_SERIES: usize = 1024;

impl CellRecord {
    /// Values of all probes at the end of the run, by name: final measurements and last values of
    /// traces.
    pub fn at_end(&self) -> impl Iterator<Item = (&str, f64)> {
        let measured = self
            .probes
            .iter()
            .map(|(name, &value)| (name.as_str(), value));
        let traced = self.traces.iter();
        measured.chain(traced.filter_map(|(name, values)| Some((name.as_str(), *values.last()?))))
    }

    /// Reduces it to the record of a training that ended after epoch or step `until`.
    pub fn cut(&mut self, until: usize) {
        if self.epochs.last().is_some_and(|last| last.place() > until) {
            self.outcome = Outcome::Done;
            self.probes.clear();
            self.traces.clear();
            self.series.clear();
            self.misclassified = None;
        }
        self.epochs.retain(|epoch| epoch.place() <= until);
    }

    /// The value of the trace `name` after epoch `index`, from 0.
    pub fn after_epoch(&self, name: &str, index: usize) -> Option<f64> {
        self.traces.get(name)?.get(index).copied()
    }
}

/// How the training of a cell ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It was completed.
    Done,
    /// The loss was not finite.
    Diverged {
        /// Epoch, from 1, in which it happened.
        epoch: usize,
    },
    /// It could not be trained.
    Failed {
        /// The error.
        error: String,
    },
}

/// Measurements at the end of an epoch, or after a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Whole epochs done.
    pub epoch: usize,
    /// Steps done, where training counts in steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Mean loss over the steps since the last evaluation, as trained (with dropout, batch
    /// statistics), in nats; absent for a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// On the validation split, in evaluation mode; absent where there is no validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Scores>,
    /// On the test set, in evaluation mode; absent for a program. Curves and contrasts read it; nothing
    /// is chosen by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Scores>,
    /// Metrics of a program by name, as it reported them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

impl EpochRecord {
    /// When it was taken, in the unit of the training's length.
    pub fn place(&self) -> usize {
        self.step.unwrap_or(self.epoch)
    }
}

/// Scores of a net on a set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Accuracy in percent.
    pub accuracy: f64,
    /// Mean negative log-likelihood in nats.
    pub nll: f64,
    /// Expected calibration error in percent, 15 equal bins (Guo et al. 2017).
    pub ece: f64,
}
