//! Convolutional networks: plain stacks and stages with residual connections.

use crate::block::BlockConfig;
use crate::block::{ConvBlock, DenseBlock};
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

/// Convolution stages, dense blocks, and a linear head with a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// Channels of each stage, from the input on.
    pub channels: Vec<usize>,
    /// Convolutions in each stage. Default: 1.
    #[serde(default = "one")]
    pub convs: usize,
    /// Width and height of every kernel. Default: 3.
    #[serde(default = "three")]
    pub kernel: usize,
    /// What lies around the images. Default: zeros, so that stride 1 keeps the size.
    #[serde(default)]
    pub padding: Padding,
    /// How each stage halves the image. Default: by 2x2 max pooling.
    #[serde(default)]
    pub pool: Pool,
    /// Add each stage's first block's output to its last (He et al. 2016); needs at least two
    /// convolutions a stage. Default: off.
    #[serde(default)]
    pub residual: bool,
    /// Units of the dense blocks between the last stage and the head. Default: none.
    #[serde(default)]
    pub dense: Vec<usize>,
    /// What surrounds the weights of each convolution and dense layer.
    #[serde(default)]
    pub block: BlockConfig,
}

/// How a stage halves the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// 2x2 max pooling with stride 2 at its end.
    #[default]
    Max,
    /// 2x2 average pooling with stride 2 at its end.
    Average,
    /// Stride 2 in its first convolution (Springenberg et al. 2015, section 2).
    Stride,
    /// Not at all.
    None,
}

const fn one() -> usize {
    1
}

const fn three() -> usize {
    3
}

impl CnnConfig {
    /// # Errors
    /// If a stage or layer is empty, the kernel is 0, or the block cannot be built.
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
        if self.residual && self.padding == Padding::Valid && self.kernel > 1 {
            let message = "adds images of equal size; use `padding = \"same\"`";
            return Err(ConfigError::new("residual", message));
        }
        self.block.check().map_err(|e| e.under("block"))
    }
}

impl CnnConfig {
    /// How convolution `i` of a stage moves.
    pub fn geometry(&self, i: usize) -> Geometry {
        Geometry {
            kernel: self.kernel,
            stride: if i == 0 && self.pool == Pool::Stride {
                2
            } else {
                1
            },
            padding: self.padding,
        }
    }

    /// Height, width and channels after each convolution, and at last after pooling, of each stage,
    /// for images of `input` (height, width, channels).
    ///
    /// # Errors
    /// If nothing is left of the image.
    pub fn sizes(&self, input: [usize; 3]) -> Result<Vec<Vec<[usize; 3]>>, ConfigError> {
        let [mut h, mut w, _] = input;
        let mut stages = Vec::with_capacity(self.channels.len());
        for &channels in &self.channels {
            let mut sizes = Vec::with_capacity(self.convs + 1);
            for i in 0..self.convs {
                let geometry = self.geometry(i);
                (h, w) = (geometry.output(h), geometry.output(w));
                sizes.push([h, w, channels]);
            }
            if matches!(self.pool, Pool::Max | Pool::Average) {
                (h, w) = (h / 2, w / 2);
            }
            if h == 0 || w == 0 {
                let [h, w, _] = input;
                let message = format!("leave nothing of an image of {h}x{w}; use fewer stages");
                return Err(ConfigError::new("channels", message));
            }
            sizes.push([h, w, channels]);
            stages.push(sizes);
        }
        Ok(stages)
    }

    /// Builds the model for images of `input` (height, width, channels) and `classes` classes,
    /// one replica a seed.
    ///
    /// # Errors
    /// If the configuration cannot be built, or not for such images.
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
                let geometry = self.geometry(b);
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
            input_dropout: Dropout::new(
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

/// Convolution blocks of equal channels and what ends them.
#[derive(Module, Debug)]
pub struct Stage {
    /// The convolutions.
    pub blocks: Vec<ConvBlock>,
    /// How the stage halves the image.
    #[module(skip)]
    pub pool: Pool,
    /// Whether the first block's output is added to the last's.
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
    /// What enters the dense blocks.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: the same of the last stage
    pub fn features(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        self.images(x, pass).flatten(2, 4)
    }

    /// What leaves the last stage, `[replicas, batch, height, width, channels]`.
    fn images(&self, mut x: Tensor<3>, pass: &Pass) -> Tensor<5> {
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

    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: logits, `[replicas, batch, classes]`
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        let images = self.images(x, pass);
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
