//! How an arm is trained: optimizer, schedule, weight decay.

use super::PlantedFault;
use super::check::{first_repeat, flaw};
use ablate_models::ConfigError;
use serde::{Deserialize, Serialize};

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// How long it is trained.
    pub length: Length,
    /// When it is scored before the end. Default: after every epoch, or, where the length is in
    /// steps, not at all.
    #[serde(default, skip_serializing_if = "Evaluate::is_default")]
    pub evaluate: Evaluate,
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
    /// By which statistics batch norms evaluate the net. Default: running averages.
    #[serde(default, skip_serializing_if = "Statistics::is_running")]
    pub evaluate_by: Statistics,
    /// Largest norm of the incoming weights of a hidden unit (Srivastava et al. 2014, section 5.1);
    /// longer ones are shrunk to it after every step. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
    /// Units that are corrupted in the middle. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<PlantedFault>,
    /// What the loss is multiplied by before gradients are taken; recorded losses are in nats.
    /// Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub loss_scale: f64,
    /// What is trained; the rest stays as it started. Default: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<Trained>>,
}

/// By which statistics batch norms evaluate a net.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistics {
    /// The running averages that training left.
    #[default]
    Running,
    /// Taken anew: the mean of the batch means and of the unbiased batch variances over one epoch
    /// (Ioffe and Szegedy 2015, algorithm 2).
    Cumulative,
    /// Taken anew: mean and variance of the whole training split, norm by norm.
    Exact,
}

impl Statistics {
    fn is_running(&self) -> bool {
        *self == Self::Running
    }
}

pub(super) fn weights_only() -> Vec<ParameterGroup> {
    vec![ParameterGroup::Weight]
}

pub(super) const fn one() -> f64 {
    1.0
}

fn is_one(scale: &f64) -> bool {
    *scale == 1.0
}

/// How long a net is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Passes over the training split.
    Epochs(usize),
    /// Steps.
    Steps(usize),
}

impl Length {
    /// How many epochs or steps.
    pub const fn count(self) -> usize {
        match self {
            Self::Epochs(n) | Self::Steps(n) => n,
        }
    }

    /// The word for one of them.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Epochs(_) => "epoch",
            Self::Steps(_) => "step",
        }
    }

    /// Whether both count the same thing.
    pub const fn is_in_the_unit_of(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Epochs(_), Self::Epochs(_)) | (Self::Steps(_), Self::Steps(_))
        )
    }

    /// Steps in all.
    pub const fn steps(self, steps_per_epoch: usize) -> usize {
        self.in_steps(self.count(), steps_per_epoch)
    }

    /// Steps in `count` of the unit.
    pub const fn in_steps(self, count: usize, steps_per_epoch: usize) -> usize {
        match self {
            Self::Epochs(_) => count * steps_per_epoch,
            Self::Steps(_) => count,
        }
    }
}

/// When a net is scored before the end of its training, in the unit of the length. At the end it is
/// scored in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evaluate {
    /// After every epoch; with a length in steps at the end alone.
    #[default]
    Usual,
    /// After every so many.
    Every(usize),
    /// After each of these.
    At(Vec<usize>),
}

impl Evaluate {
    fn is_default(&self) -> bool {
        *self == Self::Usual
    }
}

/// What can be trained alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trained {
    /// Weights of linear maps and convolutions.
    Weight,
    /// Biases.
    Bias,
    /// Scales of norms.
    Scale,
    /// Centers of norms.
    Center,
    /// As many single weights, drawn at random from all layers, as the net has scales and centers
    /// (the control of Frankle, Schwab and Morcos 2021).
    RandomWeights,
}

impl Trained {
    const fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Scale => "scale",
            Self::Center => "center",
            Self::RandomWeights => "random_weights",
        }
    }

    /// Whether it takes in parameters of `group`, some of them at least.
    pub const fn covers(self, group: ParameterGroup) -> bool {
        matches!(
            (self, group),
            (Self::Weight | Self::RandomWeights, ParameterGroup::Weight)
                | (Self::Bias, ParameterGroup::Bias)
                | (Self::Scale, ParameterGroup::Scale)
                | (Self::Center, ParameterGroup::Center)
        )
    }
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
    /// From `to` above the learning rate down to `to`: at step `t` (from 0) it is
    /// `to + learning_rate * exp(-t / tau)`.
    Decay {
        /// The rate that is approached, at least 0.
        to: f64,
        /// Steps in which the distance shrinks by the factor `e`, above 0.
        tau: f64,
    },
}

