//! Dropout for one net.

use super::norm::on_rows;
use super::{built, pass, setters, start};
use crate::dropout::{self, DropoutKind};
use crate::error::ConfigError;
use crate::pass::Pass;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Inverted dropout, or Gaussian noise of the same variance.
#[derive(Clone, Debug, PartialEq)]
pub struct DropoutConfig {
    /// Probability of dropping an element, in `[0, 1)`.
    pub rate: f64,
    /// Distribution of the noise. Default: Bernoulli, which is dropout.
    pub kind: DropoutKind,
    /// Drop whole feature maps. Default: off.
    pub spatial: bool,
    /// Seed of the masks. Default: another one for every layer.
    pub seed: Option<u64>,
}

impl DropoutConfig {
    /// Dropout of single elements with probability `rate`.
    pub const fn new(rate: f64) -> Self {
        Self {
            rate,
            kind: DropoutKind::Bernoulli,
            spatial: false,
            seed: None,
        }
    }

    setters! {
        /// Distribution of the noise. Default: Bernoulli.
        with_kind(kind: DropoutKind);
        /// Drops whole feature maps. Default: off.
        with_spatial(spatial: bool);
        /// Seed of the masks. Default: another one for every layer.
        with_seed(seed: Option<u64>);
    }

    /// Builds the layer. It has no parameters; masks are drawn where the input is.
    ///
    /// # Panics
    /// If the rate is outside `[0, 1)` or rounds to 1 in multiples of `2^-16`.
    pub fn init(&self) -> Dropout {
        built(self.build())
    }

    fn build(&self) -> Result<Dropout, ConfigError> {
        let config = dropout::DropoutConfig {
            rate: self.rate,
            ..dropout::DropoutConfig::default()
        };
        config.check()?;
        // The device of a start is that of its parameters, and dropout has none.
        let start = start(self.seed, &Device::default());
        Ok(Dropout {
            layer: dropout::Dropout::of_kind(self.kind, self.rate, self.spatial, "dropout", &start),
        })
    }
}

impl From<burn::nn::DropoutConfig> for DropoutConfig {
    fn from(config: burn::nn::DropoutConfig) -> Self {
        Self::new(config.prob)
    }
}

/// Inverted dropout; see [`DropoutConfig`].
#[derive(Module, Debug)]
pub struct Dropout {
    /// `None` for rate 0.
    layer: Option<dropout::Dropout>,
}

impl Dropout {
    /// Applies a new mask on a device that records gradients; returns `x` on others.
    ///
    /// # Shapes
    /// - `x`: `[batch, channels, ..]`, with any number of further axes
    /// - output: as `x`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let pass = pass(&x);
        self.forward_with(x, &pass)
    }

    /// [`Self::forward`] in the mode of `pass`.
    pub fn forward_with<const D: usize>(&self, x: Tensor<D>, pass: &Pass) -> Tensor<D> {
        match &self.layer {
            Some(layer) => on_rows(x, |rows, positions| layer.forward(rows, positions, pass)),
            None => x,
        }
    }
}
