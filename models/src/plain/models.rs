//! The models of the zoo for one net.

use super::{built, pass, setters, start};
use crate::block::BlockConfig;
use crate::cnn::{self, Pool};
use crate::error::ConfigError;
use crate::mlp;
use crate::pass::Pass;
use crate::resnet;
use ablate_kernels::Padding;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// A multilayer perceptron for `inputs` features.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpConfig {
    /// Number of input features.
    pub inputs: usize,
    /// Number of classes.
    pub classes: usize,
    /// The layers.
    pub net: mlp::MlpConfig,
    /// Seed of start values and masks. Default: another one for every module.
    pub seed: Option<u64>,
}

impl MlpConfig {
    /// A net with hidden layers of the given widths, with ReLU.
    pub fn new(inputs: usize, hidden: impl Into<Vec<usize>>, classes: usize) -> Self {
        Self {
            inputs,
            classes,
            net: mlp::MlpConfig {
                hidden: hidden.into(),
                block: BlockConfig::default(),
                last_block: None,
            },
            seed: None,
        }
    }

    setters! {
        /// Settings of the hidden blocks.
        with_block(net.block: BlockConfig);
        /// Seed of start values and masks. Default: another one for every module.
        with_seed(seed: Option<u64>);
    }

    /// Builds the model.
    ///
    /// # Panics
    /// If a setting is out of its range.
    pub fn init(&self, device: &Device) -> Mlp {
        built(self.build(device))
    }

    fn build(&self, device: &Device) -> Result<Mlp, ConfigError> {
        let start = start(self.seed, device);
        let net = self.net.init(self.inputs, self.classes, &start)?;
        Ok(Mlp { net })
    }
}

/// A multilayer perceptron; see [`MlpConfig`].
#[derive(Module, Debug)]
pub struct Mlp {
    net: mlp::Mlp,
}

impl Mlp {
    /// The logits; trains on a device that records gradients.
    ///
    /// # Shapes
    /// - `x`: `[batch, inputs]`
    /// - output: `[batch, classes]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let pass = pass(&x);
        self.forward_with(x, &pass)
    }

    /// [`Self::forward`] in the mode of `pass`.
    pub fn forward_with(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        self.net.forward(x.unsqueeze(), pass).squeeze_dim(0)
    }

    /// Uses a model of a stack with one replica.
    pub const fn from_stacked(net: mlp::Mlp) -> Self {
        Self { net }
    }

    /// The model as a stack of one replica.
    pub const fn stacked(&self) -> &mlp::Mlp {
        &self.net
    }
}

/// A convolutional network for images of `input`.
#[derive(Clone, Debug, PartialEq)]
pub struct CnnConfig {
    /// Channels, height and width of the images.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// The layers.
    pub net: cnn::CnnConfig,
    /// Seed of start values and masks. Default: another one for every module.
    pub seed: Option<u64>,
}

impl CnnConfig {
    /// A net with one 3x3 convolution and 2x2 max pooling per stage, with the given channels, and ReLU.
    pub fn new(input: [usize; 3], channels: impl Into<Vec<usize>>, classes: usize) -> Self {
        Self {
            input,
            classes,
            net: cnn::CnnConfig::new(channels),
            seed: None,
        }
    }

    setters! {
        /// Convolutions per stage. Default: 1.
        with_convs(net.convs: usize);
        /// Width and height of every kernel. Default: 3.
        with_kernel(net.kernel: usize);
        /// Padding of the images. Default: zeros, so that stride 1 keeps the size.
        with_padding(net.padding: Padding);
        /// Padding in the first stage, if it differs. Default: as in the others.
        with_first_padding(net.first_padding: Option<Padding>);
        /// How each stage halves the image. Default: 2x2 max pooling.
        with_pool(net.pool: Pool);
        /// Adds the output of the first block of each stage to that of its last. Default: off.
        with_residual(net.residual: bool);
        /// Units of each dense block before the head. Default: none.
        with_dense(net.dense: Vec<usize>);
        /// Settings of the convolution and dense blocks.
        with_block(net.block: BlockConfig);
        /// Seed of start values and masks. Default: another one for every module.
        with_seed(seed: Option<u64>);
    }

