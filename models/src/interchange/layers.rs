//! The layers of a model, as PyTorch names them.

use ablate_kernels::{Activation, Geometry};

/// A layer of a [`Network`](super::Network).
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name in PyTorch: its place in the `nn.Sequential`, such as `4`, or `5.0` in a residual part.
    pub name: String,
    /// What it computes.
    pub kind: LayerKind,
    /// Shape of its output for one image: `[height, width, channels]`, `[features]`, or
    /// `[features, 1]` after an unflatten.
    pub output: Vec<usize>,
}

/// What a layer computes.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerKind {
    /// From `[channels, height, width]` to features, or from `[channels, 1]` to channels.
    Flatten,
    /// From features to `[features, 1]`.
    Unflatten,
    /// A dense layer.
    Dense {
        /// Input features.
        inputs: usize,
        /// Output features.
        outputs: usize,
        /// Whether it has a bias.
        bias: bool,
        /// Height, width and channels of the images that were flattened into its input, if they were.
        flattened: Option<[usize; 3]>,
    },
    /// Zeros around an image, for kernels of even size.
    Pad {
        /// Zeros before the first pixel, in each direction.
        before: usize,
        /// Zeros after the last pixel, in each direction.
        after: usize,
    },
    /// A 2-d convolution.
    Convolution {
        /// Input channels.
        inputs: usize,
        /// Output channels.
        outputs: usize,
        /// Kernel size, stride and padding.
        geometry: Geometry,
        /// Whether it has a bias.
        bias: bool,
    },
    /// A norm over `channels` channels, or a scale and center without statistics.
    Norm {
        /// Which norm.
        norm: NormKind,
        /// Number of channels.
        channels: usize,
        /// Whether it learns a scale.
        scale: bool,
        /// Whether it learns a center.
        center: bool,
        /// Whether it acts on images.
        on_images: bool,
    },
    /// An activation.
    Activation(Activation),
    /// Dropout, off in evaluation.
    Dropout {
        /// Probability of dropping.
        rate: f64,
        /// Whether it drops whole feature maps.
        spatial: bool,
    },
    /// 2x2 max pooling with stride 2.
    MaxPool,
    /// 2x2 average pooling with stride 2.
    AveragePool,
    /// The mean over all positions of an image, per channel.
    Mean,
    /// Layers whose output is added to their input.
    Residual(Vec<Layer>),
    /// Layers whose output is added to that of the last one, a 1x1 convolution of the same input.
    Projected(Vec<Layer>),
}

/// A kind of norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormKind {
    /// Batch norm.
    Batch {
        /// Added to the variance.
        epsilon: f64,
        /// Weight of the new batch in the running averages.
        momentum: f64,
    },
    /// Group norm; layer norm has one group.
    Group {
        /// Number of groups.
        groups: usize,
        /// Added to the variance.
        epsilon: f64,
    },
    /// A scale and center without statistics.
    Affine,
}

impl Layer {
    /// Trained parameters; running averages do not count.
    pub fn parameters(&self) -> usize {
        match &self.kind {
            LayerKind::Dense { bias, outputs, .. }
            | LayerKind::Convolution { bias, outputs, .. } => {
                self.weights() + usize::from(*bias) * outputs
            }
            LayerKind::Norm {
                channels,
                scale,
                center,
                ..
            } => (usize::from(*scale) + usize::from(*center)) * channels,
            LayerKind::Residual(layers) | LayerKind::Projected(layers) => {
                layers.iter().map(Self::parameters).sum()
            }
            _ => 0,
        }
    }

    /// Multiply-adds of dense layers and convolutions for one image.
    pub fn multiply_adds(&self) -> usize {
        match &self.kind {
            LayerKind::Residual(layers) | LayerKind::Projected(layers) => {
                layers.iter().map(Self::multiply_adds).sum()
            }
            LayerKind::Convolution { .. } => {
                self.weights() * self.output[..2].iter().product::<usize>()
            }
            _ => self.weights(),
        }
    }

    fn weights(&self) -> usize {
        match &self.kind {
            LayerKind::Dense {
                inputs, outputs, ..
            } => inputs * outputs,
            LayerKind::Convolution {
                inputs,
                outputs,
                geometry,
                ..
            } => inputs * outputs * geometry.kernel.pow(2),
            _ => 0,
        }
    }

    /// The layer itself, or the layers of a residual part.
    pub fn flat(&self) -> impl Iterator<Item = &Self> {
        match &self.kind {
            LayerKind::Residual(layers) | LayerKind::Projected(layers) => layers.iter(),
            _ => std::slice::from_ref(self).iter(),
        }
    }
}
