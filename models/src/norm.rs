//! Normalization: batch norm with every part on a switch, and layer and group norm to compare with.

use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::{Mode, Pass};
use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Which normalization a block has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", from = "Wire")]
pub enum NormConfig {
    /// No normalization.
    #[default]
    None,
    /// Batch normalization (Ioffe and Szegedy 2015).
    Batch(BatchNormConfig),
    /// Layer normalization (Ba, Kiros and Hinton 2016): over the features of one example.
    Layer(LayerNormConfig),
    /// Group normalization (Wu and He 2018): over groups of channels of one example.
    Group(GroupNormConfig),
}

/// [`NormConfig`] as it is read: serde accepts any key beside the tag of a variant without braces.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Wire {
    None {},
    Batch(BatchNormConfig),
    Layer(LayerNormConfig),
    Group(GroupNormConfig),
}

impl From<Wire> for NormConfig {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::None {} => Self::None,
            Wire::Batch(c) => Self::Batch(c),
            Wire::Layer(c) => Self::Layer(c),
            Wire::Group(c) => Self::Group(c),
        }
    }
}

impl NormConfig {
    /// Whether the norm subtracts a mean and then adds a learned center, so that a bias directly
    /// before it can do nothing that the center does not.
    pub fn replaces_bias(&self) -> bool {
        matches!(self, Self::Batch(c) if c.center)
    }

    /// Whether there is a norm at all.
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// # Errors
    /// If a number is out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::None => Ok(()),
            Self::Batch(c) => c.check(),
            Self::Layer(c) => positive("norm.epsilon", c.epsilon),
            Self::Group(c) => {
                if c.groups == 0 {
                    return Err(ConfigError::new("norm.groups", "must be at least 1"));
                }
                positive("norm.epsilon", c.epsilon)
            }
        }
    }
}

/// Batch normalization over the batch (and, for images, the positions) of each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchNormConfig {
    /// Learn a scale (gamma); absent when off, not frozen at one. Default: on.
    pub scale: bool,
    /// Learn a center (beta); absent when off, not frozen at zero. Default: on.
    pub center: bool,
    /// Weight of the new batch in the running averages, in `(0, 1]`. Default: 0.1.
    pub momentum: f64,
    /// Added to the variance under the root. Default: 1e-5.
    pub epsilon: f64,
    /// Divide the running averages by the weight that data has in them, as Adam does with its
    /// moments, so that the start value has no weight. Default: off.
    pub bias_correction: bool,
    /// Average the unbiased variance (`n - 1`), as PyTorch does, or the biased one (`n`), as burn
    /// and the paper's training step do. Default: biased.
    pub running_variance: RunningVariance,
}

/// Which variance estimate enters the running average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunningVariance {
    /// Divided by `n`.
    #[default]
    Biased,
    /// Divided by `n - 1`.
    Unbiased,
}

impl Default for BatchNormConfig {
    fn default() -> Self {
        Self {
            scale: true,
            center: true,
            momentum: 0.1,
            epsilon: 1e-5,
            bias_correction: false,
            running_variance: RunningVariance::default(),
        }
    }
}

impl BatchNormConfig {
    /// # Errors
    /// If `momentum` is outside `(0, 1]` or `epsilon` is not positive and finite.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(self.momentum > 0.0 && self.momentum <= 1.0) {
            return Err(ConfigError::new(
                "norm.momentum",
                format!("must be above 0 and at most 1, not {}", self.momentum),
            ));
        }
        positive("norm.epsilon", self.epsilon)
    }
}

/// Layer normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerNormConfig {
    /// Learn a scale for each channel. Default: on.
    pub scale: bool,
    /// Learn a center for each channel. Default: on.
    pub center: bool,
    /// Added to the variance under the root. Default: 1e-5.
    pub epsilon: f64,
}

impl Default for LayerNormConfig {
    fn default() -> Self {
        Self {
            scale: true,
            center: true,
            epsilon: 1e-5,
        }
    }
}

/// Group normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupNormConfig {
    /// Number of groups; must divide the channels. Default: 8.
    pub groups: usize,
    /// Learn a scale for each channel. Default: on.
    pub scale: bool,
    /// Learn a center for each channel. Default: on.
    pub center: bool,
    /// Added to the variance under the root. Default: 1e-5.
    pub epsilon: f64,
}

