//! The recipe of a net.

use super::{DataConfig, Probe, TrainConfig};
use ablate_models::zoo::ModelConfig;
use serde::{Deserialize, Serialize};

/// A net, its data and its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetRecipe {
    /// Data.
    pub data: DataConfig,
    /// Model.
    pub model: ModelConfig,
    /// Training.
    pub train: TrainConfig,
    /// Probes.
    pub probes: Vec<Probe>,
}
