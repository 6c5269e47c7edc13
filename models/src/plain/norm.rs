//! Norms for one net.

use super::{built, pass, setters, start};
use crate::error::ConfigError;
use crate::norm::{self, Averaging, NormConfig, RunningVariance};
use crate::pass::Pass;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Batch normalization over `channels`, with every part on a switch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormConfig {
    /// Number of channels: the size of the second axis of the input.
    pub channels: usize,
    /// The settings.
    pub settings: norm::BatchNormConfig,
}

impl BatchNormConfig {
    /// Batch norm with scale and center, momentum 0.1 and epsilon 1e-5.
    pub fn new(channels: usize) -> Self {
        Self {
            channels,
            settings: norm::BatchNormConfig::default(),
        }
    }

    setters! {
        /// Learns a scale (gamma) per channel, or none. Default: on.
        with_scale(settings.scale: bool);
        /// Learns a center (beta) per channel, or none. Default: on.
        with_center(settings.center: bool);
        /// Weight of the new batch in the running averages, in `(0, 1]`. Default: 0.1.
        with_momentum(settings.momentum: f64);
        /// Added to the variance before the square root. Default: 1e-5.
        with_epsilon(settings.epsilon: f64);
        /// Corrects the running averages for their start value. Default: off.
        with_bias_correction(settings.bias_correction: bool);
        /// Which variance enters the running average. Default: biased, as in burn.
        with_running_variance(settings.running_variance: RunningVariance);
        /// How the weight of the new batch changes over the steps. Default: constant.
        with_averaging(settings.averaging: Averaging);
        /// Number of examples per ghost batch. Default: the whole batch.
        with_ghost(settings.ghost: Option<usize>);
    }

    /// Builds the norm.
    ///
    /// # Panics
    /// If a value is out of its range.
    pub fn init(&self, device: &Device) -> Norm {
        let settings = NormConfig::Batch(self.settings.clone());
        built(Norm::build(&settings, self.channels, device))
    }
}

impl From<burn::nn::BatchNormConfig> for BatchNormConfig {
    fn from(config: burn::nn::BatchNormConfig) -> Self {
        Self::new(config.num_features)
            .with_momentum(config.momentum)
            .with_epsilon(config.epsilon)
    }
}

/// Layer normalization over all features of an example.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormConfig {
    /// Number of channels: the size of the second axis of the input.
    pub channels: usize,
    /// The settings.
    pub settings: norm::LayerNormConfig,
}

impl LayerNormConfig {
    /// Layer norm with scale and center, and epsilon 1e-5.
    pub fn new(channels: usize) -> Self {
        Self {
            channels,
            settings: norm::LayerNormConfig::default(),
        }
    }

    setters! {
        /// Learns a scale per channel, or none. Default: on.
        with_scale(settings.scale: bool);
        /// Learns a center per channel, or none. Default: on.
        with_center(settings.center: bool);
        /// Added to the variance before the square root. Default: 1e-5.
        with_epsilon(settings.epsilon: f64);
    }

    /// Builds the norm.
    ///
    /// # Panics
    /// If a value is out of its range.
    pub fn init(&self, device: &Device) -> Norm {
        let settings = NormConfig::Layer(self.settings.clone());
        built(Norm::build(&settings, self.channels, device))
    }
}

impl From<burn::nn::LayerNormConfig> for LayerNormConfig {
    /// For inputs with two axes, whose last axis burn's layer norm normalizes.
    fn from(config: burn::nn::LayerNormConfig) -> Self {
        Self::new(config.d_model)
            .with_epsilon(config.epsilon)
            .with_center(config.bias)
    }
}

/// Group normalization: over groups of channels of an example.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupNormConfig {
    /// Number of channels: the size of the second axis of the input.
    pub channels: usize,
    /// The settings.
    pub settings: norm::GroupNormConfig,
}

impl GroupNormConfig {
    /// Group norm with scale and center, and epsilon 1e-5. `groups` must divide `channels`.
    pub fn new(groups: usize, channels: usize) -> Self {
        Self {
            channels,
            settings: norm::GroupNormConfig {
                groups,
                ..norm::GroupNormConfig::default()
            },
        }
    }

    setters! {
        /// Learns a scale per channel, or none. Default: on.
        with_scale(settings.scale: bool);
        /// Learns a center per channel, or none. Default: on.
        with_center(settings.center: bool);
        /// Added to the variance before the square root. Default: 1e-5.
        with_epsilon(settings.epsilon: f64);
    }

    /// Builds the norm.
    ///
    /// # Panics
    /// If a value is out of its range, or the groups do not divide the channels.
    pub fn init(&self, device: &Device) -> Norm {
        let settings = NormConfig::Group(self.settings.clone());
        built(Norm::build(&settings, self.channels, device))
    }
}

impl From<burn::nn::GroupNormConfig> for GroupNormConfig {
    fn from(config: burn::nn::GroupNormConfig) -> Self {
        Self::new(config.num_groups, config.num_channels)
            .with_epsilon(config.epsilon)
            .with_scale(config.affine)
            .with_center(config.affine)
    }
}

/// A normalization layer of any kind.
#[derive(Module, Debug)]
pub struct Norm {
    layer: norm::Norm,
}

impl Norm {
    fn build(config: &NormConfig, channels: usize, device: &Device) -> Result<Self, ConfigError> {
        config.check()?;
        let layer = config.init(channels, 0.0, &start(Some(0), device))?;
        Ok(Self {
            layer: layer.expect("the kind is not `none`"),
        })
    }

    /// Normalizes; trains on a device that records gradients.
    ///
    /// # Shapes
    /// - `x`: `[batch, channels, ..]`, with any number of further axes
    /// - output: as `x`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let pass = pass(&x);
        self.forward_with(x, &pass)
    }

    /// [`Self::forward`] in the mode of `pass`.
    pub fn forward_with<const D: usize>(&self, x: Tensor<D>, pass: &Pass) -> Tensor<D> {
        on_rows(x, |rows, positions| {
            self.layer.forward(rows, positions, pass)
        })
    }

    /// Uses a norm of a stack with one replica.
    pub const fn from_stacked(layer: norm::Norm) -> Self {
        Self { layer }
    }

    /// The norm as a stack of one replica.
    pub const fn stacked(&self) -> &norm::Norm {
        &self.layer
    }
}

/// Applies `f` to `x`, `[batch, channels, ..]`, as rows of channels `[1, batch * positions, channels]`;
/// its second argument is the number of positions.
pub(super) fn on_rows<const D: usize>(
    x: Tensor<D>,
    f: impl FnOnce(Tensor<3>, usize) -> Tensor<3>,
) -> Tensor<D> {
    let shape = x.dims();
    assert!(
        D >= 2,
        "an input of shape {shape:?} has no axis of channels"
    );
    let (n, channels) = (shape[0], shape[1]);
    let positions: usize = shape[2..].iter().product();
    let rows: Tensor<3> = x.reshape([n, channels, positions]).swap_dims(1, 2);
    let rows = f(rows.reshape([1, n * positions, channels]), positions);
    let images: Tensor<3> = rows.reshape([n, positions, channels]).swap_dims(1, 2);
    images.reshape(shape)
}
