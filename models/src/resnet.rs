//! Residual networks with the norm and activation before each convolution.

use crate::block::{BlockConfig, ConvBlock, Epilogue};
use crate::conv::{Conv2d, Conv2dConfig};
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

/// Configuration of a residual network (He et al. 2016, "Identity Mappings in Deep Residual Networks",
/// section 3.2 and appendix).
///
/// A first convolution block, residual units, one more norm and activation, the mean over the image, and
/// a linear head. A unit adds the output of two convolutions to its input. A norm and an activation come
/// before each convolution. Every stage but the first begins with a stride of 2 and a 1x1 convolution of
/// the normed input in place of the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResnetConfig {
    /// Channels of each stage, in order from the input.
    pub channels: Vec<usize>,
    /// Residual units in each stage. Default: 1.
    #[serde(default = "one")]
    pub units: usize,
    /// Width and height of every kernel, except those of the 1x1 convolutions. Default: 3.
    #[serde(default = "three")]
    pub kernel: usize,
    /// Norm, activation, bias, dropout and start values. Dropout, with `dropout.conv_rate`, is between the
    /// two convolutions of a unit (Zagoruyko and Komodakis 2016, section 2.4).
    #[serde(default)]
    pub block: BlockConfig,
}

const fn one() -> usize {
    1
}

const fn three() -> usize {
    3
}

/// Sizes of a residual unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitSizes {
    /// Channels of its input.
    pub inputs: usize,
    /// Channels of its output.
    pub outputs: usize,
    /// Stride of its first convolution.
    pub stride: usize,
    /// Height and width of its output.
    pub size: [usize; 2],
}

impl UnitSizes {
    /// Whether a 1x1 convolution replaces the input in the sum, because its shape differs from that of the
    /// output.
    pub const fn projects(&self) -> bool {
        self.stride != 1 || self.inputs != self.outputs
    }

    /// Kernel size, stride and padding of that convolution.
    pub const fn projection(&self) -> Geometry {
        Geometry {
            kernel: 1,
            stride: self.stride,
            padding: Padding::Same,
        }
    }
}

impl ResnetConfig {
    /// A net with one unit of 3x3 convolutions per stage, with the given channels and default blocks.
    pub fn new(channels: impl Into<Vec<usize>>) -> Self {
        Self {
            channels: channels.into(),
            units: one(),
            kernel: three(),
            block: BlockConfig::default(),
        }
    }

