//! Models by configuration and by name.

use crate::cnn::CnnConfig;
use crate::error::ConfigError;
use crate::mlp::MlpConfig;
use serde::{Deserialize, Serialize};

/// Any model of the zoo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelConfig {
    /// A multilayer perceptron.
    Mlp(MlpConfig),
    /// A convolutional network.
    Cnn(CnnConfig),
}

impl ModelConfig {
    /// # Errors
    /// If the model cannot be built, whatever the data.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Mlp(c) => c.check(),
            Self::Cnn(c) => c.check(),
        }
    }
}

/// A named model.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name, as in `model.preset`.
    pub name: &'static str,
    /// One line on what it is for.
    pub about: &'static str,
    /// Height, width and channels of the images it is meant for.
    pub input: [usize; 3],
    /// Classes it tells apart.
    pub classes: usize,
    build: fn() -> ModelConfig,
}

impl Preset {
    /// The preset's configuration.
    pub fn config(&self) -> ModelConfig {
        (self.build)()
    }
}

/// Every preset, in the order of listing.
pub const PRESETS: &[Preset] = &[];

/// The preset called `name`.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.name == name)
}
