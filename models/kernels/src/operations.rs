//! The operations: kernels where the device has them, plain burn elsewhere.

use crate::cpu::adam::AdamStep;
use crate::cpu::epilogue::EpilogueSpec;
use crate::cpu::sgd::SgdStep;
use crate::extension::{AdamState, ChannelParameters, Kernels, Optional, SgdState};
use crate::geometry::Geometry;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use crate::gpu;
use crate::plain;
use crate::spec::BlockSpec;
use burn::backend::{Dispatch, DispatchDevice};
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::tensor::DType;
use burn::tensor::{Device, Int, Tensor};

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

/// Whether the kernels for GPUs run on `device`, on numbers of type `dtype`.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub fn has_gpu_kernels(device: &Device, dtype: DType) -> bool {
    !has_kernels(device) && dtype == DType::F32
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
/// - `x`: `[replicas, rows, ..]`, whose last dimensions are the inputs
/// - `weight`: `[replicas, inputs, outputs]`
/// - `bias`: `[replicas, outputs]`
/// - output: `[replicas, rows, outputs]`
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<3>,
    bias: Option<Tensor<2>>,
) -> Tensor<3> {
    if !has_kernels(&x.device()) {
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        if has_gpu_kernels(&x.device(), x.dtype())
            && let Some(bias) = bias
        {
            let y = plain::linear(x.flatten(2, D - 1), weight, None);
            return gpu::add_bias(y, bias);
        }
        return plain::linear(x.flatten(2, D - 1), weight, bias);
    }
    block(
        x,
        weight,
        BlockParameters {
            bias,
            ..BlockParameters::default()
        },
        BlockSpec::default(),
    )
    .y
}

/// 2-d convolution; see [`plain::conv2d`] for the shapes.
pub fn conv2d(
    x: Tensor<5>,
    weight: Tensor<3>,
    bias: Option<Tensor<2>>,
    geometry: Geometry,
) -> Tensor<5> {
    if !has_kernels(&x.device()) {
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        if has_gpu_kernels(&x.device(), x.dtype()) {
            let y = gpu::conv2d(x, weight, geometry);
            let Some(bias) = bias else { return y };
            let shape = y.dims();
            let rows = y.reshape([shape[0], shape[1] * shape[2] * shape[3], shape[4]]);
            return gpu::add_bias(rows, bias).reshape(shape);
        }
        return plain::conv2d(x, weight, bias, geometry);
    }
    let spec = BlockSpec {
        geometry: Some(geometry),
        epilogue: None,
    };
    block(
        x,
        weight,
        BlockParameters {
            bias,
            ..BlockParameters::default()
        },
        spec,
    )
    .y
}

/// What a block has beside its weights, `[replicas, outputs]` each.
#[derive(Clone, Debug, Default)]
pub struct BlockParameters {
    /// Added to the product.
    pub bias: Option<Tensor<2>>,
    /// The norm's learned scale; 1 where absent.
    pub scale: Option<Tensor<2>>,
    /// The norm's learned center; 0 where absent.
    pub center: Option<Tensor<2>>,
    /// Mean and biased variance to normalize with; those of the batch where absent.
    pub statistics: Option<[Tensor<2>; 2]>,
}

/// What a block gives.
#[derive(Debug)]
pub struct BlockOutput<const D: usize> {
    /// The output.
    pub y: Tensor<D>,
    /// The mean that the norm used, `[replicas, outputs]`; means nothing without a norm.
    pub mean: Tensor<2>,
    /// The biased variance that the norm used, `[replicas, outputs]`; means nothing without a norm.
    pub variance: Tensor<2>,
}

/// A dense layer and what follows it in one operation each way. Only for devices that
/// [`has_kernels`]; elsewhere the layers do the same one by one.
///
/// # Shapes
/// As for [`linear`].
///
/// # Panics
/// If the device has no kernels, or the epilogue pools.
pub fn dense_block<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<3>,
    parameters: BlockParameters,
    epilogue: EpilogueSpec,
) -> BlockOutput<3> {
    assert!(!epilogue.pool, "rows are not pooled");
    let spec = BlockSpec {
        geometry: None,
        epilogue: Some(epilogue),
    };
    block(x, weight, parameters, spec)
}

/// A convolution and what follows it in one operation each way, as [`dense_block`] is for a dense
/// layer.
///
/// # Shapes
/// As for [`plain::conv2d`]; pooling halves height and width of the output, rounded down.
///
/// # Panics
/// If the device has no kernels, or the epilogue pools behind dropout.
pub fn conv_block(
    x: Tensor<5>,
    weight: Tensor<3>,
    parameters: BlockParameters,
    geometry: Geometry,
    epilogue: EpilogueSpec,
) -> BlockOutput<5> {
    assert!(
        !(epilogue.pool && epilogue.dropout.is_some()),
        "dropout is not pooled here"
    );
    let spec = BlockSpec {
        geometry: Some(geometry),
        epilogue: Some(epilogue),
    };
    block(x, weight, parameters, spec)
}

fn block<const I: usize, const O: usize>(
    x: Tensor<I>,
    weight: Tensor<3>,
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
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    let (y, mean, variance) = Dispatch::zoo_block(x, weight, parameters, spec);
    BlockOutput {
        y: Tensor::from_dispatch(y),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// 2x2 max pooling with stride 2; see [`plain::max_pool2d`].
pub fn max_pool2d(x: Tensor<5>) -> Tensor<5> {
    if !has_kernels(&x.device()) {
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        if has_gpu_kernels(&x.device(), x.dtype()) {
            return gpu::max_pool2d(x);
        }
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

/// One step of Adam or AdamW (Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019,
/// algorithm 2): the new value, first and second moment.
///
/// # Shapes
/// All one shape, `[replicas, ..]`.
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

/// One step of an exponential moving average: `keep` of it and `share` of `new`.
///
/// # Shapes
/// All one shape. They carry no gradients.
pub fn average_step(average: Tensor<2>, new: Tensor<2>, [keep, share]: [f64; 2]) -> Tensor<2> {
    if !has_kernels(&average.device()) {
        return plain::average_step(average, new, [keep, share]);
    }
    let (average, new) = (average.into_dispatch(), new.into_dispatch());
    Tensor::from_dispatch(Dispatch::zoo_average(average, new, [keep, share]))
}

/// One step of SGD, the velocity holding gradients and not steps (Sutskever et al. 2013, in PyTorch's
/// form): the new value, and the new velocity where there is one.
///
/// # Shapes
/// All one shape, `[replicas, ..]`.
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
