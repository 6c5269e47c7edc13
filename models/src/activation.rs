//! Activation functions.

use serde::{Deserialize, Serialize};

/// The activation of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `max(x, 0.01 x)` (Maas, Hannun and Ng 2013).
    LeakyRelu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `x Phi(x)`, exact (Hendrycks and Gimpel 2016).
    Gelu,
    /// `x sigmoid(x)` (Elfwing, Uchibe and Doya 2018).
    Silu,
    /// `x` above zero, `exp(x) - 1` below (Clevert, Unterthiner and Hochreiter 2016).
    Elu,
    /// `x`.
    Linear,
}

impl Activation {
    /// Every activation, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Relu,
        Self::LeakyRelu,
        Self::Sigmoid,
        Self::Tanh,
        Self::Gelu,
        Self::Silu,
        Self::Elu,
        Self::Linear,
    ];

    /// The name used in configuration files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky_relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Elu => "elu",
            Self::Linear => "linear",
        }
    }
}
