//! How an arm is trained: optimizer, schedule, weight decay.

use super::check::{first_repeat, flaw};
use ablate_models::ConfigError;
use serde::{Deserialize, Serialize};

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training split.
    pub epochs: usize,
    /// Examples a step; an incomplete last batch is dropped.
    pub batch_size: usize,
    /// The optimizer. Default: Adam.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// The learning rate over time. Default: constant.
    #[serde(default)]
    pub schedule: Schedule,
    /// Weight decay, in `[0, inf)`. Default: 0.
    #[serde(default)]
    pub weight_decay: f64,
    /// Which parameters decay. Default: weights only.
    #[serde(default = "weights_only")]
    pub decay_on: Vec<ParameterGroup>,
    /// Largest norm of the incoming weights of a hidden unit (Srivastava et al. 2014, section 5.1);
    /// longer ones are shrunk to it after every step. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
}

pub(super) fn weights_only() -> Vec<ParameterGroup> {
    vec![ParameterGroup::Weight]
}

/// A group of parameters by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterGroup {
    /// Weights of linear maps and convolutions.
    Weight,
    /// Biases.
    Bias,
    /// Scales of norms.
    Scale,
    /// Centers of norms.
    Center,
}

impl ParameterGroup {
    /// Name in specs and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Scale => "scale",
            Self::Center => "center",
        }
    }
}

/// The optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent; weight decay is added to the gradient.
    Sgd {
        /// Momentum, in `[0, 1)`. Default: 0.
        #[serde(default)]
        momentum: f64,
        /// Nesterov's form. Default: off.
        #[serde(default)]
        nesterov: bool,
    },
    /// Adam (Kingma and Ba 2015); weight decay is added to the gradient.
    Adam(Moments),
    /// AdamW (Loshchilov and Hutter 2019); weight decay acts on the weights directly.
    Adamw(Moments),
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam(Moments::default())
    }
}

/// Settings of the Adam family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Moments {
    /// Decay of the first moment, in `[0, 1)`. Default: 0.9.
    pub beta1: f64,
    /// Decay of the second moment, in `[0, 1)`. Default: 0.999.
    pub beta2: f64,
    /// Added to the root of the second moment. Default: 1e-8.
    pub epsilon: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// The learning rate over time, as a factor on the arm's learning rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// 1.
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
}

impl TrainConfig {
    /// # Errors
    /// If a number is out of its range or settings contradict each other. The error's key is
    /// relative to the `train` table.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (key, count) in [("epochs", self.epochs), ("batch_size", self.batch_size)] {
            if count == 0 {
                return flaw(key, "must be at least 1");
            }
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return flaw(
                "weight_decay",
                format!("must be at least 0 and finite, not {}", self.weight_decay),
            );
        }
        if let Some(most) = self
            .max_norm
            .filter(|most| !(*most > 0.0 && most.is_finite()))
        {
            let message = format!("must be positive and finite, not {most}");
            return flaw("max_norm", message);
        }
        if let Some(group) = first_repeat(&self.decay_on) {
            return flaw("decay_on", format!("names `{}` twice", group.name()));
        }
        if self.weight_decay > 0.0 && self.decay_on.is_empty() {
            return flaw("decay_on", "is empty, but `weight_decay` is above 0");
        }
        self.optimizer.check()?;
        self.schedule.check()
    }
}

impl Optimizer {
    fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Sgd { momentum, nesterov } => {
                below_one("optimizer.momentum", *momentum)?;
                if *nesterov && *momentum == 0.0 {
                    return flaw("optimizer.nesterov", "needs a `momentum` above 0");
                }
                Ok(())
            }
            Self::Adam(moments) | Self::Adamw(moments) => {
                below_one("optimizer.beta1", moments.beta1)?;
                below_one("optimizer.beta2", moments.beta2)?;
                if moments.epsilon > 0.0 && moments.epsilon.is_finite() {
                    return Ok(());
                }
                flaw(
                    "optimizer.epsilon",
                    format!("must be positive and finite, not {}", moments.epsilon),
                )
            }
        }
    }
}

impl Schedule {
    fn check(&self) -> Result<(), ConfigError> {
        match *self {
            Self::Constant => Ok(()),
            Self::Step { every: 0, .. } => flaw("schedule.every", "must be at least 1"),
            Self::Step { factor, .. } | Self::Exponential { factor } => {
                if factor > 0.0 && factor <= 1.0 {
                    return Ok(());
                }
                flaw(
                    "schedule.factor",
                    format!("must be above 0 and at most 1, not {factor}"),
                )
            }
            Self::Cosine { floor } => {
                if (0.0..=1.0).contains(&floor) {
                    return Ok(());
                }
                flaw(
                    "schedule.floor",
                    format!("must be at least 0 and at most 1, not {floor}"),
                )
            }
        }
    }
}

fn below_one(key: &str, value: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    flaw(key, format!("must be at least 0 and below 1, not {value}"))
}