impl Default for GroupNormConfig {
    fn default() -> Self {
        Self {
            groups: 8,
            scale: true,
            center: true,
            epsilon: 1e-5,
        }
    }
}

fn positive(key: &'static str, value: f64) -> Result<(), ConfigError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(ConfigError::new(
        key,
        format!("must be positive and finite, not {value}"),
    ))
}

/// The normalization of a block.
#[derive(Module, Debug)]
pub enum Norm {
    /// Over the batch.
    Batch(BatchNorm),
    /// Over groups of channels of one example; layer norm is one group.
    Group(GroupNorm),
}

impl NormConfig {
    /// Builds the norm over `channels`, or nothing.
    ///
    /// # Errors
    /// If the groups do not divide the channels.
    pub fn init(
        &self,
        channels: usize,
        center: f64,
        start: &Start,
    ) -> Result<Option<Norm>, ConfigError> {
        let learned = |scale: bool, with_center: bool| Affine {
            scale: scale.then(|| start.constant(1.0, channels)),
            center: with_center.then(|| start.constant(center, channels)),
        };
        Ok(match self {
            Self::None => None,
            Self::Batch(c) => Some(Norm::Batch(BatchNorm {
                affine: learned(c.scale, c.center),
                running: Running::new(c, channels, start),
                config: c.clone(),
            })),
            Self::Layer(c) => Some(Norm::Group(GroupNorm {
                affine: learned(c.scale, c.center),
                groups: 1,
                epsilon: c.epsilon,
            })),
            Self::Group(c) => {
                if !channels.is_multiple_of(c.groups) {
                    return Err(ConfigError::new(
                        "norm.groups",
                        format!("is {}, which does not divide {channels} channels", c.groups),
                    ));
                }
                Some(Norm::Group(GroupNorm {
                    affine: learned(c.scale, c.center),
                    groups: c.groups,
                    epsilon: c.epsilon,
                }))
            }
        })
    }
}

impl Norm {
    /// # Shapes
    /// - `x`: `[replicas, batch * positions, channels]`, positions fastest
    /// - output: as `x`
    pub fn forward(&self, x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        match self {
            Self::Batch(norm) => norm.forward(x, pass),
            Self::Group(norm) => norm.forward(x, positions),
        }
    }

    /// The learned scale and center.
    pub fn affine(&self) -> &Affine {
        match self {
            Self::Batch(norm) => &norm.affine,
            Self::Group(norm) => &norm.affine,
        }
    }
}

/// A learned scale and center for each channel; what is switched off is absent.
#[derive(Module, Debug)]
pub struct Affine {
    /// Scale (gamma), `[replicas, channels]`.
    pub scale: Option<Param<Tensor<2>>>,
    /// Center (beta), `[replicas, channels]`.
    pub center: Option<Param<Tensor<2>>>,
}

impl Affine {
    /// # Shapes
    /// `[replicas, rows, channels]` to the same.
    fn forward(&self, mut x: Tensor<3>) -> Tensor<3> {
        if let Some(scale) = &self.scale {
            x = x * scale.val().unsqueeze_dim(1);
        }
        if let Some(center) = &self.center {
            x = x + center.val().unsqueeze_dim(1);
        }
        x
    }
}

/// Batch normalization (Ioffe and Szegedy 2015, algorithm 1) for a stack of replicas.
///
/// Training normalizes with the mean and the biased variance of the batch; evaluation with running
/// averages of both (section 3.1).
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// The learned scale and center.
    pub affine: Affine,
    /// The running averages.
    pub running: Running,
    /// The configuration.
    #[module(skip)]
    pub config: BatchNormConfig,
}

impl BatchNorm {
    /// # Shapes
    /// `[replicas, rows, channels]` to the same; statistics are over the rows.
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match pass.mode() {
            Mode::Evaluate => {
                let (mean, variance) = self.running.estimates();
                self.normalize(x - mean.unsqueeze_dim(1), variance.unsqueeze_dim(1))
            }
            mode => {
                let rows = x.dims()[1];
                let mean = x.clone().mean_dim(1);
                let centered = x - mean.clone();
                let variance = centered.clone().square().mean_dim(1);
                if matches!(mode, Mode::Train { .. }) {
                    self.running
                        .update(&self.config, mean.clone(), variance.clone(), rows);
                }
                self.normalize(centered, variance)
            }
        }
    }

    fn normalize(&self, centered: Tensor<3>, variance: Tensor<3>) -> Tensor<3> {
        let inverse = (variance + self.config.epsilon).sqrt().recip();
        self.affine.forward(centered * inverse)
    }
}

