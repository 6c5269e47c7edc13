//! Convolutional networks, with or without residual connections.

use crate::block::{BlockConfig, ConvBlock, DenseBlock};
use crate::dropout::Dropout;
use crate::error::ConfigError;
use crate::init::Start;
use crate::linear::Linear;
use crate::mlp::head;
use crate::pass::Pass;
use ablate_kernels::{Geometry, Padding};
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Configuration of a convolutional network: convolution stages, dense blocks and a linear head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// Channels of each stage, in order from the input.
    pub channels: Vec<usize>,
    /// Convolutions in each stage. Default: 1.
    #[serde(default = "one")]
    pub convs: usize,
    /// Width and height of every kernel. Default: 3.
    #[serde(default = "three")]
    pub kernel: usize,
    /// Padding of the images. Default: zeros, so that stride 1 keeps the size.
    #[serde(default)]
    pub padding: Padding,
    /// Padding in the first stage, if it differs. Default: `padding`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_padding: Option<Padding>,
    /// How each stage halves the image. Default: 2x2 max pooling.
    #[serde(default)]
    pub pool: Pool,
    /// Add the output of the first block of each stage to that of its last block (He et al. 2016).
    /// Needs at least two convolutions per stage. Default: off.
    #[serde(default)]
    pub residual: bool,
    /// Units of each dense block between the last stage and the head. Default: no dense blocks.
    #[serde(default)]
    pub dense: Vec<usize>,
    /// Configuration of the convolution and dense blocks.
    #[serde(default)]
    pub block: BlockConfig,
}

/// How a stage halves the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// 2x2 max pooling with stride 2 at the end of the stage.
    #[default]
    Max,
    /// 2x2 average pooling with stride 2 at the end of the stage.
    Average,
    /// Stride 2 in the first convolution of the stage (Springenberg et al. 2015, section 2).
    Stride,
    /// The stage keeps the size.
    None,
}

const fn one() -> usize {
    1
}

const fn three() -> usize {
    3
}

impl CnnConfig {
    /// A net with one 3x3 convolution and 2x2 max pooling per stage, with the given channels, no
    /// dense blocks and default blocks.
    pub fn new(channels: impl Into<Vec<usize>>) -> Self {
        Self {
            channels: channels.into(),
            convs: one(),
            kernel: three(),
            padding: Padding::default(),
            first_padding: None,
            pool: Pool::default(),
            residual: false,
            dense: Vec::new(),
            block: BlockConfig::default(),
        }
    }

    /// Checks what does not depend on the data.
    ///
    /// # Errors
    /// If there is no stage, a stage or layer is empty, the kernel is 0, the block is invalid, or a
    /// residual connection has fewer than two convolutions or images of different sizes.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.channels.is_empty() || self.channels.contains(&0) {
            return Err(ConfigError::new(
                "channels",
                "must name at least one stage, each with at least 1 channel",
            ));
        }
        if self.dense.contains(&0) {
            return Err(ConfigError::new("dense", "has a layer of 0 units"));
        }
        if self.convs == 0 {
            return Err(ConfigError::new("convs", "must be at least 1"));
        }
        if self.kernel == 0 {
            return Err(ConfigError::new("kernel", "must be at least 1"));
        }
        if self.residual && self.convs < 2 {
            return Err(ConfigError::new("residual", "needs `convs` of at least 2"));
        }
        let paddings = [Some(self.padding), self.first_padding];
        if self.residual && paddings.contains(&Some(Padding::Valid)) && self.kernel > 1 {
            let message = "needs images of equal size; use `padding = \"same\"`";
            return Err(ConfigError::new("residual", message));
        }
        self.block.check().map_err(|e| e.under("block"))
    }

    /// Kernel size, stride and padding of convolution `i` of `stage`, both counted from 0.
    pub fn geometry(&self, stage: usize, i: usize) -> Geometry {
        Geometry {
            kernel: self.kernel,
            stride: if i == 0 && self.pool == Pool::Stride {
                2
            } else {
                1
            },
            padding: match self.first_padding {
                Some(padding) if stage == 0 => padding,
                _ => self.padding,
            },
        }
    }

    /// Sizes (height, width, channels) inside each stage, for images of size `input`: after each
    /// convolution and, last, after pooling.
    ///
    /// # Errors
    /// If the image is too small for the number of stages.
    pub fn sizes(&self, input: [usize; 3]) -> Result<Vec<Vec<[usize; 3]>>, ConfigError> {
        let [mut h, mut w, _] = input;
        let mut stages = Vec::with_capacity(self.channels.len());
        for (stage, &channels) in self.channels.iter().enumerate() {
            let mut sizes = Vec::with_capacity(self.convs + 1);
            for i in 0..self.convs {
                let geometry = self.geometry(stage, i);
                (h, w) = (geometry.output(h), geometry.output(w));
                sizes.push([h, w, channels]);
            }
            if matches!(self.pool, Pool::Max | Pool::Average) {
                (h, w) = (h / 2, w / 2);
            }
            if h == 0 || w == 0 {
                let [h, w, _] = input;
                let message = format!("has too many stages for an image of {h}x{w}; use fewer");
                return Err(ConfigError::new("channels", message));
            }
            sizes.push([h, w, channels]);
            stages.push(sizes);
        }
        Ok(stages)
    }

    /// Builds the model for images of size `input` (height, width, channels), with one replica per
    /// seed.
    ///
    /// # Errors
    /// If the configuration is invalid, or does not fit the images.
    pub fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<Cnn, ConfigError> {
        self.check()?;
        let sizes = self.sizes(input)?;
        let mut channels = input[2];
        let mut stages = Vec::with_capacity(self.channels.len());
        for (s, &outputs) in self.channels.iter().enumerate() {
            let mut blocks = Vec::with_capacity(self.convs);
            for b in 0..self.convs {
                let path = format!("stages.{s}.blocks.{b}");
                let shape = [channels, outputs];
                let geometry = self.geometry(s, b);
                blocks.push(self.block.conv(&path, shape, geometry, start)?);
                channels = outputs;
            }
            stages.push(Stage {
                blocks,
                pool: self.pool,
                residual: self.residual,
            });
        }
        let last = sizes.last().and_then(|stage| stage.last());
        let mut width = last.map_or(0, |size| size.iter().product());
        let mut dense = Vec::with_capacity(self.dense.len());
        for (i, &units) in self.dense.iter().enumerate() {
            dense.push(
                self.block
                    .dense(&format!("dense.{i}"), width, units, start)?,
            );
            width = units;
        }
        Ok(Cnn {
            input_dropout: Dropout::of_kind(
                self.block.dropout.kind,
                self.block.dropout.input_rate,
                false,
                "input_dropout",
                start,
            ),
            stages,
            dense,
            head: head(width, classes, self.block.init.weight, start),
            input,
        })
    }
}

