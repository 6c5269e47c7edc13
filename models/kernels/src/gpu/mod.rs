//! What burn's operations leave to the host, or split into many passes over memory, as kernels in
//! CubeCL: one source for all GPUs. Products are burn's, which tunes them to the device.

mod columns;
mod differentiate;
mod epilogue;
mod functions;
mod masks;
#[cfg(all(test, feature = "wgpu", feature = "flex"))]
mod tests;
mod windows;

use crate::activation::Activation;
use crate::geometry::Geometry;
use crate::operations::BlockOutput;
use crate::spec::NormSpec;
use ablate_streams::{Stream, key_schedule};
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, ExtensionType, TensorMetadata, backend_extension};
use burn::tensor::{DType, Device, Int, Shape, Tensor, TensorData};
use burn_cubecl::CubeBackend;

/// What to draw for every replica.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    /// The step of the streams.
    pub(crate) step: u64,
    /// A 16-bit number below this drops.
    pub(crate) threshold: u32,
    /// What stands where nothing is dropped.
    pub(crate) kept: f32,
    /// Numbers a replica.
    pub(crate) columns: usize,
}

/// Words of a [`key_schedule`].
const KEY_WORDS: usize = 5;

/// What a norm has for every channel, `[replicas, channels]` each.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion)]
pub(crate) struct NormChannels<B: Backend> {
    pub(crate) mean: FloatTensor<B>,
    pub(crate) variance: FloatTensor<B>,
    pub(crate) scale: FloatTensor<B>,
    pub(crate) center: FloatTensor<B>,
}

/// `[replicas, channels]` of `[replicas, rows, channels]`.
fn without_rows(x: &Shape) -> Shape {
    let [replicas, _, channels] = x.dims();
    Shape::new([replicas, channels])
}

fn sums_over_rows(x: &TensorSpec) -> TensorSpec {
    TensorSpec::new(without_rows(&x.shape), x.dtype)
}

/// Only convolution, bias, max pooling and the norm with its activation are differentiable: what
/// the others return are constants.
#[backend_extension(Cube, Fusion, Autodiff)]
pub(crate) trait GpuKernels: Backend {
    /// See [`mask`]; `keys` holds the key schedules of all replicas, one after the other.
    #[fusion(dtype = DType::F32, shape = Shape::new([keys.num_elements() / KEY_WORDS, draw.columns]))]
    fn zoo_mask(keys: IntTensor<Self>, draw: Draw) -> FloatTensor<Self>;