impl TrainConfig {
    /// When it is scored, in the unit of the length; the end is the last.
    pub fn evaluations(&self) -> Vec<usize> {
        let end = self.length.count();
        let every = |k: usize| (1..end.div_ceil(k.max(1))).map(|i| i * k).collect();
        let mut places: Vec<usize> = match (&self.evaluate, self.length) {
            (Evaluate::Usual, Length::Epochs(_)) => every(1),
            (Evaluate::Usual, Length::Steps(_)) => Vec::new(),
            (Evaluate::Every(k), _) => every(*k),
            (Evaluate::At(places), _) => places.clone(),
        };
        if places.last() != Some(&end) {
            places.push(end);
        }
        places
    }

    /// Whether it says itself when it is scored.
    pub fn says_when(&self) -> bool {
        !self.evaluate.is_default() || matches!(self.length, Length::Steps(_))
    }

    /// # Errors
    /// If a number is out of its range or settings contradict each other. The error's key is
    /// relative to the `train` table.
    pub fn check(&self) -> Result<(), ConfigError> {
        let length = match self.length {
            Length::Epochs(_) => "epochs",
            Length::Steps(_) => "steps",
        };
        for (key, count) in [
            (length, self.length.count()),
            ("batch_size", self.batch_size),
        ] {
            if count == 0 {
                return flaw(key, "must be at least 1");
            }
        }
        self.check_evaluate()?;
        if !(self.loss_scale > 0.0 && self.loss_scale.is_finite()) {
            let message = format!("must be positive and finite, not {}", self.loss_scale);
            return flaw("loss_scale", message);
        }
        self.check_only()?;
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

    fn check_evaluate(&self) -> Result<(), ConfigError> {
        let (end, unit) = (self.length.count(), self.length.unit());
        match &self.evaluate {
            Evaluate::Usual => Ok(()),
            Evaluate::Every(k) if (1..=end).contains(k) => Ok(()),
            Evaluate::Every(k) => flaw(
                "evaluate_every",
                format!("must be 1 to {end}, the {unit}s of the run, not {k}"),
            ),
            Evaluate::At(places) => {
                let ascending = places.windows(2).all(|pair| pair[0] < pair[1]);
                let inside = places.iter().all(|place| (1..=end).contains(place));
                if ascending && inside && !places.is_empty() {
                    return Ok(());
                }
                flaw(
                    "evaluate_at",
                    format!("must be ascending {unit}s from 1 to {end}, the end of the run"),
                )
            }
        }
    }

    fn check_only(&self) -> Result<(), ConfigError> {
        let Some(only) = &self.only else {
            return Ok(());
        };
        if only.is_empty() {
            return flaw("only", "is empty; leave it out to train everything");
        }
        if let Some(part) = first_repeat(only) {
            return flaw("only", format!("names `{}` twice", part.name()));
        }
        if !only.contains(&Trained::RandomWeights) {
            return Ok(());
        }
        if only.len() > 1 {
            return flaw("only", "has `random_weights`, which stands alone");
        }
        match self.weight_decay > 0.0 {
            true => flaw(
                "weight_decay",
                "would move the weights that `only` leaves out",
            ),
            false => Ok(()),
        }
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
            Self::Decay { to, tau } => {
                if !(to >= 0.0 && to.is_finite()) {
                    let message = format!("must be at least 0 and finite, not {to}");
                    return flaw("schedule.to", message);
                }
                if tau > 0.0 && tau.is_finite() {
                    return Ok(());
                }
                flaw(
                    "schedule.tau",
                    format!("must be positive and finite, not {tau}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn train(length: Length, evaluate: Evaluate) -> TrainConfig {
        TrainConfig {
            length,
            evaluate,
            batch_size: 1,
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            weight_decay: 0.0,
            evaluate_by: Statistics::default(),
            decay_on: weights_only(),
            max_norm: None,
            fault: None,
            loss_scale: 1.0,
            only: None,
        }
    }

    #[test]
    fn nets_are_scored_where_it_is_said_and_at_the_end() {
        let places = |length, evaluate| train(length, evaluate).evaluations();
        assert_eq!(places(Length::Epochs(3), Evaluate::Usual), [1, 2, 3]);
        assert_eq!(places(Length::Epochs(1), Evaluate::Usual), [1]);
        assert_eq!(places(Length::Steps(300), Evaluate::Usual), [300]);
        assert_eq!(
            places(Length::Steps(300), Evaluate::Every(100)),
            [100, 200, 300]
        );
        assert_eq!(
            places(Length::Steps(250), Evaluate::Every(100)),
            [100, 200, 250]
        );
        assert_eq!(
            places(Length::Epochs(9), Evaluate::At(vec![2, 5])),
            [2, 5, 9]
        );
        assert_eq!(places(Length::Epochs(5), Evaluate::At(vec![2, 5])), [2, 5]);
    }

    #[test]
    fn a_length_in_epochs_has_the_steps_of_its_epochs() {
        assert_eq!(Length::Epochs(3).steps(7), 21);
        assert_eq!(Length::Steps(3).steps(7), 3);
        assert_eq!(Length::Epochs(3).in_steps(2, 7), 14);
    }
}
