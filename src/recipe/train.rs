//! How an arm is trained: optimizer, schedule, weight decay.

use super::{Optimizer, PlantedFault, Schedule};
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
    #[serde(default = "TrainConfig::default_decay_on")]
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
    #[serde(
        default = "TrainConfig::default_loss_scale",
        skip_serializing_if = "is_one"
    )]
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

fn is_one(scale: &f64) -> bool {
    *scale == TrainConfig::default_loss_scale()
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

impl TrainConfig {
    /// Default of `decay_on`: weights only.
    pub fn default_decay_on() -> Vec<ParameterGroup> {
        vec![ParameterGroup::Weight]
    }

    /// Default of `loss_scale`.
    pub const fn default_loss_scale() -> f64 {
        1.0
    }

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
