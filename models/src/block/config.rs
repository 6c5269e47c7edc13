//! Configuration of a block.

use crate::dropout::{DropoutConfig, Placement};
use crate::error::ConfigError;
use crate::init::WeightInit;
use crate::norm::NormConfig;
use ablate_kernels::{Activation, Position};
use serde::{Deserialize, Serialize};

/// Configuration of a hidden block, dense or convolutional.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockConfig {
    /// The activation. Default: `relu`.
    pub activation: Activation,
    /// The normalization. Default: none.
    pub norm: NormConfig,
    /// Whether the norm comes before or after the activation. Default: before.
    pub position: Position,
    /// Whether the linear layer has a bias. Default: `auto`.
    pub bias: Bias,
    /// Dropout. Default: none.
    pub dropout: DropoutConfig,
    /// Initialization of the parameters.
    pub init: InitConfig,
}

/// Whether the linear layer of a block has a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    /// On, unless a batch norm with a center directly follows and makes the bias redundant.
    #[default]
    Auto,
    /// On.
    On,
    /// Off.
    Off,
}

/// Initialization of the parameters of a block.
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

impl BlockConfig {
    /// True if a block with dropout rate `rate` has a bias.
    pub fn has_bias(&self, rate: f64) -> bool {
        match self.bias {
            Bias::On => true,
            Bias::Off => false,
            Bias::Auto => {
                let norm_is_next = self.position == Position::Before
                    && (self.dropout.placement == Placement::End || rate == 0.0);
                !(norm_is_next && self.norm.replaces_bias())
            }
        }
    }

    /// Checks what does not depend on the number of inputs and outputs.
    ///
    /// # Errors
    /// If a value is out of its range, or two settings contradict each other.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.norm.check()?;
        self.dropout.check()?;
        if self.dropout.placement == Placement::BeforeNorm && !self.norm.is_some() {
            return Err(ConfigError::new(
                "dropout.placement",
                "is `before_norm`, but the block has no norm",
            ));
        }
        for (key, value) in [
            ("init.bias", self.init.bias),
            ("init.center", self.init.center),
        ] {
            if !value.is_finite() {
                return Err(ConfigError::new(
                    key,
                    format!("must be finite, not {value}"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::norm::{BatchNormConfig, LayerNormConfig};

    fn block(norm: NormConfig, position: Position, placement: Placement) -> BlockConfig {
        BlockConfig {
            norm,
            position,
            dropout: DropoutConfig {
                placement,
                ..DropoutConfig::default()
            },
            ..BlockConfig::default()
        }
    }

    #[test]
    fn auto_bias_is_off_directly_before_a_centering_batch_norm() {
        let centered = NormConfig::Batch(BatchNormConfig::default());
        let uncentered = NormConfig::Batch(BatchNormConfig {
            center: false,
            ..BatchNormConfig::default()
        });
        let layer = NormConfig::Layer(LayerNormConfig::default());
        let cases = [
            (&centered, Position::Before, Placement::End, 0.5, false),
            (
                &centered,
                Position::Before,
                Placement::BeforeNorm,
                0.0,
                false,
            ),
            (
                &centered,
                Position::Before,
                Placement::BeforeNorm,
                0.5,
                true,
            ),
            (&centered, Position::After, Placement::End, 0.0, true),
            (&uncentered, Position::Before, Placement::End, 0.0, true),
            (&layer, Position::Before, Placement::End, 0.0, true),
            (
                &NormConfig::None,
                Position::Before,
                Placement::End,
                0.0,
                true,
            ),
        ];
        for (norm, position, placement, rate, expected) in cases {
            let mut block = block(norm.clone(), position, placement);
            assert_eq!(block.has_bias(rate), expected, "{block:?}");
            block.bias = Bias::On;
            assert!(block.has_bias(rate));
            block.bias = Bias::Off;
            assert!(!block.has_bias(rate));
        }
    }
}
