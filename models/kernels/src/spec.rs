//! What a fused operation computes.

use crate::cpu::epilogue::EpilogueSpec;
use crate::geometry::Geometry;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use {crate::activation::Activation, crate::position::Position};

/// What a block does in one operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockSpec {
    /// How a convolution moves; `None` for a dense layer.
    pub(crate) geometry: Option<Geometry>,
    /// What follows the weights.
    pub(crate) epilogue: Option<EpilogueSpec>,
}

/// A batch norm and the activation beside it.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
#[derive(Clone, Debug)]
pub struct NormSpec {
    /// The activation.
    pub activation: Activation,
    /// On which side of it the norm stands.
    pub position: Position,
    /// Added to the variance under the root.
    pub epsilon: f64,
}
