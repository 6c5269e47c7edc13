//! The dense layers of a trained model as `f64` matrices on the host.
//!
//! This is for analyses that evaluate a small net thousands of times, such as unit removal. In
//! evaluation a batch norm is a fixed scale and shift per channel. Before the activation they are
//! merged into the weights and the bias; after it they are kept as a scale and a shift.

use crate::block::{DenseBlock, Position};
use crate::linear::Linear;
use crate::norm::{Affine, BatchNorm, Norm};
use crate::zoo::Model;
use ablate_kernels::Activation;
use burn::module::Param;
use burn::tensor::Tensor;

/// The dense blocks and the head of one replica in double precision.
#[derive(Clone, Debug, PartialEq)]
pub struct HostMlp {
    layers: Vec<HostLayer>,
}

/// A dense layer with an activation: `shift + scale * f(u W + b)`.
#[derive(Clone, Debug, PartialEq)]
pub struct HostLayer {
    /// Weights, `[inputs, outputs]` row-major.
    pub weight: Vec<f64>,
    /// Bias, `[outputs]`.
    pub bias: Vec<f64>,
    /// The activation; linear for the head.
    pub activation: Activation,
    /// Scale and shift after the activation, `[outputs]` each, if any.
    pub after: Option<[Vec<f64>; 2]>,
}

impl HostLayer {
    /// A layer without a scale and shift after the activation.
    pub fn new(weight: Vec<f64>, bias: Vec<f64>, activation: Activation) -> Self {
        Self {
            weight,
            bias,
            activation,
            after: None,
        }
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.weight.len() / self.outputs()
    }

    /// The weights from input `i` to every output.
    pub fn row(&self, i: usize) -> &[f64] {
        let n = self.outputs();
        &self.weight[i * n..(i + 1) * n]
    }

    /// The preactivations, `[rows, outputs]`, for `inputs`, `[rows, inputs]`.
    pub(super) fn preactivations(&self, inputs: &[f64]) -> Vec<f64> {
        let mut out = Vec::with_capacity(inputs.len() / self.inputs() * self.outputs());
        for row in inputs.chunks_exact(self.inputs()) {
            let from = out.len();
            out.extend_from_slice(&self.bias);
            for (i, &u) in row.iter().enumerate() {
                // After ReLU many inputs are zero.
                if u != 0.0 {
                    add(&mut out[from..], u, self.row(i));
                }
            }
        }
        out
    }

    /// Turns preactivations into outputs, in place.
    pub(super) fn activate(&self, values: &mut [f64]) {
        match self.activation {
            Activation::Linear => {}
            Activation::Relu => values.iter_mut().for_each(|z| *z = z.max(0.0)),
            f => values.iter_mut().for_each(|z| *z = f.value(*z)),
        }
        let Some([scale, shift]) = &self.after else {
            return;
        };
        for row in values.chunks_exact_mut(scale.len()) {
            for ((h, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
                *h = *h * scale + shift;
            }
        }
    }
}

/// `out += factor * row`.
pub(super) fn add(out: &mut [f64], factor: f64, row: &[f64]) {
    for (out, w) in out.iter_mut().zip(row) {
        *out += factor * w;
    }
}

impl HostMlp {
    /// A net of `layers`, the last of which is the head.
    ///
    /// # Panics
    /// If there is no layer, or the shapes of weights, biases and neighboring layers do not fit.
    pub fn new(layers: Vec<HostLayer>) -> Self {
        assert!(!layers.is_empty(), "a net has at least a head");
        for layer in &layers {
            assert_eq!(layer.inputs() * layer.outputs(), layer.weight.len());
        }
        for pair in layers.windows(2) {
            assert_eq!(
                pair[0].outputs(),
                pair[1].inputs(),
                "neighboring layers fit"
            );
        }
        Self { layers }
    }

