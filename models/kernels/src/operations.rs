//! Public operations: kernels on CPU devices, plain burn elsewhere.
//!
//! On builds with a GPU feature, `gpu` wraps the operations that have a GPU kernel too.

use crate::extension::{AdamState, ChannelParameters, Kernels, OptionalTensor, SgdState};
use crate::geometry::Geometry;
use crate::optimizer::{AdamStep, SgdStep};
use crate::plain;
use crate::spec::{BlockOutput, BlockParameters, BlockSpec, EpilogueSpec};
use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{Device, Int, Tensor};

/// Whether `device` runs the CPU kernels of this crate.
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
                reason = "the features decide which other devices exist"
            )]
            _ => false,
        }
    }
    is_cpu(device.as_dispatch())
}

fn optional<const D: usize>(tensor: Option<Tensor<D>>) -> OptionalTensor<Dispatch> {
    match tensor {
        Some(tensor) => OptionalTensor::Present(tensor.into_dispatch()),
        None => OptionalTensor::Absent,
    }
}

fn only_bias(bias: Option<Tensor<2>>) -> BlockParameters {
    BlockParameters {
        bias,
        ..BlockParameters::default()
    }
}

/// `x W + b` for every replica.
///
/// # Shapes
/// - `x`: `[replicas, rows, ..]`; the dimensions after the second are flattened to the inputs
/// - `weight`: `[replicas, inputs, outputs]`
/// - `bias`: `[replicas, outputs]`
/// - output: `[replicas, rows, outputs]`
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<3>,
    bias: Option<Tensor<2>>,
) -> Tensor<3> {
    if !has_kernels(&x.device()) {
        return plain::linear(x.flatten(2, D - 1), weight, bias);
    }
    block(x, Some(weight), only_bias(bias), BlockSpec::default()).y
}

/// 2-d convolution.
///
/// # Shapes
/// As for [`plain::conv2d`].
pub fn conv2d(
    x: Tensor<5>,
    weight: Tensor<3>,
    bias: Option<Tensor<2>>,
    geometry: Geometry,
) -> Tensor<5> {
    if !has_kernels(&x.device()) {
        return plain::conv2d(x, weight, bias, geometry);
    }
    let spec = BlockSpec {
        geometry: Some(geometry),
        epilogue: None,
    };
    block(x, Some(weight), only_bias(bias), spec).y
}

/// Dense layer and its epilogue, fused into one operation forward and one backward.
///
/// Only for devices that [have kernels](has_kernels); on other devices, models run the same
/// operations one by one.
///
/// # Shapes
/// As for [`linear`].
///
/// # Panics
/// If the device has no kernels, or the epilogue has pooling.
pub fn dense_block<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<3>,
    parameters: BlockParameters,
    epilogue: EpilogueSpec,
) -> BlockOutput<3> {
    assert!(!epilogue.pool, "dense blocks have no pooling");
    let spec = BlockSpec {
        geometry: None,
        epilogue: Some(epilogue),
    };
    block(x, Some(weight), parameters, spec)
}

/// Convolution and its epilogue, fused as in [`dense_block`].
///
/// # Shapes
/// As for [`plain::conv2d`]; pooling halves height and width of the output, rounded down.
///
/// # Panics
/// If the device has no kernels, or the epilogue has both dropout and pooling.
pub fn conv_block(
    x: Tensor<5>,
    weight: Tensor<3>,
    parameters: BlockParameters,
    geometry: Geometry,
    epilogue: EpilogueSpec,
) -> BlockOutput<5> {
    assert!(
        !(epilogue.pool && epilogue.dropout.is_some()),
        "a convolution block with pooling cannot have dropout"
    );
    let spec = BlockSpec {
        geometry: Some(geometry),
        epilogue: Some(epilogue),
    };
    block(x, Some(weight), parameters, spec)
}

/// The epilogue of a block alone, fused as in [`dense_block`]: norm, activation and dropout of `x`.
///
/// # Shapes
/// - `x`: `[replicas, rows, channels]`
/// - output: as `x`
///
/// # Panics
/// If the device has no kernels, or the epilogue has pooling.
pub fn epilogue(
    x: Tensor<3>,
    parameters: BlockParameters,
    epilogue: EpilogueSpec,
) -> BlockOutput<3> {
    assert!(
        !epilogue.pool,
        "an epilogue without a convolution has no pooling"
    );
    let spec = BlockSpec {
        geometry: None,
        epilogue: Some(epilogue),
    };
    block(x, None, parameters, spec)
}

