//! Parameters, state and gradients of a block.

use super::shape::BlockShape;
use crate::cpu::buffers::Buffer;
use crate::cpu::epilogue::Channels;
use crate::cpu::product::SparsityPattern;
use crate::cpu::real::Real;
use crate::spec::EpilogueSpec;

/// Parameters of a block, `[replicas, outputs]` each except for the weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters<'a, T> {
    /// `[replicas, inputs, outputs]`, or `[replicas, kernel * kernel * inputs, outputs]`.
    pub(crate) weight: &'a [T],
    pub(crate) bias: Option<&'a [T]>,
    pub(crate) scale: Option<&'a [T]>,
    pub(crate) center: Option<&'a [T]>,
    /// Mean and biased variance to normalize with instead of the batch's.
    pub(crate) statistics: Option<[&'a [T]; 2]>,
}

/// Result of the forward pass.
pub(crate) struct Forward<T> {
    pub(crate) y: Buffer<T>,
    pub(crate) saved: Saved<T>,
}

/// State of the forward pass that the backward pass reads; empty without an epilogue.
pub(crate) struct Saved<T> {
    /// The product of input and weights, if there is one and it [is kept](BlockShape::keeps_product).
    pub(super) z: Buffer<T>,
    /// The mean that the norm used, `[replicas, outputs]`; empty without a norm.
    pub(crate) mean: Vec<T>,
    /// The biased variance that the norm used, `[replicas, outputs]`; empty without a norm.
    pub(crate) variance: Vec<T>,
    /// Dropout mask: 1 for kept elements.
    pub(super) kept: Buffer<u8>,
    /// The norm's input at the corner of each pooling window that holds the maximum.
    pub(super) argmax: Buffer<T>,
    /// Sparsity pattern of each replica's input, for dense layers; may be empty.
    pub(super) patterns: Vec<Option<SparsityPattern<T>>>,
}

/// Gradient of a block's output, which the backward pass overwrites.
pub(crate) struct OutputGradient<'a, T> {
    /// The gradient; memory of unspecified contents if `source` is given.
    pub(crate) d: &'a mut [T],
    /// The gradient in memory that must not be written; every task copies its part to `d`.
    pub(crate) source: Option<&'a [T]>,
}

/// Gradients of input and parameters; empty for absent parameters.
pub(crate) struct Gradients<T> {
    pub(crate) x: Option<Buffer<T>>,
    pub(crate) weight: Buffer<T>,
    pub(crate) bias: Vec<T>,
    pub(crate) scale: Vec<T>,
    pub(crate) center: Vec<T>,
}

impl<T: Real> Saved<T> {
    /// Memory for the state of a block.
    pub(super) fn new(s: &BlockShape, epilogue: Option<&EpilogueSpec>) -> Self {
        let Some(spec) = epilogue else {
            return Self {
                z: Buffer::zeros(0),
                mean: Vec::new(),
                variance: Vec::new(),
                kept: Buffer::zeros(0),
                argmax: Buffer::zeros(0),
                patterns: Vec::new(),
            };
        };
        let all = s.replicas * s.rows() * s.outputs;
        let statistics = if spec.epsilon.is_some() {
            s.replicas * s.outputs
        } else {
            0
        };
        let windows = if spec.pool {
            s.replicas * s.output_rows(epilogue) * s.outputs
        } else {
            0
        };
        Self {
            z: Buffer::unspecified(if s.keeps_product() { all } else { 0 }),
            mean: vec![T::ZERO; statistics],
            variance: vec![T::ZERO; statistics],
            kept: Buffer::unspecified(if spec.dropout.is_some() { all } else { 0 }),
            argmax: Buffer::unspecified(windows),
            patterns: Vec::new(),
        }
    }
}

impl<T: Real> Saved<T> {
    /// Mean and variance of `width` channels, from channel `at.1` of replica `at.0` on; empty without a
    /// norm.
    pub(super) fn statistics(
        &self,
        s: &BlockShape,
        spec: &EpilogueSpec,
        at: (usize, usize),
        width: usize,
    ) -> [&[T]; 2] {
        [&self.mean, &self.variance].map(|v| {
            let values = spec.epsilon.map(|_| &v[..]);
            channel_slice(values, s, at, width).unwrap_or_default()
        })
    }
}

impl<T: Real> Gradients<T> {
    /// Memory for the gradients of the parameters that are present.
    pub(super) fn new(s: &BlockShape, p: &Parameters<T>, epilogue: Option<&EpilogueSpec>) -> Self {
        let normalized = epilogue.is_some_and(|epilogue| epilogue.epsilon.is_some());
        let channels =
            |wanted: bool| vec![T::ZERO; if wanted { s.replicas * s.outputs } else { 0 }];
        Self {
            x: None,
            weight: Buffer::unspecified(s.replicas * s.weights()),
            bias: channels(p.bias.is_some()),
            scale: channels(normalized && p.scale.is_some()),
            center: channels(normalized && p.center.is_some()),
        }
    }
}

/// Copies to a gradient, unless its parameter is absent.
pub(super) fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    if !to.is_empty() {
        to.copy_from_slice(from);
    }
}

/// `width` values from channel `from` of replica `r` on, of `[replicas, outputs]` values.
pub(super) fn channel_slice<'a, T>(
    values: Option<&'a [T]>,
    s: &BlockShape,
    (r, from): (usize, usize),
    width: usize,
) -> Option<&'a [T]> {
    values.map(|values| &values[r * s.outputs + from..][..width])
}

/// The norm of `width` channels, from channel `at.1` of replica `at.0` on. Its statistics are empty
/// without a norm.
pub(super) fn norm_channels<T: Real>(
    s: &BlockShape,
    spec: &EpilogueSpec,
    p: &Parameters<T>,
    at: (usize, usize),
    [mean, variance]: [&[T]; 2],
    width: usize,
) -> Channels<T> {
    match spec.epsilon {
        Some(epsilon) => Channels::new(
            mean,
            variance,
            epsilon,
            channel_slice(p.scale, s, at, width),
            channel_slice(p.center, s, at, width),
        ),
        None => Channels::identity(width),
    }
}
