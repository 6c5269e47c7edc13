//! Multilayer perceptrons.

use crate::block::BlockConfig;
use crate::error::ConfigError;
use serde::{Deserialize, Serialize};

/// A stack of equal dense blocks and a linear head with a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Units of each hidden layer, from the input on; may be empty (a linear classifier).
    pub hidden: Vec<usize>,
    /// What surrounds the weights of each hidden layer.
    #[serde(default)]
    pub block: BlockConfig,
}

impl MlpConfig {
    /// # Errors
    /// If a layer has no units or the block cannot be built.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.hidden.contains(&0) {
            return Err(ConfigError::new("hidden", "has a layer of 0 units"));
        }
        self.block.check().map_err(|e| e.under("block"))
    }
}
