//! Inverted dropout (Srivastava et al. 2014) with masks from named streams.

use crate::error::ConfigError;
use serde::{Deserialize, Serialize};

/// Where dropout acts and how often it drops. All rates default to 0, which means none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropoutConfig {
    /// Probability of dropping a unit of a hidden dense block, in `[0, 1)`.
    pub rate: f64,
    /// Probability of dropping a unit of a convolution block, in `[0, 1)`.
    pub conv_rate: f64,
    /// Probability of dropping an input, in `[0, 1)`.
    pub input_rate: f64,
    /// Where in the block. Default: at its end.
    pub placement: Placement,
    /// In convolution blocks, drop whole feature maps (Tompson et al. 2015). Default: off.
    pub spatial: bool,
}

/// Where in a block dropout acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// After everything else in the block.
    #[default]
    End,
    /// Directly before the block's norm.
    BeforeNorm,
}

impl Default for DropoutConfig {
    fn default() -> Self {
        Self {
            rate: 0.0,
            conv_rate: 0.0,
            input_rate: 0.0,
            placement: Placement::End,
            spatial: false,
        }
    }
}

impl DropoutConfig {
    /// # Errors
    /// If a rate is outside `[0, 1)`.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (key, rate) in [
            ("rate", self.rate),
            ("conv_rate", self.conv_rate),
            ("input_rate", self.input_rate),
        ] {
            if !(0.0..1.0).contains(&rate) {
                return Err(ConfigError::new(
                    format!("dropout.{key}"),
                    format!("must be at least 0 and below 1, not {rate}"),
                ));
            }
        }
        Ok(())
    }
}
