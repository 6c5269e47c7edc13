//! The interface of a model that is not of the zoo.

use super::cost::{Cost, counted};
use crate::cnn::Cnn;
use crate::error::ConfigError;
use crate::init::Start;
use crate::mlp::Mlp;
use crate::pass::Pass;
use crate::resnet::Resnet;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// A configuration from which classifiers can be built. Its keys are those of the `[model]` table
/// beside `kind`.
///
/// Its model is either stacked, with a leading axis of replicas in every parameter, or a
/// [`PerSeed`](super::PerSeed) of plain burn modules.
pub trait Architecture: Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The model.
    type Model: Classifier;

    /// Version of the code of the model. It is part of every cell's id, so raise it with every change
    /// that moves a number: recorded cells are then trained again.
    const VERSION: u32;

    /// Checks what does not depend on the data. It should bound sizes, because models are built to
    /// count their parameters.
    ///
    /// # Errors
    /// If no model can be built from the configuration.
    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Builds the model for images of size `input` (height, width, channels), with one replica per
    /// seed of `start`. Start values must depend on `start` only: draw them from its streams.
    ///
    /// # Errors
    /// If the configuration does not fit the images.
    fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<Self::Model, ConfigError>;

    /// Parameters and arithmetic of one replica, from which run times are predicted. By default the
    /// parameters of a model are counted, and each weight counts as one multiply-add per example.
    ///
    /// # Errors
    /// If the configuration does not fit the images.
    fn cost(&self, input: [usize; 3], classes: usize) -> Result<Cost, ConfigError> {
        let start = Start::new([0], &host().autodiff());
        let model = self.init(input, classes, &start)?;
        Ok(counted(&model, Self::Model::replica))
    }
}

/// A burn module that classifies the images of several replicas at once.
pub trait Classifier: Module + Sync + 'static {
    /// The logits.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: `[replicas, batch, classes]`
    fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3>;

    /// Group of the parameter at `path`, which decides whether it decays (`train.decay_on`) and trains
    /// (`train.only`). By default the last name says it; see [`ParameterGroup::of_name`].
    fn group(path: &[String]) -> Option<ParameterGroup> {
        ParameterGroup::of_name(path)
    }

    /// The replica to which the parameter at `path` belongs; `None`, the default, if its first axis is
    /// that of the replicas.
    fn replica(path: &[String]) -> Option<usize> {
        let _ = path;
        None
    }
}

/// A program may build a net of the zoo from a configuration of its own.
impl Classifier for Mlp {
    fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        Self::forward(self, x, pass)
    }
}

/// As for [`Mlp`].
impl Classifier for Cnn {
    fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        Self::forward(self, x, pass)
    }
}

/// As for [`Mlp`].
impl Classifier for Resnet {
    fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        Self::forward(self, x, pass)
    }
}

/// Role of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterGroup {
    /// Weights of linear maps and convolutions.
    Weight,
    /// Biases.
    Bias,
    /// Scales of norms.
    Scale,
    /// Centers of norms.
    Center,
}

impl ParameterGroup {
    /// Name in specs and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Scale => "scale",
            Self::Center => "center",
        }
    }

    /// The group that the last name of `path` stands for: `weight`, `bias`, `scale` or `gamma`, `center`
    /// or `beta`. Other parameters belong to no group: they train and never decay.
    pub fn of_name(path: &[String]) -> Option<Self> {
        match path.last()?.as_str() {
            "weight" => Some(Self::Weight),
            "bias" => Some(Self::Bias),
            "scale" | "gamma" => Some(Self::Scale),
            "center" | "beta" => Some(Self::Center),
            _ => None,
        }
    }
}

/// What an optimizer must know of a parameter, given its path inside the model.
#[derive(Clone, Copy, Debug)]
pub struct ParameterRules {
    /// Its group.
    pub group: fn(&[String]) -> Option<ParameterGroup>,
    /// Its replica; `None` if its first axis is that of the replicas.
    pub replica: fn(&[String]) -> Option<usize>,
}

impl ParameterRules {
    /// The rules of a stacked model whose parameters are grouped by their names.
    pub(super) const STACKED: Self = Self {
        group: ParameterGroup::of_name,
        replica: |_| None,
    };
}

/// A device of the CPU, to count parameters on.
fn host() -> burn::tensor::Device {
    #[cfg(feature = "flex")]
    let device = burn::tensor::Device::flex();
    #[cfg(all(feature = "ndarray", not(feature = "flex")))]
    let device = burn::tensor::Device::ndarray();
    #[cfg(not(any(feature = "ndarray", feature = "flex")))]
    let device = burn::tensor::Device::default();
    device
}