/// A convolutional network; see [`CnnConfig`].
#[derive(Module, Debug)]
pub struct Cnn {
    /// Dropout on the input, if any.
    pub input_dropout: Option<Dropout>,
    /// The convolution stages.
    pub stages: Vec<Stage>,
    /// The dense blocks.
    pub dense: Vec<DenseBlock>,
    /// The linear head.
    pub head: Linear,
    /// Height, width and channels of the images.
    #[module(skip)]
    pub input: [usize; 3],
}

/// Convolution blocks with the same number of channels, and pooling.
#[derive(Module, Debug)]
pub struct Stage {
    /// The convolution blocks.
    pub blocks: Vec<ConvBlock>,
    /// How the stage halves the image.
    #[module(skip)]
    pub pool: Pool,
    /// Whether the output of the first block is added to that of the last.
    pub residual: bool,
}

impl Stage {
    fn forward(&self, mut x: Tensor<5>, pass: &Pass) -> Tensor<5> {
        let mut first = None;
        let last = self.blocks.len() - 1;
        for (i, block) in self.blocks.iter().enumerate() {
            if i == last && self.pool == Pool::Max && !self.residual {
                return block.forward_pooled(x, pass);
            }
            x = block.forward(x, pass);
            if self.residual && first.is_none() {
                first = Some(x.clone());
            }
        }
        if let Some(first) = first {
            x = x + first;
        }
        match self.pool {
            Pool::Max => ablate_kernels::max_pool2d(x),
            Pool::Average => ablate_kernels::avg_pool2d(x),
            Pool::Stride | Pool::None => x,
        }
    }
}

impl Cnn {
    /// The output of the last stage, flattened: the input of the first dense block.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: `[replicas, batch, features]`, channels fastest
    pub fn features(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        self.stages(x, pass).flatten(2, 4)
    }

    /// The output of the last stage, `[replicas, batch, height, width, channels]`.
    fn stages(&self, mut x: Tensor<3>, pass: &Pass) -> Tensor<5> {
        if let Some(dropout) = &self.input_dropout {
            x = dropout.forward(x, 1, pass);
        }
        let [r, n, _] = x.dims();
        let [h, w, c] = self.input;
        let mut images: Tensor<5> = x.reshape([r, n, h, w, c]);
        for stage in &self.stages {
            images = stage.forward(images, pass);
        }
        images
    }

    /// The logits.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: `[replicas, batch, classes]`
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        let images = self.stages(x, pass);
        let Some((first, others)) = self.dense.split_first() else {
            return self.head.forward(images);
        };
        let mut x = first.forward(images, pass);
        for block in others {
            x = block.forward(x, pass);
        }
        self.head.forward(x)
    }
}
