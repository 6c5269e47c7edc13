//! What a kind of norm implements.

use super::affine::{Affine, AffineConfig};
use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::Pass;
use burn::tensor::Tensor;

/// The settings of one kind of norm.
pub(super) trait NormSettings {
    /// Which of scale and center the norm learns.
    fn affine(&self) -> AffineConfig;

    /// # Errors
    /// If a value is out of its range.
    fn check(&self) -> Result<(), ConfigError>;

    /// True if the norm subtracts the mean of each channel and then adds a learned center, so that a
    /// bias directly before it is redundant.
    fn replaces_bias(&self) -> bool {
        false
    }
}

/// Settings that build a layer.
pub(super) trait BuildNorm: NormSettings {
    /// The layer they build.
    type Layer: NormLayer;

    /// Builds the norm over `channels` with the scale and center in `affine`.
    ///
    /// # Errors
    /// If the settings do not fit the number of channels.
    fn build(
        &self,
        channels: usize,
        affine: Affine,
        start: &Start,
    ) -> Result<Self::Layer, ConfigError>;
}

/// A layer that normalizes.
pub(super) trait NormLayer {
    /// # Shapes
    /// - `x`: `[replicas, batch * positions, channels]`, positions fastest
    /// - output: as `x`
    fn normalize(&self, x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3>;

    /// The learned scale and center.
    fn affine(&self) -> &Affine;

    /// The learned scale and center, mutable.
    fn affine_mut(&mut self) -> &mut Affine;
}