/// Exponential running averages of a batch norm's statistics.
///
/// After `t` batches the start value has the weight `(1 - momentum)^t` in them; bias correction
/// divides by what remains, as Adam does (Kingma and Ba 2015, section 3).
#[derive(Module, Debug)]
pub struct Running {
    mean: RunningState<Tensor<2>>,
    variance: RunningState<Tensor<2>>,
    /// Weight that data has in the averages, `[replicas, 1]`; kept only for bias correction.
    weight: Option<RunningState<Tensor<2>>>,
}

impl Running {
    fn new(config: &BatchNormConfig, channels: usize, start: &Start) -> Self {
        // A corrected average starts from nothing; an uncorrected one from a standard normal.
        let variance = if config.bias_correction { 0.0 } else { 1.0 };
        Self {
            mean: RunningState::new(start.filled(0.0, channels)),
            variance: RunningState::new(start.filled(variance, channels)),
            weight: config
                .bias_correction
                .then(|| RunningState::new(start.filled(0.0, 1))),
        }
    }

    /// Estimates of the population's mean and variance, `[replicas, channels]` each. With bias
    /// correction and before any batch they are 0 and 1.
    pub fn estimates(&self) -> (Tensor<2>, Tensor<2>) {
        let (mean, variance) = (self.mean.value_sync(), self.variance.value_sync());
        let Some(weight) = &self.weight else {
            return (mean, variance);
        };
        let weight = weight.value_sync();
        let empty = weight.clone().equal_scalar(0.0);
        let share = weight.mask_fill(empty.clone(), 1.0);
        let start = share.zeros_like().mask_fill(empty, 1.0);
        (mean / share.clone(), variance / share + start)
    }

    /// Takes in the statistics of a batch of `rows` rows, `[replicas, 1, channels]` each.
    pub(crate) fn update(
        &self,
        config: &BatchNormConfig,
        mean: Tensor<3>,
        variance: Tensor<3>,
        rows: usize,
    ) {
        let m = config.momentum;
        let spread = match config.running_variance {
            RunningVariance::Biased => 1.0,
            // One row has no unbiased variance; it enters as it is.
            RunningVariance::Unbiased => rows as f64 / rows.saturating_sub(1).max(1) as f64,
        };
        let mix = |state: &RunningState<Tensor<2>>, new: Tensor<3>, factor: f64| {
            let [r, _, c] = new.dims();
            let new = new.detach().reshape([r, c]);
            let old = state.value_sync().detach();
            state.update(old * (1.0 - m) + new * (m * factor));
            // Without a look, burn keeps the update from visitors (and so from saved weights) and
            // from other threads.
            state.value_sync();
        };
        if let Some(weight) = &self.weight {
            let ones = Tensor::ones([mean.dims()[0], 1, 1], (&mean.device(), mean.dtype()));
            mix(weight, ones, 1.0);
        }
        mix(&self.mean, mean, 1.0);
        mix(&self.variance, variance, spread);
    }
}

/// Group normalization (Wu and He 2018, section 3.1); with one group, layer normalization.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// The learned scale and center.
    pub affine: Affine,
    /// Number of groups.
    pub groups: usize,
    /// Added to the variance under the root.
    pub epsilon: f64,
}

impl GroupNorm {
    /// # Shapes
    /// `[replicas, batch * positions, channels]` to the same; statistics are over the positions
    /// and a group's channels of one example.
    pub fn forward(&self, x: Tensor<3>, positions: usize) -> Tensor<3> {
        let [r, rows, c] = x.dims();
        let shape = [r, rows / positions, positions, self.groups, c / self.groups];
        let x: Tensor<5> = x.reshape(shape);
        let mean = x.clone().mean_dim(4).mean_dim(2);
        let centered = x - mean;
        let variance = centered.clone().square().mean_dim(4).mean_dim(2);
        let normal = centered * (variance + self.epsilon).sqrt().recip();
        self.affine.forward(normal.reshape([r, rows, c]))
    }
}
