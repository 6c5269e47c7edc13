//! The trait that adds the GPU operations to burn's backends.

use super::arguments::{KEY_WORDS, MaskDraw, NormChannels, NormSpec};
use super::functions::NormFunction;
use super::{columns, epilogue, masks, windows};
use crate::geometry::Geometry;
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata, backend_extension};
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;

/// Shape `[replicas, channels]` of `[replicas, rows, channels]`.
fn without_rows(x: &Shape) -> Shape {
    let [replicas, _, channels] = x.dims();
    Shape::new([replicas, channels])
}

fn sums_over_rows(x: &TensorSpec) -> TensorSpec {
    TensorSpec::new(without_rows(&x.shape), x.dtype)
}

/// Operations that have GPU kernels.
///
/// Only convolution, bias, max pooling and the norm with its activation are differentiable. The
/// others return constants.
#[backend_extension(Cube, Fusion, Autodiff)]
pub(crate) trait GpuKernels: Backend {
    /// See [`super::mask`]; `keys` holds the key schedules of all replicas.
    #[fusion(dtype = DType::F32, shape = Shape::new([keys.num_elements() / KEY_WORDS, draw.columns]))]
    fn zoo_mask(keys: IntTensor<Self>, draw: MaskDraw) -> FloatTensor<Self>;

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

    /// The sum of every column over the rows.
    #[fusion(dtype = x, shape = without_rows(x))]
    fn zoo_column_sums(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`super::api::add_bias`].
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

    /// See [`super::normed_activation`].
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

    /// See [`super::conv2d`]; without a bias.
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
    fn zoo_mask(keys: IntTensor<Self>, draw: MaskDraw) -> FloatTensor<Self> {
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
        columns::sum(x, None, NormFunction::IDENTITY, 1.0)
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
