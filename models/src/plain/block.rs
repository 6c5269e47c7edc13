//! Blocks for one net: a linear layer or convolution with norm, activation and dropout.

use super::{built, pass, setters, start};
use crate::block::{self, Bias, BlockConfig};
use crate::error::ConfigError;
use crate::init::WeightInit;
use crate::norm::NormConfig;
use crate::pass::Pass;
use ablate_kernels::{Activation, Geometry, Padding, Position};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// A dense layer with norm, activation and dropout.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseBlockConfig {
    /// Number of input features.
    pub inputs: usize,
    /// Number of units.
    pub outputs: usize,
    /// Everything after the dense layer, its bias and its start values.
    pub block: BlockConfig,
    /// Seed of start values and masks. Default: another one for every module.
    pub seed: Option<u64>,
}

impl DenseBlockConfig {
    /// A dense layer and ReLU.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            block: BlockConfig::default(),
            seed: None,
        }
    }

    setters! {
        /// The activation. Default: ReLU.
        with_activation(block.activation: Activation);
        /// The norm. Default: none.
        with_norm(block.norm: NormConfig);
        /// Whether the norm comes before or after the activation. Default: before.
        with_position(block.position: Position);
        /// Whether the dense layer has a bias. Default: on, unless the norm makes it redundant.
        with_bias(block.bias: Bias);
        /// Probability of dropping a unit. Default: 0.
        with_dropout(block.dropout.rate: f64);
        /// Distribution of the initial weights. Default: He normal.
        with_weight_init(block.init.weight: WeightInit);
        /// All settings of the block at once.
        with_block(block: BlockConfig);
        /// Seed of start values and masks. Default: another one for every module.
        with_seed(seed: Option<u64>);
    }

    /// Builds the block.
    ///
    /// # Panics
    /// If a setting is out of its range.
    pub fn init(&self, device: &Device) -> DenseBlock {
        built(self.build(device))
    }

    fn build(&self, device: &Device) -> Result<DenseBlock, ConfigError> {
        self.block.check()?;
        let start = start(self.seed, device);
        let block = self
            .block
            .dense("block", self.inputs, self.outputs, &start)?;
        Ok(DenseBlock { block })
    }
}

/// A dense layer with norm, activation and dropout; see [`DenseBlockConfig`].
#[derive(Module, Debug)]
pub struct DenseBlock {
    block: block::DenseBlock,
}

impl DenseBlock {
    /// Applies the block; trains on a device that records gradients.
    ///
    /// # Shapes
    /// - `x`: `[batch, inputs]`
    /// - output: `[batch, outputs]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let pass = pass(&x);
        self.forward_with(x, &pass)
    }

    /// [`Self::forward`] in the mode of `pass`.
    pub fn forward_with(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let x: Tensor<3> = x.unsqueeze();
        self.block.forward(x, pass).squeeze_dim(0)
    }

    /// Uses a block of a stack with one replica.
    pub const fn from_stacked(block: block::DenseBlock) -> Self {
        Self { block }
    }

    /// The block as a stack of one replica.
    pub const fn stacked(&self) -> &block::DenseBlock {
        &self.block
    }
}

/// A 2-d convolution with norm, activation and dropout.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvBlockConfig {
    /// Channels of input and output.
    pub channels: [usize; 2],
    /// Kernel size, stride and padding.
    pub geometry: Geometry,
    /// Everything after the convolution, its bias and its start values. Its dropout rate is
    /// `block.dropout.conv_rate`.
    pub block: BlockConfig,
    /// Seed of start values and masks. Default: another one for every module.
    pub seed: Option<u64>,
}

impl ConvBlockConfig {
    /// A convolution from and to a number of channels with square kernels of `kernel` pixels, which
    /// keeps the size of the image, and ReLU.
    pub fn new(channels: [usize; 2], kernel: usize) -> Self {
        Self {
            channels,
            geometry: Geometry::same(kernel),
            block: BlockConfig::default(),
            seed: None,
        }
    }

    setters! {
        /// Pixels from one patch to the next. Default: 1.
        with_stride(geometry.stride: usize);
        /// Padding of the image. Default: zeros, so that stride 1 keeps the size.
        with_padding(geometry.padding: Padding);
        /// The activation. Default: ReLU.
        with_activation(block.activation: Activation);
        /// The norm. Default: none.
        with_norm(block.norm: NormConfig);
        /// Whether the norm comes before or after the activation. Default: before.
        with_position(block.position: Position);
        /// Whether the convolution has a bias. Default: on, unless the norm makes it redundant.
        with_bias(block.bias: Bias);
        /// Probability of dropping an element. Default: 0.
        with_dropout(block.dropout.conv_rate: f64);
        /// Drops whole feature maps. Default: off.
        with_spatial_dropout(block.dropout.spatial: bool);
        /// Distribution of the initial weights. Default: He normal.
        with_weight_init(block.init.weight: WeightInit);
        /// All settings of the block at once.
        with_block(block: BlockConfig);
        /// Seed of start values and masks. Default: another one for every module.
        with_seed(seed: Option<u64>);
    }

    /// Builds the block.
    ///
    /// # Panics
    /// If a setting is out of its range.
    pub fn init(&self, device: &Device) -> ConvBlock {
        built(self.build(device))
    }

    fn build(&self, device: &Device) -> Result<ConvBlock, ConfigError> {
        self.block.check()?;
        let start = start(self.seed, device);
        let block = (self.block).conv("block", self.channels, self.geometry, &start)?;
        Ok(ConvBlock { block })
    }
}

/// A 2-d convolution with norm, activation and dropout; see [`ConvBlockConfig`].
#[derive(Module, Debug)]
pub struct ConvBlock {
    block: block::ConvBlock,
}

impl ConvBlock {
    /// Applies the block; trains on a device that records gradients.
    ///
    /// # Shapes
    /// - `x`: `[batch, channels in, height, width]`
    /// - output: `[batch, channels out, height, width]`, with the height and width that
    ///   [`Geometry::output`] gives
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let pass = pass(&x);
        self.forward_with(x, &pass)
    }

    /// [`Self::forward`] in the mode of `pass`.
    pub fn forward_with(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4> {
        let x: Tensor<5> = x.permute([0, 2, 3, 1]).unsqueeze();
        let y: Tensor<4> = self.block.forward(x, pass).squeeze_dim(0);
        y.permute([0, 3, 1, 2])
    }

    /// Uses a block of a stack with one replica.
    pub const fn from_stacked(block: block::ConvBlock) -> Self {
        Self { block }
    }

    /// The block as a stack of one replica.
    pub const fn stacked(&self) -> &block::ConvBlock {
        &self.block
    }
}