    /// See [`windows::patches`].
    #[fusion(dtype = images, shape = windows::patches_shape(images, *geometry))]
    fn zoo_patches(images: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self>;

    /// See [`windows::unpatch`].
    #[fusion(dtype = patches, shape = images.clone())]
    fn zoo_unpatch(
        patches: FloatTensor<Self>,
        images: Shape,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// See [`windows::max_pool`].
    #[fusion(dtype = images, shape = windows::pooled_shape(images))]
    fn zoo_max_pool2d(images: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`windows::max_pool_gradient`].
    #[fusion(dtype = images, shape = images)]
    fn zoo_max_pool2d_gradient(
        images: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The sum of every column.
    #[fusion(dtype = x, shape = without_rows(x))]
    fn zoo_column_sums(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`add_bias`].
    #[fusion(default)]
    fn zoo_add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let [replicas, _, channels] = x.shape().dims();
        let bias = Self::float_reshape(bias, Shape::new([replicas, 1, channels]));
        Self::float_add(x, bias)
    }

    /// See [`epilogue::moments`].
    #[fusion(meta = |x, _spec| (sums_over_rows(x), sums_over_rows(x)))]
    fn zoo_moments(x: FloatTensor<Self>, spec: NormSpec) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// See [`epilogue::apply`].
    #[fusion(dtype = x, shape = x)]
    fn zoo_apply_norm(
        x: FloatTensor<Self>,
        #[extension_type] channels: NormChannels<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self>;

    /// See [`epilogue::gradient`].
    #[fusion(meta = |x, _dy, _channels, _spec| (x.clone(), sums_over_rows(x), sums_over_rows(x)))]
    fn zoo_norm_gradient(
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        #[extension_type] channels: NormChannels<Self>,
        spec: NormSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// See [`normed_activation`].
    #[fusion(default)]
    fn zoo_normed_activation(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        center: FloatTensor<Self>,
        spec: NormSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (mean, variance) = Self::zoo_moments(x.clone(), spec.clone());
        let channels = NormChannels {
            mean: mean.clone(),
            variance: variance.clone(),
            scale,
            center,
        };
        (Self::zoo_apply_norm(x, channels, spec), mean, variance)
    }

    /// See [`conv2d`].
    #[fusion(default)]
    fn zoo_conv2d(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let [r, n, h, w, _] = images.shape().dims();
        let [_, _, outputs] = weight.shape().dims();
        let product = Self::float_matmul(Self::zoo_patches(images, geometry), weight);
        let shape = [r, n, geometry.output(h), geometry.output(w), outputs];
        Self::float_reshape(product, Shape::new(shape))
    }
}

impl GpuKernels for CubeBackend {
    fn zoo_mask(keys: IntTensor<Self>, draw: Draw) -> FloatTensor<Self> {
        masks::launch(keys, &draw)
    }

    fn zoo_patches(images: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self> {
        windows::patches(images, geometry)
    }

    fn zoo_unpatch(
        patches: FloatTensor<Self>,
        images: Shape,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        windows::unpatch(patches, &images, geometry)
    }

    fn zoo_max_pool2d(images: FloatTensor<Self>) -> FloatTensor<Self> {
        windows::max_pool(images)
    }

    fn zoo_max_pool2d_gradient(
        images: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        windows::max_pool_gradient(images, gradient)
    }

    fn zoo_column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        columns::sum(x, None, functions::Epilogue::NONE, 1.0)
    }

    fn zoo_moments(x: FloatTensor<Self>, spec: NormSpec) -> (FloatTensor<Self>, FloatTensor<Self>) {
        epilogue::moments(x, &spec)
    }

    fn zoo_apply_norm(
        x: FloatTensor<Self>,
        channels: NormChannels<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self> {
        epilogue::apply(x, channels, &spec)
    }

    fn zoo_norm_gradient(
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        channels: NormChannels<Self>,
        spec: NormSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        epilogue::gradient(x, dy, channels, &spec)
    }
}

/// Dropout masks: 0 where the 16-bit number of the replica's stream ([`Stream::half_words`]) drops.
/// Nothing here is differentiable.
///
/// # Shapes
/// `[replicas, columns]`, in single precision
pub(crate) fn mask(streams: &[Stream], draw: Draw, device: Device) -> Tensor<2> {
    let keys: Vec<u32> = streams
        .iter()
        .flat_map(|stream| key_schedule(stream.key()))
        .collect();
    let keys = TensorData::new(keys, [streams.len() * KEY_WORDS]);
    let keys = Tensor::<1, Int>::from_data(keys, (&device.inner(), DType::U32));
    Tensor::from_dispatch(Dispatch::zoo_mask(keys.into_dispatch(), draw))
}

/// 2-d convolution without a bias; see [`super::plain::conv2d`].
///
/// # Shapes
/// As there, in single precision
pub(crate) fn conv2d(x: Tensor<5>, weight: Tensor<3>, geometry: Geometry) -> Tensor<5> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(Dispatch::zoo_conv2d(x, weight, geometry))
}

/// 2x2 max pooling; see [`super::plain::max_pool2d`].
///
/// # Shapes
/// As there, in single precision
pub(crate) fn max_pool2d(x: Tensor<5>) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::zoo_max_pool2d(x.into_dispatch()))
}

/// `x` and a bias for every channel.
///
/// # Shapes
/// - `x`: `[replicas, rows, channels]`, in single precision
/// - `bias`: `[replicas, channels]`
/// - output: as `x`
pub(crate) fn add_bias(x: Tensor<3>, bias: Tensor<2>) -> Tensor<3> {
    let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::zoo_add_bias(x, bias))
}

/// True if [`normed_activation`] can compute `activation`.
pub fn has_kernel(activation: Activation) -> bool {
    functions::Function::of(activation).is_some()
}

/// Batch norm with the statistics of the batch, and the activation on its side of it.
///
/// # Shapes
/// - `x`: `[replicas, rows, channels]`, in single precision
/// - `scale`, `center`: `[replicas, channels]`; 1 and 0 where absent
/// - output: as `x`
pub(crate) fn normed_activation(
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
