//! Training of an arm: length, batch size, weight decay, and what is trained and evaluated.

use super::{Optimizer, ParameterGroup, PlantedFault, Schedule};
use serde::{Deserialize, Serialize};

/// Training of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Length of the training.
    pub length: Length,
    /// Evaluations before the end. Default: after every epoch; none if the length is in steps.
    #[serde(default, skip_serializing_if = "Evaluate::is_default")]
    pub evaluate: Evaluate,
    /// Examples per step; an incomplete last batch is dropped.
    pub batch_size: usize,
    /// Optimizer. Default: Adam.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// Learning-rate schedule. Default: constant.
    #[serde(default)]
    pub schedule: Schedule,
    /// Weight decay, in `[0, inf)`. Default: 0.
    #[serde(default)]
    pub weight_decay: f64,
    /// Groups of parameters that decay. Default: weights only.
    #[serde(default = "TrainConfig::default_decay_on")]
    pub decay_on: Vec<ParameterGroup>,
    /// Statistics that batch norms use in evaluation. Default: running averages.
    #[serde(default, skip_serializing_if = "Statistics::is_running")]
    pub evaluate_by: Statistics,
    /// Largest norm of the incoming weights of a hidden unit (Srivastava et al. 2014, section 5.1);
    /// larger norms are scaled down to it after every step. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
    /// Fault to plant in the middle of training. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<PlantedFault>,
    /// Factor on the loss before the backward pass; recorded losses are without it, in nats.
    /// Default: 1.
    #[serde(
        default = "TrainConfig::default_loss_scale",
        skip_serializing_if = "is_one"
    )]
    pub loss_scale: f64,
    /// Groups of parameters to train; the others stay at their start values. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<Trained>>,
}

/// Statistics that batch norms use in evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistics {
    /// The running averages of training.
    #[default]
    Running,
    /// Recomputed: the mean of the batch means and of the unbiased batch variances over one epoch
    /// (Ioffe and Szegedy 2015, algorithm 2).
    Cumulative,
    /// Recomputed: mean and variance of the whole training split, one norm after the other.
    Exact,
}

impl Statistics {
    fn is_running(&self) -> bool {
        *self == Self::Running
    }
}

fn is_one(scale: &f64) -> bool {
    *scale == TrainConfig::default_loss_scale()
}

/// Length of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Number of epochs, i.e. passes over the training split.
    Epochs(usize),
    /// Number of steps.
    Steps(usize),
}

impl Length {
    /// Number of epochs or steps.
    pub const fn count(self) -> usize {
        match self {
            Self::Epochs(n) | Self::Steps(n) => n,
        }
    }

    /// The unit in the singular.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Epochs(_) => "epoch",
            Self::Steps(_) => "step",
        }
    }

    /// Whether both have the same unit.
    pub const fn is_in_the_unit_of(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Epochs(_), Self::Epochs(_)) | (Self::Steps(_), Self::Steps(_))
        )
    }

    /// Total number of steps.
    pub const fn steps(self, steps_per_epoch: usize) -> usize {
        self.in_steps(self.count(), steps_per_epoch)
    }

    /// Number of steps in `count` units.
    pub const fn in_steps(self, count: usize, steps_per_epoch: usize) -> usize {
        match self {
            Self::Epochs(_) => count * steps_per_epoch,
            Self::Steps(_) => count,
        }
    }
}

/// Evaluations before the end of the training, in the unit of its length. There is always one at the
/// end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evaluate {
    /// After every epoch; none if the length is in steps.
    #[default]
    Usual,
    /// After every multiple of this number.
    Every(usize),
    /// After each of these numbers.
    At(Vec<usize>),
}

impl Evaluate {
    fn is_default(&self) -> bool {
        *self == Self::Usual
    }
}

/// A group of parameters that can be trained alone.
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
    /// Single weights drawn at random from all layers, as many as the net has scales and centers
    /// (the control of Frankle, Schwab and Morcos 2021).
    RandomWeights,
}

impl Trained {
    /// Name in specs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Scale => "scale",
            Self::Center => "center",
            Self::RandomWeights => "random_weights",
        }
    }

    /// Whether it includes any parameters of `group`.
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

impl TrainConfig {
    /// A training of `length` in batches of `batch_size` with Adam at a constant rate: every other
    /// value is its default.
    pub fn new(length: Length, batch_size: usize) -> Self {
        Self {
            length,
            evaluate: Evaluate::Usual,
            batch_size,
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            weight_decay: 0.0,
            decay_on: Self::default_decay_on(),
            evaluate_by: Statistics::default(),
            max_norm: None,
            fault: None,
            loss_scale: Self::default_loss_scale(),
            only: None,
        }
    }

    /// Default of `decay_on`: weights only.
    pub fn default_decay_on() -> Vec<ParameterGroup> {
        vec![ParameterGroup::Weight]
    }

    /// Default of `loss_scale`.
    pub const fn default_loss_scale() -> f64 {
        1.0
    }

    /// Evaluations in the unit of the length; the last one is the end.
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

    /// Whether evaluations differ from the default of one per epoch.
    pub fn says_when(&self) -> bool {
        !self.evaluate.is_default() || matches!(self.length, Length::Steps(_))
    }
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
            decay_on: TrainConfig::default_decay_on(),
            max_norm: None,
            fault: None,
            loss_scale: 1.0,
            only: None,
        }
    }

    #[test]
    fn evaluations_include_the_end() {
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
    fn epochs_are_converted_to_steps() {
        assert_eq!(Length::Epochs(3).steps(7), 21);
        assert_eq!(Length::Steps(3).steps(7), 3);
        assert_eq!(Length::Epochs(3).in_steps(2, 7), 14);
    }
}
