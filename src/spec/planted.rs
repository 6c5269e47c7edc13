//! Units that are corrupted in the middle of training.

use super::check::flaw;
use super::{Length, TrainConfig};
use ablate_models::ConfigError;
use ablate_models::zoo::ModelConfig;
use serde::{Deserialize, Serialize};

/// Corrupts units of a net in the middle of its training: their incoming weights are replaced by
/// random ones of the same norm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantedFault {
    /// After how many epochs, or steps where training counts in steps.
    pub after: usize,
    /// In which dense block, from 0.
    pub layer: usize,
    /// How many of its units.
    pub units: usize,
    /// What trains from then on. Default: everything.
    #[serde(default)]
    pub repair: Repair,
}

/// What trains after a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Everything.
    #[default]
    All,
    /// The block with the fault alone.
    Offender,
    /// The layer that reads the block with the fault alone.
    Next,
}

impl PlantedFault {
    /// Steps taken before it.
    pub fn step(&self, train: &TrainConfig, steps_per_epoch: usize) -> usize {
        train.length.in_steps(self.after, steps_per_epoch)
    }

    /// # Errors
    /// If it is not inside the training or the net. The error's key is relative to the recipe.
    pub(super) fn check(
        &self,
        train: &TrainConfig,
        model: &ModelConfig,
    ) -> Result<(), ConfigError> {
        let (end, unit) = match train.length {
            Length::Epochs(n) => (n, "epochs"),
            Length::Steps(n) => (n, "steps"),
        };
        if !(1..end).contains(&self.after) {
            let message = format!("must be at least 1 and below the {end} {unit} of the run");
            return flaw("train.fault.after", message);
        }
        let widths = match model {
            ModelConfig::Mlp(c) => &c.hidden,
            ModelConfig::Cnn(c) => &c.dense,
        };
        let Some(&width) = widths.get(self.layer) else {
            let message = format!("must be below {}, the number of dense blocks", widths.len());
            return flaw("train.fault.layer", message);
        };
        if !(1..=width).contains(&self.units) {
            let message = format!("must be 1 to {width}, the units of the block");
            return flaw("train.fault.units", message);
        }
        Ok(())
    }
}
