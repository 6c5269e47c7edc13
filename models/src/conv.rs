//! 2-d convolution for a stack of replicas, channels last.

use crate::init::{Start, WeightInit};
use ablate_kernels::Geometry;
use burn::module::{Module, Param};
use burn::tensor::{Tensor, assert_shape};

/// A 2-d convolution; see [`Conv2dConfig`].
///
/// The weights are a matrix with `kernel * kernel * inputs` rows, in the order (kernel row, kernel
/// column, input channel), and `outputs` columns.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// Weights, `[replicas, kernel * kernel * inputs, outputs]`.
    pub weight: Param<Tensor<3>>,
    /// Bias, `[replicas, outputs]`, if any.
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
    /// Builds the layer. `path` is its module path, which names the random stream of its weights.
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
    /// Applies the convolution.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height, width, inputs]`
    /// - output: `[replicas, batch, height, width, outputs]`, with the height and width that
    ///   [`Geometry::output`] gives
    ///
    /// # Panics
    /// If the number of replicas or input channels differs from that of the weights.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let weight = self.weight.val();
        let [replicas, rows, _] = weight.dims();
        let inputs = rows / self.geometry.kernel.pow(2);
        assert_shape!(x, [replicas, _, _, _, inputs]);
        let bias = self.bias.as_ref().map(Param::val);
        ablate_kernels::conv2d(x, weight, bias, self.geometry)
    }
}