    /// Checks what does not depend on the data.
    ///
    /// # Errors
    /// If there is no stage, a stage is empty, the kernel is 0, the block is invalid, or the block has
    /// dropout for dense blocks, which this net does not have.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.channels.is_empty() || self.channels.contains(&0) {
            return Err(ConfigError::new(
                "channels",
                "must name at least one stage, each with at least 1 channel",
            ));
        }
        if self.units == 0 {
            return Err(ConfigError::new("units", "must be at least 1"));
        }
        if self.kernel == 0 {
            return Err(ConfigError::new("kernel", "must be at least 1"));
        }
        self.block.check().map_err(|e| e.under("block"))?;
        if self.block.dropout.rate > 0.0 {
            return Err(ConfigError::new(
                "block.dropout.rate",
                "is for dense blocks, which a residual net does not have; use `block.dropout.conv_rate`",
            ));
        }
        Ok(())
    }

    /// Kernel size and padding of a convolution of the given stride.
    pub const fn geometry(&self, stride: usize) -> Geometry {
        Geometry {
            stride,
            ..Geometry::same(self.kernel)
        }
    }

    /// The block without dropout: that of everything outside the first convolution of a unit.
    pub fn plain_block(&self) -> BlockConfig {
        let mut block = self.block.clone();
        block.dropout.conv_rate = 0.0;
        block
    }

    /// Sizes of the residual units, in order from the input, for images of height and width `size`.
    pub fn unit_sizes(&self, mut size: [usize; 2]) -> Vec<UnitSizes> {
        let mut inputs = self.channels.first().copied().unwrap_or(0);
        let mut units = Vec::with_capacity(self.channels.len() * self.units);
        for (stage, &outputs) in self.channels.iter().enumerate() {
            for unit in 0..self.units {
                let stride = if stage > 0 && unit == 0 { 2 } else { 1 };
                size = size.map(|n| self.geometry(stride).output(n));
                units.push(UnitSizes {
                    inputs,
                    outputs,
                    stride,
                    size,
                });
                inputs = outputs;
            }
        }
        units
    }

    /// Builds the model for images of size `input` (height, width, channels), with one replica per
    /// seed.
    ///
    /// # Errors
    /// If the configuration is invalid.
    pub fn init(
        &self,
        [h, w, c]: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<Resnet, ConfigError> {
        self.check()?;
        let plain = self.plain_block();
        let first = self.channels[0];
        let stem = plain.conv("stem", [c, first], self.geometry(1), start)?;
        let units = self.unit_sizes([h, w]).into_iter().enumerate();
        let units = units
            .map(|(i, sizes)| self.unit(i, sizes, start))
            .collect::<Result<Vec<_>, _>>()?;
        let width = self.channels[self.channels.len() - 1];
        Ok(Resnet {
            input_dropout: Dropout::of_kind(
                self.block.dropout.kind,
                self.block.dropout.input_rate,
                false,
                "input_dropout",
                start,
            ),
            stem,
            units,
            last: plain.alone("last", width, start)?,
            head: head(width, classes, self.block.init.weight, start),
            input: [h, w, c],
        })
    }

    fn unit(&self, index: usize, sizes: UnitSizes, start: &Start) -> Result<Unit, ConfigError> {
        let path = |part: &str| format!("units.{index}.{part}");
        let plain = self.plain_block();
        let UnitSizes {
            inputs, outputs, ..
        } = sizes;
        // The first unit follows the norm and activation of the stem.
        let ready = (index > 0).then(|| plain.alone(&path("ready"), inputs, start));
        let shape = [inputs, outputs];
        let inner = self.geometry(sizes.stride);
        let inner = (self.block).conv(&path("inner"), shape, inner, start)?;
        let outer = Conv2dConfig {
            inputs: outputs,
            outputs,
            geometry: self.geometry(1),
            bias: plain.has_bias(0.0).then_some(plain.init.bias),
            init: plain.init.weight,
        };
        let projection = sizes.projects().then(|| Conv2dConfig {
            inputs,
            outputs,
            geometry: sizes.projection(),
            // The bias of the other convolution is added to the same sum.
            bias: None,
            init: plain.init.weight,
        });
        Ok(Unit {
            ready: ready.transpose()?,
            inner,
            outer: outer.init(&path("outer"), start),
            projection: projection.map(|config| config.init(&path("projection"), start)),
        })
    }
}

/// A residual network; see [`ResnetConfig`].
#[derive(Module, Debug)]
pub struct Resnet {
    /// Dropout on the input, if any.
    pub input_dropout: Option<Dropout>,
    /// The first convolution, with norm and activation.
    pub stem: ConvBlock,
    /// The residual units.
    pub units: Vec<Unit>,
    /// Norm and activation of the last sum.
    pub last: Epilogue,
    /// The linear head.
    pub head: Linear,
    /// Height, width and channels of the images.
    #[module(skip)]
    pub input: [usize; 3],
}

/// A residual unit: its input, or a projection of it, plus the output of two convolutions.
#[derive(Module, Debug)]
pub struct Unit {
    /// Norm and activation of its input, except in the first unit.
    pub ready: Option<Epilogue>,
    /// The first convolution, with norm, activation and dropout.
    pub inner: ConvBlock,
    /// The second convolution.
    pub outer: Conv2d,
    /// The 1x1 convolution that replaces the input, if shapes differ.
    pub projection: Option<Conv2d>,
}

impl Unit {
    fn forward(&self, x: Tensor<5>, pass: &Pass) -> Tensor<5> {
        let ready = match &self.ready {
            Some(ready) => ready.forward_images(x.clone(), pass),
            None => x.clone(),
        };
        let shortcut = match &self.projection {
            Some(projection) => projection.forward(ready.clone()),
            None => x,
        };
        shortcut + self.outer.forward(self.inner.forward(ready, pass))
    }
}

impl Resnet {
    /// The means of the last feature maps: the input of the head.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: `[replicas, batch, channels]`
    pub fn features(&self, mut x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        if let Some(dropout) = &self.input_dropout {
            x = dropout.forward(x, 1, pass);
        }
        let [r, n, _] = x.dims();
        let [h, w, c] = self.input;
        let mut images = self.stem.forward(x.reshape([r, n, h, w, c]), pass);
        for unit in &self.units {
            images = unit.forward(images, pass);
        }
        images = self.last.forward_images(images, pass);
        let [_, _, h, w, c] = images.dims();
        let positions: Tensor<4> = images.reshape([r, n, h * w, c]);
        positions.mean_dim(2).squeeze_dim(2)
    }

    /// The logits.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: `[replicas, batch, classes]`
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        self.head.forward(self.features(x, pass))
    }
}
