//! Derivatives of the GPU operations.

use super::arguments::{MaskDraw, NormChannels, NormSpec};
use super::extension::GpuKernels;
use crate::extension::record;
use crate::geometry::Geometry;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, AutodiffBackend, TensorMetadata};
use burn::tensor::Shape;

impl<B: GpuKernels, C: CheckpointStrategy> GpuKernels for Autodiff<B, C> {
    fn zoo_mask(keys: IntTensor<Self>, draw: MaskDraw) -> FloatTensor<Self> {
        Self::from_inner(B::zoo_mask(keys, draw))
    }

    fn zoo_patches(images: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self> {
        Self::from_inner(B::zoo_patches(images.into_primitive(), geometry))
    }

    fn zoo_unpatch(
        patches: FloatTensor<Self>,
        images: Shape,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        Self::from_inner(B::zoo_unpatch(patches.into_primitive(), images, geometry))
    }

    fn zoo_max_pool2d(images: FloatTensor<Self>) -> FloatTensor<Self> {
        let inner = images.primitive().clone();
        let pooled = B::zoo_max_pool2d(inner.clone());
        record::<B, C, _, 1>(PoolBackward, [images.node()], inner, pooled)
    }

    fn zoo_max_pool2d_gradient(
        images: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (images, gradient) = (images.into_primitive(), gradient.into_primitive());
        Self::from_inner(B::zoo_max_pool2d_gradient(images, gradient))
    }

    fn zoo_column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::from_inner(B::zoo_column_sums(x.into_primitive()))
    }

    fn zoo_add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let parents = [x.node(), bias.node()];
        let y = B::zoo_add_bias(x.into_primitive(), bias.into_primitive());
        record::<B, C, _, 2>(BiasBackward, parents, (), y)
    }

    fn zoo_moments(x: FloatTensor<Self>, spec: NormSpec) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (mean, variance) = B::zoo_moments(x.into_primitive(), spec);
        (Self::from_inner(mean), Self::from_inner(variance))
    }

    fn zoo_apply_norm(
        x: FloatTensor<Self>,
        channels: NormChannels<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self> {
        let y = B::zoo_apply_norm(x.into_primitive(), inner(channels), spec);
        Self::from_inner(y)
    }

    fn zoo_norm_gradient(
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        channels: NormChannels<Self>,
        spec: NormSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (x, dy) = (x.into_primitive(), dy.into_primitive());
        let (dx, scale, center) = B::zoo_norm_gradient(x, dy, inner(channels), spec);
        let constant = |tensor| Self::from_inner(tensor);
        (constant(dx), constant(scale), constant(center))
    }

    fn zoo_normed_activation(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        center: FloatTensor<Self>,
        spec: NormSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let parents = [x.node(), scale.node(), center.node()];
        let x = x.into_primitive();
        let (scale, center) = (scale.into_primitive(), center.into_primitive());
        let (y, mean, variance) =
            B::zoo_normed_activation(x.clone(), scale.clone(), center.clone(), spec.clone());
        let channels = NormChannels {
            mean: mean.clone(),
            variance: variance.clone(),
            scale,
            center,
        };
        let state = NormState { x, channels, spec };
        let y = record::<B, C, _, 3>(NormBackward, parents, state, y);
        (y, Self::from_inner(mean), Self::from_inner(variance))
    }

    fn zoo_conv2d(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let state = ConvState::<B> {
            images: images.primitive().clone(),
            weight: weight.primitive().clone(),
            geometry,
        };
        let y = B::zoo_conv2d(state.images.clone(), state.weight.clone(), geometry);
        record::<B, C, _, 2>(ConvBackward, [images.node(), weight.node()], state, y)
    }
}

fn inner<B: GpuKernels, C: CheckpointStrategy>(
    channels: NormChannels<Autodiff<B, C>>,
) -> NormChannels<B> {
    NormChannels {
        mean: channels.mean.into_primitive(),
        variance: channels.variance.into_primitive(),
        scale: channels.scale.into_primitive(),
        center: channels.center.into_primitive(),
    }
}

/// Parents: input and bias.
#[derive(Clone, Copy, Debug)]
struct BiasBackward;

impl<B: GpuKernels> Backward<B, 2> for BiasBackward {
    type State = ();

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let [x, bias] = ops.parents;
        if let Some(node) = bias {
            grads.register::<B>(node.id, B::zoo_column_sums(dy.clone()));
        }
        if let Some(node) = x {
            grads.register::<B>(node.id, dy);
        }
    }
}

