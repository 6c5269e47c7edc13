//! The one place that fixes the order of a block: weight, norm?, activation, norm?, dropout?.

use crate::activation::Activation;
use crate::dropout::{DropoutConfig, Placement};
use crate::error::ConfigError;
use crate::norm::NormConfig;
use serde::{Deserialize, Serialize};

/// What surrounds the weights of every hidden block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockConfig {
    /// The activation. Default: `relu`.
    pub activation: Activation,
    /// The normalization. Default: none.
    pub norm: NormConfig,
    /// On which side of the activation the norm stands. Default: before it.
    pub position: Position,
    /// Whether the weights come with a bias. Default: `auto`.
    pub bias: Bias,
    /// Dropout. Default: none.
    pub dropout: DropoutConfig,
    /// Start values.
    pub init: InitConfig,
}

/// On which side of the activation the norm stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Between the weights and the activation (Ioffe and Szegedy 2015, section 3.2).
    #[default]
    Before,
    /// After the activation.
    After,
}

/// Whether the weights come with a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    /// Off exactly where a batch norm with a center follows the weights directly; on elsewhere.
    #[default]
    Auto,
    /// On.
    On,
    /// Off.
    Off,
}

/// Start values of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InitConfig {
    /// Distribution of the weights. Default: `he_normal`.
    pub weight: WeightInit,
    /// Start value of every bias of a hidden block. Default: 0.
    pub bias: f64,
    /// Start value of every center. Default: 0.
    pub center: f64,
}

impl Default for InitConfig {
    fn default() -> Self {
        Self {
            weight: WeightInit::HeNormal,
            bias: 0.0,
            center: 0.0,
        }
    }
}

/// Distribution of start weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightInit {
    /// Normal with variance `2 / fan_in` (He et al. 2015).
    #[default]
    HeNormal,
    /// Uniform with variance `2 / fan_in`.
    HeUniform,
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010).
    GlorotNormal,
    /// Uniform with variance `2 / (fan_in + fan_out)`.
    GlorotUniform,
    /// Normal with standard deviation 0.1, redrawn beyond two standard deviations.
    #[serde(rename = "truncated_normal_0.1")]
    TruncatedNormal,
}

impl BlockConfig {
    /// Whether a block of this kind has a bias.
    pub fn has_bias(&self) -> bool {
        match self.bias {
            Bias::On => true,
            Bias::Off => false,
            Bias::Auto => {
                let direct = self.position == Position::Before
                    && (self.dropout.placement == Placement::End || self.dropout.rate == 0.0);
                !(direct && self.norm.replaces_bias())
            }
        }
    }

    /// # Errors
    /// If a part is out of range, or parts contradict each other.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.norm.check()?;
        self.dropout.check()?;
        if self.dropout.placement == Placement::BeforeNorm && !self.norm.is_some() {
            return Err(ConfigError::new(
                "dropout.placement",
                "is `before_norm`, but the block has no norm",
            ));
        }
        for (key, value) in [("init.bias", self.init.bias), ("init.center", self.init.center)] {
            if !value.is_finite() {
                return Err(ConfigError::new(key, format!("must be finite, not {value}")));
            }
        }
        Ok(())
    }
}