    /// The dense layers of every replica of `model` in evaluation mode; `None` if a norm uses
    /// statistics of the example itself and is therefore no fixed scale and shift, or if the model is
    /// not a chain of blocks of the zoo.
    pub fn replicas_of(model: &Model) -> Option<Vec<Self>> {
        let blocks = model.dense_blocks().iter().map(block_layers);
        let blocks: Vec<Vec<HostLayer>> = blocks.collect::<Option<_>>()?;
        let head = linear_layers(model.head()?, Activation::Linear);
        let replica = |(r, head): (usize, HostLayer)| {
            let hidden = blocks.iter().map(|replicas| replicas[r].clone());
            Self::new(hidden.chain([head]).collect())
        };
        Some(head.into_iter().enumerate().map(replica).collect())
    }

    /// The layers in order from the input; the last is the head.
    pub fn layers(&self) -> &[HostLayer] {
        &self.layers
    }
}

/// The layer of every replica.
fn linear_layers(linear: &Linear, activation: Activation) -> Vec<HostLayer> {
    let [replicas, inputs, outputs] = linear.weight.val().dims();
    let weight = to_host(linear.weight.val());
    let bias = match &linear.bias {
        Some(bias) => to_host(bias.val()),
        None => vec![0.0; replicas * outputs],
    };
    let weights = weight.chunks_exact(inputs * outputs);
    let layers = weights.zip(bias.chunks_exact(outputs));
    layers
        .map(|(w, b)| HostLayer::new(w.to_vec(), b.to_vec(), activation))
        .collect()
}

fn block_layers(block: &DenseBlock) -> Option<Vec<HostLayer>> {
    let mut layers = linear_layers(&block.linear, block.epilogue.activation);
    let [replicas, _, channels] = block.linear.weight.val().dims();
    let learned = match &block.epilogue.norm {
        None => return Some(layers),
        Some(Norm::Batch(norm)) => scales_and_shifts(norm),
        Some(Norm::Affine(affine)) => by_replica(learned(affine, replicas * channels), channels),
        Some(_) => return None,
    };
    for (layer, [scale, shift]) in layers.iter_mut().zip(learned) {
        match block.epilogue.position {
            Position::After => layer.after = Some([scale, shift]),
            Position::Before => {
                for row in layer.weight.chunks_exact_mut(scale.len()) {
                    row.iter_mut().zip(&scale).for_each(|(w, s)| *w *= s);
                }
                let terms = layer.bias.iter_mut().zip(scale.iter().zip(&shift));
                terms.for_each(|(b, (scale, shift))| *b = *b * scale + shift);
            }
        }
    }
    Some(layers)
}

/// Scale and shift of a batch norm in evaluation, for every replica.
fn scales_and_shifts(norm: &BatchNorm) -> Vec<[Vec<f64>; 2]> {
    let (mean, variance) = norm.running.estimates();
    let channels = mean.dims()[1];
    let (mean, variance) = (to_host(mean), to_host(variance));
    let n = mean.len();
    let [gamma, beta] = learned(&norm.affine, n);
    let deviation = |v: &f64| (v + norm.config.epsilon).sqrt();
    let scale: Vec<f64> = gamma
        .iter()
        .zip(&variance)
        .map(|(g, v)| g / deviation(v))
        .collect();
    let terms = beta.iter().zip(mean.iter().zip(&scale));
    let shift: Vec<f64> = terms
        .map(|(beta, (mean, scale))| beta - mean * scale)
        .collect();
    by_replica([scale, shift], channels)
}

/// Learned scales and centers, `n` each; ones and zeros if they are not learned.
fn learned(affine: &Affine, n: usize) -> [Vec<f64>; 2] {
    let values = |param: &Option<Param<Tensor<2>>>, absent| match param {
        Some(param) => to_host(param.val()),
        None => vec![absent; n],
    };
    [values(&affine.scale, 1.0), values(&affine.center, 0.0)]
}

/// Splits scales and shifts by replica.
fn by_replica([scale, shift]: [Vec<f64>; 2], channels: usize) -> Vec<[Vec<f64>; 2]> {
    let pairs = scale
        .chunks_exact(channels)
        .zip(shift.chunks_exact(channels));
    pairs.map(|(a, b)| [a.to_vec(), b.to_vec()]).collect()
}

fn to_host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor
        .try_into_vec_as::<f64>()
        .expect("float tensors convert to double precision")
}
