//! Public operations: GPU kernels where they run, the CPU or plain version elsewhere.

use super::arguments::{KEY_WORDS, MaskDraw, NormSpec};
use super::extension::GpuKernels;
use super::functions::Function;
use crate::activation::Activation;
use crate::geometry::Geometry;
use crate::spec::BlockOutput;
use crate::{operations, plain};
use ablate_streams::{Stream, key_schedule};
use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// Whether `device` runs the GPU kernels on tensors of type `dtype`: GPUs in single precision.
pub fn has_gpu_kernels(device: &Device, dtype: DType) -> bool {
    !operations::has_kernels(device) && dtype == DType::F32
}

/// Whether [`normed_activation`] can compute `activation`.
pub fn has_kernel(activation: Activation) -> bool {
    Function::of(activation).is_some()
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
    match bias {
        Some(bias) if has_gpu_kernels(&x.device(), x.dtype()) => {
            add_bias(plain::linear(x.flatten(2, D - 1), weight, None), bias)
        }
        bias => operations::linear(x, weight, bias),
    }
}

/// 2-d convolution; see [`plain::conv2d`].
///
/// # Shapes
/// As there.
pub fn conv2d(
    x: Tensor<5>,
    weight: Tensor<3>,
    bias: Option<Tensor<2>>,
    geometry: Geometry,
) -> Tensor<5> {
    if !has_gpu_kernels(&x.device(), x.dtype()) {
        return operations::conv2d(x, weight, bias, geometry);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    let y = Tensor::<5>::from_dispatch(Dispatch::zoo_conv2d(x, weight, geometry));
    let Some(bias) = bias else { return y };
    let shape = y.dims();
    let rows = y.reshape([shape[0], shape[1] * shape[2] * shape[3], shape[4]]);
    add_bias(rows, bias).reshape(shape)
}

/// 2x2 max pooling with stride 2; see [`plain::max_pool2d`].
///
/// # Shapes
/// As there.
pub fn max_pool2d(x: Tensor<5>) -> Tensor<5> {
    if !has_gpu_kernels(&x.device(), x.dtype()) {
        return operations::max_pool2d(x);
    }
    Tensor::from_dispatch(Dispatch::zoo_max_pool2d(x.into_dispatch()))
}

/// Dropout masks: 0 for dropped elements, `draw.kept` for kept ones. An element is dropped if its
/// number in the replica's stream ([`Stream::half_words`]) is below the threshold.
///
/// Not differentiable.
///
/// # Shapes
/// - output: `[replicas, columns]`, in single precision
pub fn mask(streams: &[Stream], draw: MaskDraw, device: Device) -> Tensor<2> {
    let keys: Vec<u32> = streams
        .iter()
        .flat_map(|stream| key_schedule(stream.key()))
        .collect();
    let keys = TensorData::new(keys, [streams.len() * KEY_WORDS]);
    let keys = Tensor::<1, Int>::from_data(keys, (&device.inner(), DType::U32));
    Tensor::from_dispatch(Dispatch::zoo_mask(keys.into_dispatch(), draw))
}

/// Adds a bias per channel.
///
/// # Shapes
/// - `x`: `[replicas, rows, channels]`, in single precision
/// - `bias`: `[replicas, channels]`
/// - output: as `x`
pub(super) fn add_bias(x: Tensor<3>, bias: Tensor<2>) -> Tensor<3> {
    let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::zoo_add_bias(x, bias))
}

/// Batch norm with the statistics of the batch, and the activation before or after it.
///
/// # Shapes
/// - `x`: `[replicas, rows, channels]`, in single precision
/// - `scale`, `center`: `[replicas, channels]`; 1 and 0 if absent
/// - output: as `x`
pub fn normed_activation(
    x: Tensor<3>,
    [scale, center]: [Option<Tensor<2>>; 2],
    spec: NormSpec,
) -> BlockOutput<3> {
    let [replicas, _, channels] = x.dims();
    let device = x.device();
    let absent = |value: f64| Tensor::full([replicas, channels], value, (&device, DType::F32));
    let scale = scale.unwrap_or_else(|| absent(1.0)).into_dispatch();
    let center = center.unwrap_or_else(|| absent(0.0)).into_dispatch();
    let (y, mean, variance) =
        Dispatch::zoo_normed_activation(x.into_dispatch(), scale, center, spec);
    BlockOutput {
        y: Tensor::from_dispatch(y),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}
