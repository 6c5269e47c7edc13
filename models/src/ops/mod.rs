//! The heavy operations. On the CPU devices they run kernels of this crate; on every other device,
//! and as the reference in tests, their [`plain`] burn versions.

mod cpu;
mod extension;
pub mod plain;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{Device, Int, Tensor};
pub use cpu::adam::AdamStep;
pub use cpu::tail::{Masks, TailSpec};
use extension::{AdamState, Kernels, Optional, ScaleCenter};
pub use plain::avg_pool2d;

/// Whether the kernels of this crate run on `device`.
pub fn has_kernels(device: &Device) -> bool {
    fn is_cpu(device: &DispatchDevice) -> bool {
        match device {
            #[cfg(feature = "flex")]
            DispatchDevice::Flex(_) => true,
            #[cfg(feature = "ndarray")]
            DispatchDevice::NdArray(_) => true,
            DispatchDevice::Autodiff(inner) => is_cpu(inner),
            #[allow(
                unreachable_patterns,
                clippy::allow_attributes,
                reason = "which other devices there are depends on the features"
            )]
            _ => false,
        }
    }
    is_cpu(device.as_dispatch())
}

fn optional(tensor: Option<Tensor<2>>) -> Optional<Dispatch> {
    match tensor {
        Some(tensor) => Optional::Given(tensor.into_dispatch()),
        None => Optional::Absent,
    }
}

/// `x W + b` for every replica.
///
/// # Shapes
/// - `x`: `[replicas, rows, inputs]`
/// - `weight`: `[replicas, inputs, outputs]`
/// - `bias`: `[replicas, outputs]`
/// - output: `[replicas, rows, outputs]`
pub fn linear(x: Tensor<3>, weight: Tensor<3>, bias: Option<Tensor<2>>) -> Tensor<3> {
    if !has_kernels(&x.device()) {
        return plain::linear(x, weight, bias);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(Dispatch::zoo_linear(x, weight, optional(bias)))
}

/// 2-d convolution with stride 1 that keeps the size; see [`plain::conv2d`] for the shapes.
pub fn conv2d(
    x: Tensor<5>,
    weight: Tensor<3>,
    bias: Option<Tensor<2>>,
    kernel: usize,
) -> Tensor<5> {
    if !has_kernels(&x.device()) {
        return plain::conv2d(x, weight, bias, kernel);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(Dispatch::zoo_conv2d(x, weight, optional(bias), kernel))
}

/// 2x2 max pooling with stride 2; see [`plain::max_pool2d`].
pub fn max_pool2d(x: Tensor<5>) -> Tensor<5> {
    if !has_kernels(&x.device()) {
        return plain::max_pool2d(x);
    }
    Tensor::from_dispatch(Dispatch::zoo_max_pool2d(x.into_dispatch()))
}

/// Mean cross-entropy of each replica; see [`plain::cross_entropy`].
pub fn cross_entropy(logits: Tensor<3>, labels: Tensor<2, Int>) -> Tensor<1> {
    if !has_kernels(&logits.device()) {
        return plain::cross_entropy(logits, labels);
    }
    let (logits, labels) = (logits.into_dispatch(), labels.into_dispatch());
    Tensor::from_dispatch(Dispatch::zoo_cross_entropy(logits, labels))
}

/// What a [`tail`] gives.
#[derive(Debug)]
pub struct TailOutput {
    /// The block's output, `[replicas, rows, channels]`.
    pub y: Tensor<3>,
    /// Mean of the batch, `[replicas, channels]`; means nothing without a norm.
    pub mean: Tensor<2>,
    /// Biased variance of the batch, `[replicas, channels]`; means nothing without a norm.
    pub variance: Tensor<2>,
}

/// Batch norm with batch statistics, activation and dropout in one pass each way. Only for devices
/// that [`has_kernels`]; elsewhere the layers do the same one by one.
///
/// # Shapes
/// - `x`: `[replicas, rows, channels]`
/// - `scale`, `center`: `[replicas, channels]`
///
/// # Panics
/// If the device has no kernels.
pub fn tail(
    x: Tensor<3>,
    scale: Option<Tensor<2>>,
    center: Option<Tensor<2>>,
    spec: TailSpec,
) -> TailOutput {
    let affine = ScaleCenter {
        scale: optional(scale),
        center: optional(center),
    };
    let (y, mean, variance) = Dispatch::zoo_tail(x.into_dispatch(), affine, spec);
    TailOutput {
        y: Tensor::from_dispatch(y),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// One step of Adam or AdamW (Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019,
/// algorithm 2): the new value, first and second moment.
///
/// # Shapes
/// All `[replicas, elements]`.
pub fn adam_step(
    value: Tensor<2>,
    first: Tensor<2>,
    second: Tensor<2>,
    gradient: Tensor<2>,
    step: AdamStep,
) -> [Tensor<2>; 3] {
    if !has_kernels(&value.device()) {
        return plain::adam_step(value, first, second, gradient, &step);
    }
    let state = AdamState {
        value: value.into_dispatch(),
        first: first.into_dispatch(),
        second: second.into_dispatch(),
    };
    let (value, first, second) = Dispatch::zoo_adam(state, gradient.into_dispatch(), step);
    [value, first, second].map(Tensor::from_dispatch)
}
