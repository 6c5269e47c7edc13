//! The dense end of a trained net as plain numbers: for whoever asks what a net does without some of
//! its units, thousands of times.
//!
//! In evaluation mode a batch norm is one scale and shift a channel. One in front of the activation
//! moves into the weights; one behind it stays a scale and a shift.

use crate::affine::Affine;
use crate::block::{DenseBlock, Position};
use crate::linear::Linear;
use crate::norm::{BatchNorm, Norm};
use crate::zoo::Model;
use ablate_kernels::activation::Activation;
use burn::module::Param;
use burn::tensor::Tensor;

/// Dense blocks and the head of one replica, in double precision.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    layers: Vec<Layer>,
}

/// A dense map and what follows it: `shift + scale * f(u W + b)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Weights, `inputs` rows of `outputs`.
    pub weight: Vec<f64>,
    /// Bias, `outputs`.
    pub bias: Vec<f64>,
    /// The activation; linear for the head.
    pub activation: Activation,
    /// Scale and shift behind the activation, `outputs` each, if any.
    pub after: Option<[Vec<f64>; 2]>,
}

impl Layer {
    /// A map without anything behind its activation.
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

    /// The weights of input `i` to every output.
    pub fn row(&self, i: usize) -> &[f64] {
        let n = self.outputs();
        &self.weight[i * n..(i + 1) * n]
    }

    /// What enters the activation, for rows of `inputs`.
    pub(crate) fn weighted(&self, inputs: &[f64]) -> Vec<f64> {
        let mut out = Vec::with_capacity(inputs.len() / self.inputs() * self.outputs());
        for row in inputs.chunks_exact(self.inputs()) {
            let from = out.len();
            out.extend_from_slice(&self.bias);
            for (i, &u) in row.iter().enumerate() {
                // Rectified units are often silent.
                if u != 0.0 {
                    add(&mut out[from..], u, self.row(i));
                }
            }
        }
        out
    }

    /// What leaves the layer, for what enters its activation.
    pub(crate) fn activate(&self, values: &mut [f64]) {
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
pub(crate) fn add(out: &mut [f64], factor: f64, row: &[f64]) {
    for (out, w) in out.iter_mut().zip(row) {
        *out += factor * w;
    }
}

impl Chain {
    /// # Panics
    /// If there is no layer, a weight matrix is not whole, or a layer does not take what the one
    /// before it gives.
    pub fn new(layers: Vec<Layer>) -> Self {
        assert!(!layers.is_empty(), "a net has a head");
        for layer in &layers {
            assert_eq!(layer.inputs() * layer.outputs(), layer.weight.len());
        }
        for pair in layers.windows(2) {
            assert_eq!(pair[0].outputs(), pair[1].inputs(), "layers fit");
        }
        Self { layers }
    }

    /// The dense ends of every replica of `model`, as it is in evaluation mode; `None` where a norm
    /// takes its statistics from the example itself, and so is no fixed scale and shift.
    pub fn of(model: &Model) -> Option<Vec<Self>> {
        let blocks = model.dense_blocks().iter().map(block_layers);
        let blocks: Vec<Vec<Layer>> = blocks.collect::<Option<_>>()?;
        let head = linear_layers(model.head(), Activation::Linear);
        let chain = |(r, head): (usize, Layer)| {
            let hidden = blocks.iter().map(|replicas| replicas[r].clone());
            Self::new(hidden.chain([head]).collect())
        };
        Some(head.into_iter().enumerate().map(chain).collect())
    }

    /// The layers, from the input on; the last is the head.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

/// The layer of each replica.
fn linear_layers(linear: &Linear, activation: Activation) -> Vec<Layer> {
    let [replicas, inputs, outputs] = linear.weight.val().dims();
    let weight = host(linear.weight.val());
    let bias = match &linear.bias {
        Some(bias) => host(bias.val()),
        None => vec![0.0; replicas * outputs],
    };
    let weights = weight.chunks_exact(inputs * outputs);
    let layers = weights.zip(bias.chunks_exact(outputs));
    layers
        .map(|(w, b)| Layer::new(w.to_vec(), b.to_vec(), activation))
        .collect()
}

fn block_layers(block: &DenseBlock) -> Option<Vec<Layer>> {
    let mut layers = linear_layers(&block.linear, block.epilogue.activation);
    let [replicas, _, channels] = block.linear.weight.val().dims();
    let learned = match &block.epilogue.norm {
        None => return Some(layers),
        Some(Norm::Batch(norm)) => scales_and_shifts(norm),
        Some(Norm::Affine(affine)) => by_replica(learned(affine, replicas * channels), channels),
        Some(Norm::Group(_)) => return None,
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

/// What the norm does in evaluation mode, for each replica.
fn scales_and_shifts(norm: &BatchNorm) -> Vec<[Vec<f64>; 2]> {
    let (mean, variance) = norm.running.estimates();
    let channels = mean.dims()[1];
    let (mean, variance) = (host(mean), host(variance));
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

/// Learned scales and centers, `n` each; ones and zeros in the place of absent ones.
fn learned(affine: &Affine, n: usize) -> [Vec<f64>; 2] {
    let values = |param: &Option<Param<Tensor<2>>>, absent| match param {
        Some(param) => host(param.val()),
        None => vec![absent; n],
    };
    [values(&affine.scale, 1.0), values(&affine.center, 0.0)]
}

/// A scale and a shift for each channel, replica by replica.
fn by_replica([scale, shift]: [Vec<f64>; 2], channels: usize) -> Vec<[Vec<f64>; 2]> {
    let pairs = scale
        .chunks_exact(channels)
        .zip(shift.chunks_exact(channels));
    pairs.map(|(a, b)| [a.to_vec(), b.to_vec()]).collect()
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor
        .try_into_vec_as::<f64>()
        .expect("float tensors convert to double precision")
}
