//! Planted faults: units corrupted in the middle of training.

use super::TrainConfig;
use serde::{Deserialize, Serialize};

/// Replaces the incoming weights of some units by random weights of the same norm, in the middle
/// of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantedFault {
    /// Epoch or step, in the unit of the training's length, after which the fault is planted.
    pub after: usize,
    /// Plants it earlier, after the first evaluation at which the cell's validation NLL is at most
    /// this many nats, so that arms get their faults at equal loss. Default: always after `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_nll: Option<f64>,
    /// Index of the dense block, from 0.
    pub layer: usize,
    /// Number of units to corrupt.
    pub units: usize,
    /// Part of the net that is trained from then on. Default: all of it.
    #[serde(default)]
    pub repair: Repair,
}

/// Part of the net that is trained after a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// All of it.
    #[default]
    All,
    /// Only the block with the fault.
    Offender,
    /// Only the layer after the block with the fault.
    Next,
}

impl PlantedFault {
    /// Number of steps before the fault, at the latest.
    pub fn step(&self, train: &TrainConfig, steps_per_epoch: usize) -> usize {
        train.length.in_steps(self.after, steps_per_epoch)
    }
}