fn block<const I: usize, const O: usize>(
    x: Tensor<I>,
    weight: Option<Tensor<3>>,
    parameters: BlockParameters,
    spec: BlockSpec,
) -> BlockOutput<O> {
    let (mean, variance) = match parameters.statistics {
        Some([mean, variance]) => (Some(mean), Some(variance)),
        None => (None, None),
    };
    let parameters = ChannelParameters {
        bias: optional(parameters.bias),
        scale: optional(parameters.scale),
        center: optional(parameters.center),
        mean: optional(mean),
        variance: optional(variance),
    };
    let (x, weight) = (x.into_dispatch(), optional(weight));
    let (y, mean, variance) = Dispatch::zoo_block(x, weight, parameters, spec);
    BlockOutput {
        y: Tensor::from_dispatch(y),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// 2x2 max pooling with stride 2.
///
/// # Shapes
/// As for [`plain::max_pool2d`].
pub fn max_pool2d(x: Tensor<5>) -> Tensor<5> {
    if !has_kernels(&x.device()) {
        return plain::max_pool2d(x);
    }
    Tensor::from_dispatch(Dispatch::zoo_max_pool2d(x.into_dispatch()))
}

/// 2x2 average pooling with stride 2.
///
/// # Shapes
/// As for [`plain::avg_pool2d`].
pub fn avg_pool2d(x: Tensor<5>) -> Tensor<5> {
    if !has_kernels(&x.device()) {
        return plain::avg_pool2d(x);
    }
    Tensor::from_dispatch(Dispatch::zoo_avg_pool2d(x.into_dispatch()))
}

/// Mean cross-entropy of each replica, in nats.
///
/// # Shapes
/// As for [`plain::cross_entropy`].
///
/// # Panics
/// On devices with kernels, if a label is not a class.
pub fn cross_entropy(logits: Tensor<3>, labels: Tensor<2, Int>) -> Tensor<1> {
    if !has_kernels(&logits.device()) {
        return plain::cross_entropy(logits, labels);
    }
    let (logits, labels) = (logits.into_dispatch(), labels.into_dispatch());
    Tensor::from_dispatch(Dispatch::zoo_cross_entropy(logits, labels))
}

/// One step of Adam or AdamW (Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019,
/// algorithm 2). Returns the new value, first moment and second moment.
///
/// # Shapes
/// All tensors have the same shape, `[replicas, ..]`.
pub fn adam_step<const D: usize>(
    value: Tensor<D>,
    first: Tensor<D>,
    second: Tensor<D>,
    gradient: Tensor<D>,
    step: AdamStep,
) -> [Tensor<D>; 3] {
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

/// One step of an exponential moving average, `keep * average + share * new`.
///
/// The result carries no gradient.
///
/// # Shapes
/// All tensors have the same shape.
pub fn average_step(average: Tensor<2>, new: Tensor<2>, [keep, share]: [f64; 2]) -> Tensor<2> {
    if !has_kernels(&average.device()) {
        return plain::average_step(average, new, [keep, share]);
    }
    let (average, new) = (average.into_dispatch(), new.into_dispatch());
    Tensor::from_dispatch(Dispatch::zoo_average(average, new, [keep, share]))
}

/// One step of SGD, with momentum if there is a velocity (Sutskever et al. 2013). Returns the new
/// value and velocity.
///
/// As in PyTorch, the velocity is a decaying sum of gradients, not of steps.
///
/// # Shapes
/// All tensors have the same shape, `[replicas, ..]`.
pub fn sgd_step<const D: usize>(
    value: Tensor<D>,
    velocity: Option<Tensor<D>>,
    gradient: Tensor<D>,
    step: SgdStep,
) -> (Tensor<D>, Option<Tensor<D>>) {
    if !has_kernels(&value.device()) {
        return plain::sgd_step(value, velocity, gradient, &step);
    }
    let (value, gradient) = (value.into_dispatch(), gradient.into_dispatch());
    let Some(velocity) = velocity else {
        let value = Dispatch::zoo_sgd(value, gradient, step);
        return (Tensor::from_dispatch(value), None);
    };
    let state = SgdState {
        value,
        velocity: velocity.into_dispatch(),
    };
    let (value, velocity) = Dispatch::zoo_sgd_with_momentum(state, gradient, step);
    (
        Tensor::from_dispatch(value),
        Some(Tensor::from_dispatch(velocity)),
    )
}
