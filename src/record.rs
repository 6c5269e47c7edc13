//! What a cell leaves behind: every raw number, one JSON line a cell, no clock times.

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
    /// Learning rate.
    pub learning_rate: f64,
    /// Device name, as asked for (`ndarray`, `flex`, `wgpu`, `cuda`).
    pub device: String,
    /// How it ended.
    pub outcome: Outcome,
    /// One entry an evaluation, from the first on; after every epoch where training does not say
    /// otherwise. A diverged cell ends early.
    pub epochs: Vec<EpochRecord>,
    /// Values of the probes by name, e.g. `train_accuracy`, `saturated.0`, `fold_error`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub probes: BTreeMap<String, f64>,
    /// What probes measured after every epoch, one value an epoch, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traces: BTreeMap<String, Vec<f64>>,
    /// Curves and histograms that probes left, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub series: BTreeMap<String, Vec<f64>>,
}

/// Most names in each of a record's `probes`, `traces` and `series`.
pub const MOST_NAMES: usize = 256;
/// Longest of a record's `series`.
pub const LONGEST_SERIES: usize = 1024;

impl CellRecord {
    /// Every probe's value at the end of the run, by name: those measured then, and the last ones of
    /// those measured after every epoch.
    pub fn at_end(&self) -> impl Iterator<Item = (&str, f64)> {
        let measured = self
            .probes
            .iter()
            .map(|(name, &value)| (name.as_str(), value));
        let traced = self.traces.iter();
        measured.chain(traced.filter_map(|(name, values)| Some((name.as_str(), *values.last()?))))
    }

    /// Leaves what a training that ended after epoch or step `until` would have left.
    pub fn cut(&mut self, until: usize) {
        if self.epochs.last().is_some_and(|last| last.place() > until) {
            self.outcome = Outcome::Done;
            self.probes.clear();
            self.traces.clear();
            self.series.clear();
        }
        self.epochs.retain(|epoch| epoch.place() <= until);
    }

    /// The value of the probe's quantity `name` after epoch number `index` (from 0), where it was
    /// measured after every epoch.
    pub fn after_epoch(&self, name: &str, index: usize) -> Option<f64> {
        self.traces.get(name)?.get(index).copied()
    }
}

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// All epochs done.
    Done,
    /// The loss was not finite.
    Diverged {
        /// Epoch, from 1, in which it happened.
        epoch: usize,
    },
    /// It could not be run.
    Failed {
        /// What went wrong.
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
    /// statistics), in nats.
    pub train_loss: f64,
    /// On the validation split, in evaluation mode; absent where there is no validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Scores>,
    /// On the test set, in evaluation mode. Drawn in curves; a contrast reads the last one, or the
    /// one that it asks for, and nothing is chosen by it.
    pub test: Scores,
}

impl EpochRecord {
    /// When it was taken, in the unit in which the training counts.
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
