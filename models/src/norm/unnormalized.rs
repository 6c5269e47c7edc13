//! The kind `affine`: a learned scale and center without normalization.

use super::affine::{Affine, AffineConfig};
use super::interface::{BuildNorm, NormLayer, NormSettings};
use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::Pass;
use burn::tensor::Tensor;

impl NormSettings for AffineConfig {
    fn affine(&self) -> AffineConfig {
        self.clone()
    }

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }
}

impl BuildNorm for AffineConfig {
    type Layer = Affine;

    fn build(&self, _: usize, affine: Affine, _: &Start) -> Result<Affine, ConfigError> {
        Ok(affine)
    }
}

impl NormLayer for Affine {
    fn normalize(&self, x: Tensor<3>, _: usize, _: &Pass) -> Tensor<3> {
        self.forward(x)
    }

    fn affine(&self) -> &Affine {
        self
    }

    fn affine_mut(&mut self) -> &mut Affine {
        self
    }
}