/// State that the backward pass of a norm reads.
#[derive(Clone, Debug)]
struct NormState<B: GpuKernels> {
    x: FloatTensor<B>,
    channels: NormChannels<B>,
    spec: NormSpec,
}

/// Parents: input, scale and center.
#[derive(Clone, Copy, Debug)]
struct NormBackward;

impl<B: GpuKernels> Backward<B, 3> for NormBackward {
    type State = NormState<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let NormState { x, channels, spec } = ops.state;
        let (dx, scale, center) = B::zoo_norm_gradient(x, dy, channels, spec);
        for (node, gradient) in ops.parents.iter().zip([dx, scale, center]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct PoolBackward;

impl<B: GpuKernels> Backward<B, 1> for PoolBackward {
    /// The images.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        grads.register::<B>(node.id, B::zoo_max_pool2d_gradient(ops.state, dy));
    }
}

/// State that the backward pass of a convolution reads. The patches are recomputed: they are
/// `kernel * kernel` times as large as the images.
#[derive(Clone, Debug)]
struct ConvState<B: GpuKernels> {
    images: FloatTensor<B>,
    weight: FloatTensor<B>,
    geometry: Geometry,
}

#[derive(Clone, Copy, Debug)]
struct ConvBackward;

impl<B: GpuKernels> Backward<B, 2> for ConvBackward {
    type State = ConvState<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ConvState {
            images,
            weight,
            geometry,
        } = ops.state;
        let [r, n, h, w, outputs] = dy.shape().dims();
        let dy = B::float_reshape(dy, Shape::new([r, n * h * w, outputs]));
        if let Some(node) = &ops.parents[0] {
            let patches = B::float_matmul(dy.clone(), B::float_swap_dims(weight.clone(), 1, 2));
            let gradient = B::zoo_unpatch(patches, images.shape(), geometry);
            grads.register::<B>(node.id, gradient);
        }
        if let Some(node) = &ops.parents[1] {
            let patches = B::zoo_patches(images, geometry);
            let [_, taps, _] = weight.shape().dims();
            let parts = batch_parts([r, n, taps, outputs]);
            let rows = n * h * w / parts;
            let part = |t: FloatTensor<B>, columns| {
                B::float_reshape(t, Shape::new([r * parts, rows, columns]))
            };
            let patches = B::float_swap_dims(part(patches, taps), 1, 2);
            let sums = B::float_matmul(patches, part(dy, outputs));
            let sums = B::float_reshape(sums, Shape::new([r, parts, taps * outputs]));
            let gradient = B::float_reshape(B::zoo_column_sums(sums), weight.shape());
            grads.register::<B>(node.id, gradient);
        }
    }
}

/// Number of parts of the batch for which the product of a weight gradient is computed separately.
///
/// The product sums over all pixels of all images and has few results, so as one product it would
/// occupy only a few multiprocessors. The parts give at least [`MIN_TILES`] tiles of results, if the
/// batch has enough images.
fn batch_parts([replicas, batch, taps, outputs]: [usize; 4]) -> usize {
    let tiles = replicas * taps.div_ceil(TILE) * outputs.div_ceil(TILE);
    let fewest = MIN_TILES.div_ceil(tiles.max(1)).min(batch.max(1));
    (fewest..=batch)
        .find(|&parts| batch.is_multiple_of(parts))
        .unwrap_or(1)
}

/// Approximate side of the tile of results that one cube computes.
const TILE: usize = 64;
/// A few tiles per multiprocessor of a large GPU.
const MIN_TILES: usize = 512;

#[cfg(test)]
mod tests {
    use super::batch_parts;

    #[test]
    fn batch_parts_give_enough_tiles_and_keep_images_whole() {
        // One tile each; there cannot be more parts than images.
        assert_eq!(batch_parts([1, 128, 9, 32]), 128);
        assert_eq!(batch_parts([64, 128, 9, 32]), 8);
        // Five tiles of results.
        assert_eq!(batch_parts([64, 128, 288, 64]), 2);
        assert_eq!(batch_parts([1, 96, 288, 64]), 96);
        // Enough tiles without parts; a prime batch is not divided into unequal parts.
        assert_eq!(batch_parts([600, 128, 9, 32]), 1);
        assert_eq!(batch_parts([64, 13, 9, 32]), 13);
        assert_eq!(batch_parts([1, 0, 9, 32]), 1);
    }
}
