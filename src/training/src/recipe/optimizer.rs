//! Optimizers and learning-rate schedules.

use serde::{Deserialize, Serialize};

/// An optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent; weight decay is added to the gradient.
    Sgd {
        /// Momentum, in `[0, 1)`. Default: 0.
        #[serde(default)]
        momentum: f64,
        /// Nesterov momentum. Default: off.
        #[serde(default)]
        nesterov: bool,
    },
    /// Adam (Kingma and Ba 2015); weight decay is added to the gradient.
    Adam(AdamMoments),
    /// AdamW (Loshchilov and Hutter 2019); weight decay acts on the weights directly.
    Adamw(AdamMoments),
    /// RMSprop (Hinton, Srivastava and Swersky 2012); weight decay is added to the gradient.
    #[serde(rename = "rmsprop")]
    RmsProp(RmsProp),
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam(AdamMoments::default())
    }
}

/// Decay rates of the moments of Adam and AdamW.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamMoments {
    /// Decay of the first moment, in `[0, 1)`. Default: 0.9.
    pub beta1: f64,
    /// Decay of the second moment, in `[0, 1)`. Default: 0.999.
    pub beta2: f64,
    /// Added to the square root of the second moment. Default: 1e-8.
    pub epsilon: f64,
}

impl Default for AdamMoments {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// Settings of RMSprop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RmsProp {
    /// Decay of the mean square of the gradient, in `[0, 1)`. Default: 0.99, as in PyTorch; Keras has
    /// 0.9.
    pub decay: f64,
    /// Added to the square root of the mean square. Default: 1e-8, as in PyTorch; Keras has 1e-7.
    pub epsilon: f64,
    /// Momentum, in `[0, 1)`. Default: 0.
    pub momentum: f64,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self {
            decay: 0.99,
            epsilon: 1e-8,
            momentum: 0.0,
        }
    }
}

/// A learning-rate schedule: a factor on the arm's learning rate over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Constant 1.
    #[default]
    Constant,
    /// Multiplied by `factor` after every `every` epochs.
    Step {
        /// Epochs between drops.
        every: usize,
        /// The factor, in `(0, 1]`.
        factor: f64,
    },
    /// From 1 to `floor` along half a cosine over the whole run (Loshchilov and Hutter 2017).
    Cosine {
        /// Factor at the end, in `[0, 1]`. Default: 0.
        #[serde(default)]
        floor: f64,
    },
    /// Multiplied by `factor` every epoch, step by step.
    Exponential {
        /// The factor, in `(0, 1]`.
        factor: f64,
    },
    /// From `to` above the learning rate down to `to`: at step `t` (from 0) it is
    /// `to + learning_rate * exp(-t / tau)`.
    Decay {
        /// The rate that is approached, at least 0.
        to: f64,
        /// Steps in which the distance shrinks by the factor `e`, above 0.
        tau: f64,
    },
}
