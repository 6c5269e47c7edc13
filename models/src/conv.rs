//! Convolutions and pooling for a stack of replicas, channels last.

use crate::init::{Start, WeightInit};
use ablate_kernels::Geometry;
use burn::module::{Module, Param};
use burn::tensor::{Tensor, assert_shape};

/// A 2-d convolution.
///
/// Weights lie as a matrix, `kernel * kernel * inputs` by `outputs`, rows in the order (kernel row,
/// kernel column, input channel).
#[derive(Module, Debug)]
pub struct Conv2d {
    /// Weights, `[replicas, kernel * kernel * inputs, outputs]`.
    pub weight: Param<Tensor<3>>,
    /// Bias, `[replicas, outputs]`; absent where the layer has none.
    pub bias: Option<Param<Tensor<2>>>,
    /// Kernel size, stride and padding.
    #[module(skip)]
    pub geometry: Geometry,
}

/// Configuration of [`Conv2d`].
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2dConfig {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Kernel size, stride and padding.
    pub geometry: Geometry,
    /// Start value of the bias; `None` for no bias.
    pub bias: Option<f64>,
    /// Distribution of the start weights.
    pub init: WeightInit,
}

impl Conv2dConfig {
    /// Builds the layer at `path`, whose name addresses the start weights.
    pub fn init(&self, path: &str, start: &Start) -> Conv2d {
        let area = self.geometry.kernel.pow(2);
        let (i, o) = (area * self.inputs, self.outputs);
        Conv2d {
            weight: start.weights(&format!("{path}.weight"), self.init, [i, o], i, area * o),
            bias: self.bias.map(|value| start.constant(value, o)),
            geometry: self.geometry,
        }
    }
}

impl Conv2d {
    /// # Shapes
    /// - `x`: `[replicas, batch, height, width, inputs]`
    /// - output: `[replicas, batch, height, width, outputs]`, the last height and width as
    ///   [`Geometry::output`] says
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let weight = self.weight.val();
        let [replicas, rows, _] = weight.dims();
        let inputs = rows / self.geometry.kernel.pow(2);
        assert_shape!(x, [replicas, _, _, _, inputs]);
        let bias = self.bias.as_ref().map(Param::val);
        ablate_kernels::conv2d(x, weight, bias, self.geometry)
    }
}
