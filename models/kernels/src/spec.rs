//! Settings, parameters and results of fused blocks.

use crate::activation::Activation;
use crate::geometry::Geometry;
use crate::position::Position;
use ablate_streams::Stream;
use burn::tensor::Tensor;

/// Epilogue of a block: norm, activation, dropout and pooling.
#[derive(Clone, Debug)]
pub struct EpilogueSpec {
    /// The activation.
    pub activation: Activation,
    /// Epsilon of the batch norm; `None` for no norm.
    pub epsilon: Option<f64>,
    /// Whether the norm comes before or after the activation.
    pub position: Position,
    /// Dropout after norm and activation, if any.
    pub dropout: Option<Masks>,
    /// 2x2 max pooling with stride 2 as the last operation; only for convolutions without dropout.
    pub pool: bool,
}

impl EpilogueSpec {
    /// Whether the block has a norm, and it comes after the activation.
    pub(crate) fn norm_after_activation(&self) -> bool {
        self.epsilon.is_some() && self.position == Position::After
    }
}

/// Random streams and threshold of dropout masks.
#[derive(Clone, Debug)]
pub struct Masks {
    /// One stream per replica.
    pub streams: Vec<Stream>,
    /// The training step.
    pub step: u64,
    /// An element is dropped if its 16-bit random number is below this.
    pub threshold: u32,
    /// Rows that share a random number: 1, or all rows of an image for spatial dropout.
    pub shared_rows: usize,
}

impl Masks {
    /// The factor of a kept element, `1 / (1 - rate)`.
    pub(crate) fn factor(&self) -> f64 {
        1.0 / (1.0 - f64::from(self.threshold) / 65536.0)
    }
}

/// Operations of a fused block.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockSpec {
    /// Kernel size, stride and padding of a convolution; `None` for a dense layer.
    pub(crate) geometry: Option<Geometry>,
    /// Norm, activation, dropout and pooling; `None` for the linear map alone.
    pub(crate) epilogue: Option<EpilogueSpec>,
}

/// Parameters of a block other than its weights, `[replicas, outputs]` each.
#[derive(Clone, Debug, Default)]
pub struct BlockParameters {
    /// Added to the product.
    pub bias: Option<Tensor<2>>,
    /// The norm's learned scale; 1 if absent.
    pub scale: Option<Tensor<2>>,
    /// The norm's learned center; 0 if absent.
    pub center: Option<Tensor<2>>,
    /// Mean and biased variance to normalize with; those of the batch if absent.
    pub statistics: Option<[Tensor<2>; 2]>,
}

/// Output of a block with the statistics that its norm used.
#[derive(Debug)]
pub struct BlockOutput<const D: usize> {
    /// The output.
    pub y: Tensor<D>,
    /// The mean that the norm used, `[replicas, outputs]`; unspecified without a norm.
    pub mean: Tensor<2>,
    /// The biased variance that the norm used, `[replicas, outputs]`; unspecified without a norm.
    pub variance: Tensor<2>,
}
