//! Normalization: batch norm with every part on a switch, and layer and group norm to compare with.

use crate::error::ConfigError;
use serde::{Deserialize, Serialize};

/// Which normalization a block has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NormConfig {
    /// No normalization.
    #[default]
    None,
    /// Batch normalization (Ioffe and Szegedy 2015).
    Batch(BatchNormConfig),
    /// Layer normalization (Ba, Kiros and Hinton 2016): over the features of one example.
    Layer(LayerNormConfig),
    /// Group normalization (Wu and He 2018): over groups of channels of one example.
    Group(GroupNormConfig),
}

impl NormConfig {
    /// Whether the norm subtracts a mean and then adds a learned center, so that a bias directly
    /// before it can do nothing that the center does not.
    pub fn replaces_bias(&self) -> bool {
        matches!(self, Self::Batch(c) if c.center)
    }

    /// Whether there is a norm at all.
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// # Errors
    /// If a number is out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::None => Ok(()),
            Self::Batch(c) => c.check(),
            Self::Layer(c) => positive("norm.epsilon", c.epsilon),
            Self::Group(c) => {
                if c.groups == 0 {
                    return Err(ConfigError::new("norm.groups", "must be at least 1"));
                }
                positive("norm.epsilon", c.epsilon)
            }
        }
    }
}

/// Batch normalization over the batch (and, for images, the positions) of each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchNormConfig {
    /// Learn a scale (gamma); absent when off, not frozen at one. Default: on.
    pub scale: bool,
    /// Learn a center (beta); absent when off, not frozen at zero. Default: on.
    pub center: bool,
    /// Weight of the new batch in the running averages, in `(0, 1]`. Default: 0.1.
    pub momentum: f64,
    /// Added to the variance under the root. Default: 1e-5.
    pub epsilon: f64,
    /// Divide the running averages by the weight that data has in them, as Adam does with its
    /// moments, so that the start value has no weight. Default: off.
    pub bias_correction: bool,
    /// Average the unbiased variance (`n - 1`), as PyTorch does, or the biased one (`n`), as burn
    /// and the paper's training step do. Default: biased.
    pub running_variance: RunningVariance,
}

/// Which variance estimate enters the running average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunningVariance {
    /// Divided by `n`.
    #[default]
    Biased,
    /// Divided by `n - 1`.
    Unbiased,
}

impl Default for BatchNormConfig {
    fn default() -> Self {
        Self {
            scale: true,
            center: true,
            momentum: 0.1,
            epsilon: 1e-5,
            bias_correction: false,
            running_variance: RunningVariance::default(),
        }
    }
}

impl BatchNormConfig {
    /// # Errors
    /// If `momentum` is outside `(0, 1]` or `epsilon` is not positive and finite.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(self.momentum > 0.0 && self.momentum <= 1.0) {
            return Err(ConfigError::new(
                "norm.momentum",
                format!("must be above 0 and at most 1, not {}", self.momentum),
            ));
        }
        positive("norm.epsilon", self.epsilon)
    }
}

/// Layer normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerNormConfig {
    /// Learn a scale for each channel. Default: on.
    pub scale: bool,
    /// Learn a center for each channel. Default: on.
    pub center: bool,
    /// Added to the variance under the root. Default: 1e-5.
    pub epsilon: f64,
}

impl Default for LayerNormConfig {
    fn default() -> Self {
        Self {
            scale: true,
            center: true,
            epsilon: 1e-5,
        }
    }
}

/// Group normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupNormConfig {
    /// Number of groups; must divide the channels. Default: 8.
    pub groups: usize,
    /// Learn a scale for each channel. Default: on.
    pub scale: bool,
    /// Learn a center for each channel. Default: on.
    pub center: bool,
    /// Added to the variance under the root. Default: 1e-5.
    pub epsilon: f64,
}

impl Default for GroupNormConfig {
    fn default() -> Self {
        Self {
            groups: 8,
            scale: true,
            center: true,
            epsilon: 1e-5,
        }
    }
}

fn positive(key: &'static str, value: f64) -> Result<(), ConfigError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(ConfigError::new(
        key,
        format!("must be positive and finite, not {value}"),
    ))
}
