//! Convolutions and pooling for a stack of replicas, channels last.

use crate::init::{Start, WeightInit};
use crate::ops;
use burn::module::{Module, Param};
use burn::tensor::{Tensor, assert_shape};

/// A 2-d convolution with stride 1 that keeps height and width.
///
/// Weights lie as a matrix, `kernel * kernel * inputs` by `outputs`, rows in the order (kernel row,
/// kernel column, input channel). An even kernel is padded by one more at the bottom and right.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// Weights, `[replicas, kernel * kernel * inputs, outputs]`.
    pub weight: Param<Tensor<3>>,
    /// Bias, `[replicas, outputs]`; absent where the layer has none.
    pub bias: Option<Param<Tensor<2>>>,
    /// Width and height of the kernel.
    pub kernel: usize,
}

/// Configuration of [`Conv2d`].
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2dConfig {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Width and height of the kernel.
    pub kernel: usize,
    /// Start value of the bias; `None` for no bias.
    pub bias: Option<f64>,
    /// Distribution of the start weights.
    pub init: WeightInit,
}

impl Conv2dConfig {
    /// Builds the layer at `path`, whose name addresses the start weights.
    pub fn init(&self, path: &str, start: &Start) -> Conv2d {
        let area = self.kernel * self.kernel;
        let (i, o) = (area * self.inputs, self.outputs);
        Conv2d {
            weight: start.weights(&format!("{path}.weight"), self.init, [i, o], i, area * o),
            bias: self.bias.map(|value| start.constant(value, o)),
            kernel: self.kernel,
        }
    }
}

impl Conv2d {
    /// # Shapes
    /// - `x`: `[replicas, batch, height, width, inputs]`
    /// - output: `[replicas, batch, height, width, outputs]`
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let weight = self.weight.val();
        let [replicas, rows, _] = weight.dims();
        let inputs = rows / (self.kernel * self.kernel);
        assert_shape!(x, [replicas, _, _, _, inputs]);
        let bias = self.bias.as_ref().map(Param::val);
        ops::conv2d(x, weight, bias, self.kernel)
    }
}
