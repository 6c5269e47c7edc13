//! Dense layer for a stack of replicas.

use crate::init::{Start, WeightInit};
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// A dense layer, `y = x W + b`; see [`LinearConfig`].
#[derive(Module, Debug)]
pub struct Linear {
    /// Weights, `[replicas, inputs, outputs]`.
    pub weight: Param<Tensor<3>>,
    /// Bias, `[replicas, outputs]`, if any.
    pub bias: Option<Param<Tensor<2>>>,
}

/// Configuration of [`Linear`].
#[derive(Clone, Debug, PartialEq)]
pub struct LinearConfig {
    /// Input features.
    pub inputs: usize,
    /// Output features.
    pub outputs: usize,
    /// Start value of the bias; `None` for no bias.
    pub bias: Option<f64>,
    /// Distribution of the start weights.
    pub init: WeightInit,
}

impl LinearConfig {
    /// A layer with He-normal weights and a bias that starts at zero.
    pub const fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            bias: Some(0.0),
            init: WeightInit::HeNormal,
        }
    }

    /// Builds the layer. `path` is its module path, which names the random stream of its weights.
    pub fn init(&self, path: &str, start: &Start) -> Linear {
        let (i, o) = (self.inputs, self.outputs);
        Linear {
            weight: start.weights(&format!("{path}.weight"), self.init, [i, o], i, o),
            bias: self.bias.map(|value| start.constant(value, o)),
        }
    }
}

impl Linear {
    /// Applies the layer.
    ///
    /// # Shapes
    /// - `x`: `[replicas, rows, ..]`; the remaining dimensions together are the inputs
    /// - output: `[replicas, rows, outputs]`
    ///
    /// # Panics
    /// If the number of replicas or inputs differs from that of the weights.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<3> {
        let weight = self.weight.val();
        let ([replicas, inputs, _], given) = (weight.dims(), x.dims());
        assert_eq!(
            (given[0], given[2..].iter().product()),
            (replicas, inputs),
            "an input of shape {given:?} does not fit {replicas} replicas with {inputs} inputs"
        );
        ablate_kernels::linear(x, weight, self.bias.as_ref().map(Param::val))
    }
}