    /// Builds the model.
    ///
    /// # Panics
    /// If a setting is out of its range, or the images are too small for the number of stages.
    pub fn init(&self, device: &Device) -> Cnn {
        built(self.build(device))
    }

    fn build(&self, device: &Device) -> Result<Cnn, ConfigError> {
        let [c, h, w] = self.input;
        let start = start(self.seed, device);
        let net = self.net.init([h, w, c], self.classes, &start)?;
        Ok(Cnn { net })
    }
}

/// A convolutional network; see [`CnnConfig`].
#[derive(Module, Debug)]
pub struct Cnn {
    net: cnn::Cnn,
}

impl Cnn {
    /// The logits; trains on a device that records gradients.
    ///
    /// # Shapes
    /// - `x`: `[batch, channels, height, width]`
    /// - output: `[batch, classes]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let pass = pass(&x);
        self.forward_with(x, &pass)
    }

    /// [`Self::forward`] in the mode of `pass`.
    pub fn forward_with(&self, x: Tensor<4>, pass: &Pass) -> Tensor<2> {
        self.net.forward(pixels(x), pass).squeeze_dim(0)
    }

    /// Uses a model of a stack with one replica.
    pub const fn from_stacked(net: cnn::Cnn) -> Self {
        Self { net }
    }

    /// The model as a stack of one replica.
    pub const fn stacked(&self) -> &cnn::Cnn {
        &self.net
    }
}

/// A residual network for images of `input`; see [`resnet::ResnetConfig`].
#[derive(Clone, Debug, PartialEq)]
pub struct ResnetConfig {
    /// Channels, height and width of the images.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// The layers.
    pub net: resnet::ResnetConfig,
    /// Seed of start values and masks. Default: another one for every module.
    pub seed: Option<u64>,
}

impl ResnetConfig {
    /// A net with one unit of two 3x3 convolutions per stage, with the given channels, and ReLU without
    /// norms.
    pub fn new(input: [usize; 3], channels: impl Into<Vec<usize>>, classes: usize) -> Self {
        Self {
            input,
            classes,
            net: resnet::ResnetConfig::new(channels),
            seed: None,
        }
    }

    setters! {
        /// Residual units per stage. Default: 1.
        with_units(net.units: usize);
        /// Width and height of every kernel, except those of the 1x1 convolutions. Default: 3.
        with_kernel(net.kernel: usize);
        /// Norm, activation, bias, dropout and start values.
        with_block(net.block: BlockConfig);
        /// Seed of start values and masks. Default: another one for every module.
        with_seed(seed: Option<u64>);
    }

    /// Builds the model.
    ///
    /// # Panics
    /// If a setting is out of its range.
    pub fn init(&self, device: &Device) -> Resnet {
        built(self.build(device))
    }

    fn build(&self, device: &Device) -> Result<Resnet, ConfigError> {
        let [c, h, w] = self.input;
        let start = start(self.seed, device);
        let net = self.net.init([h, w, c], self.classes, &start)?;
        Ok(Resnet { net })
    }
}

/// A residual network; see [`ResnetConfig`].
#[derive(Module, Debug)]
pub struct Resnet {
    net: resnet::Resnet,
}

impl Resnet {
    /// The logits; trains on a device that records gradients.
    ///
    /// # Shapes
    /// - `x`: `[batch, channels, height, width]`
    /// - output: `[batch, classes]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let pass = pass(&x);
        self.forward_with(x, &pass)
    }

    /// [`Self::forward`] in the mode of `pass`.
    pub fn forward_with(&self, x: Tensor<4>, pass: &Pass) -> Tensor<2> {
        self.net.forward(pixels(x), pass).squeeze_dim(0)
    }

    /// Uses a model of a stack with one replica.
    pub const fn from_stacked(net: resnet::Resnet) -> Self {
        Self { net }
    }

    /// The model as a stack of one replica.
    pub const fn stacked(&self) -> &resnet::Resnet {
        &self.net
    }
}

/// Images `[batch, channels, height, width]` as a stack of one replica has them, `[1, batch, height * width *
/// channels]`.
fn pixels(x: Tensor<4>) -> Tensor<3> {
    let [n, c, h, w] = x.dims();
    x.permute([0, 2, 3, 1]).reshape([1, n, h * w * c])
}
