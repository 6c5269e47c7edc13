//! Convolutional networks: plain stacks and stages with residual connections.

use crate::block::BlockConfig;
use crate::error::ConfigError;
use serde::{Deserialize, Serialize};

/// Convolution stages, dense blocks, and a linear head with a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// Channels of each stage, from the input on.
    pub channels: Vec<usize>,
    /// Convolutions in each stage. Default: 1.
    #[serde(default = "one")]
    pub convs: usize,
    /// Width and height of every kernel; the input is padded so that odd kernels keep its size.
    /// Default: 3.
    #[serde(default = "three")]
    pub kernel: usize,
    /// What ends each stage. Default: 2x2 max pooling.
    #[serde(default)]
    pub pool: Pool,
    /// Add each stage's first block's output to its last (He et al. 2016); needs at least two
    /// convolutions a stage. Default: off.
    #[serde(default)]
    pub residual: bool,
    /// Units of the dense blocks between the last stage and the head. Default: none.
    #[serde(default)]
    pub dense: Vec<usize>,
    /// What surrounds the weights of each convolution and dense layer.
    #[serde(default)]
    pub block: BlockConfig,
}

/// What ends a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// 2x2 max pooling with stride 2.
    #[default]
    Max,
    /// 2x2 average pooling with stride 2.
    Average,
    /// Nothing.
    None,
}

const fn one() -> usize {
    1
}

const fn three() -> usize {
    3
}

impl CnnConfig {
    /// # Errors
    /// If a stage or layer is empty, the kernel is 0, or the block cannot be built.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.channels.is_empty() || self.channels.contains(&0) {
            return Err(ConfigError::new(
                "channels",
                "must name at least one stage, each with at least 1 channel",
            ));
        }
        if self.dense.contains(&0) {
            return Err(ConfigError::new("dense", "has a layer of 0 units"));
        }
        if self.convs == 0 {
            return Err(ConfigError::new("convs", "must be at least 1"));
        }
        if self.kernel == 0 {
            return Err(ConfigError::new("kernel", "must be at least 1"));
        }
        if self.residual && self.convs < 2 {
            return Err(ConfigError::new("residual", "needs `convs` of at least 2"));
        }
        self.block.check().map_err(|e| e.under("block"))
    }
}
