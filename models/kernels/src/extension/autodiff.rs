//! Derivatives of the kernels' operations.

use super::{
    AdamState, BlockInput, ChannelParameters, Kernels, Optional, SgdState, block_forward, by_type,
    dims, loss_forward, pool_forward, pool_sizes, rm, statistics,
};
use crate::cpu::adam::AdamStep;
use crate::cpu::block::{self, Saved};
use crate::cpu::buffers::Buffer;
use crate::cpu::pool;
use crate::cpu::sgd::SgdStep;
use crate::cpu::tensors::CpuTensors;
use crate::spec::BlockSpec;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, AutodiffBackend, Backend, TensorMetadata};
use burn::tensor::{DType, Shape};
use std::any::Any;
use std::sync::Arc;

impl<B: CpuTensors + Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn zoo_block(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        parameters: ChannelParameters<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let inner = |tensor: &Optional<Self>| match tensor {
            Optional::Given(tensor) => Optional::Given(tensor.primitive().clone()),
            Optional::Absent => Optional::Absent,
        };
        let given = ChannelParameters {
            bias: inner(&parameters.bias),
            scale: inner(&parameters.scale),
            center: inner(&parameters.center),
            mean: inner(&parameters.mean),
            variance: inner(&parameters.variance),
        };
        let input = BlockInput::<B>::new(x.primitive().clone(), w.primitive().clone(), given);
        let learned = [&parameters.bias, &parameters.scale, &parameters.center];
        let given = learned.into_iter().filter_map(Optional::as_ref);
        let nodes: Vec<_> = given.map(|tensor| tensor.node()).collect();
        let constant = |tensor| <Self as AutodiffBackend>::from_inner(tensor);
        by_type!(input.x, T => {
            let (y, saved) = block_forward::<B, T>(&input, &spec);
            let [mean, variance] = statistics::<B, T>(&input, &saved);
            let state = BlockState {
                input,
                saved: Arc::new(saved) as Arc<dyn Any + Send + Sync>,
                spec,
            };
            let (x, w) = (x.node(), w.node());
            let y = match <[Guard; 3]>::try_from(nodes) {
                Ok([a, b, c]) => finish::<B, C, _, 5>(BlockBackward, [x, w, a, b, c], state, y),
                Err(nodes) => match <[Guard; 2]>::try_from(nodes) {
                    Ok([a, b]) => finish::<B, C, _, 4>(BlockBackward, [x, w, a, b], state, y),
                    Err(nodes) => match <[Guard; 1]>::try_from(nodes) {
                        Ok([a]) => finish::<B, C, _, 3>(BlockBackward, [x, w, a], state, y),
                        Err(_) => finish::<B, C, _, 2>(BlockBackward, [x, w], state, y),
                    },
                },
            };
            (y, constant(mean), constant(variance))
        })
    }

    fn zoo_max_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let input = rm::<B>(x.primitive().clone());
        let (y, winners) = by_type!(input, T => pool_forward::<B, T>(&input));
        let state = (input.shape(), Arc::new(winners));
        finish::<B, C, _, 1>(PoolBackward, [x.node()], state, y)
    }

    fn zoo_cross_entropy(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self> {
        let input = rm::<B>(logits.primitive().clone());
        let (losses, gradient) = by_type!(input, T => loss_forward::<B, T>(&input, labels));
        finish::<B, C, _, 1>(LossBackward, [logits.node()], gradient, losses)
    }

    fn zoo_adam(
        state: AdamState<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let state = AdamState {
            value: state.value.into_primitive(),
            first: state.first.into_primitive(),
            second: state.second.into_primitive(),
        };
        let (value, first, second) = B::zoo_adam(state, gradient.into_primitive(), step);
        let constant = |t| <Self as AutodiffBackend>::from_inner(t);
        (constant(value), constant(first), constant(second))
    }

    fn zoo_average(
        average: FloatTensor<Self>,
        new: FloatTensor<Self>,
        weights: [f64; 2],
    ) -> FloatTensor<Self> {
        let average = B::zoo_average(average.into_primitive(), new.into_primitive(), weights);
        <Self as AutodiffBackend>::from_inner(average)
    }

    fn zoo_sgd(
        value: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> FloatTensor<Self> {
        let value = B::zoo_sgd(value.into_primitive(), gradient.into_primitive(), step);
        <Self as AutodiffBackend>::from_inner(value)
    }

    fn zoo_sgd_with_momentum(
        state: SgdState<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let state = SgdState {
            value: state.value.into_primitive(),
            velocity: state.velocity.into_primitive(),
        };
        let (value, velocity) = B::zoo_sgd_with_momentum(state, gradient.into_primitive(), step);
        let constant = |t| <Self as AutodiffBackend>::from_inner(t);
        (constant(value), constant(velocity))
    }
}

pub(crate) type Guard = burn::backend::autodiff::ops::NodeGuard;

/// Records `output` as computed from `parents`.
pub(crate) fn finish<B, C, S, const N: usize>(
    step: S,
    parents: [Guard; N],
    state: S::State,
    output: FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>>
where
    B: Backend,
    C: CheckpointStrategy,
    S: Backward<B, N>,
{
    match step.prepare::<C>(parents).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(state, output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}

/// What the backward pass of a block reads.
#[derive(Clone, Debug)]
struct BlockState<B: Backend> {
    input: BlockInput<B>,
    /// A [`Saved`] of the element type.
    saved: Arc<dyn Any + Send + Sync>,
    spec: BlockSpec,
}

/// Parents: input, weights, and those of bias, scale and center that are there.
#[derive(Clone, Copy, Debug)]
struct BlockBackward;

impl<B: CpuTensors, const N: usize> Backward<B, N> for BlockBackward {
    type State = BlockState<B>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = rm::<B>(grads.consume::<B>(&ops.node));
        let BlockState { input, saved, spec } = ops.state;
        let s = input.sizes(&spec);
        by_type!(dy, T => {
            let saved = saved.downcast_ref::<Saved<T>>().expect("one element type throughout");
            let (x, p) = (B::values::<T>(&input.x), input.parameters::<T>());
            let wants_x = ops.parents[0].is_some();
            let out = B::consume::<T, _>(dy, |dy| {
                block::backward(&s, x, &p, spec.epilogue.as_ref(), saved, dy, wants_x)
            });
            if let (Some(node), Some(dx)) = (&ops.parents[0], out.x) {
                grads.register::<B>(node.id, B::lend(dx, input.x.shape()));
            }
            if let Some(node) = &ops.parents[1] {
                grads.register::<B>(node.id, B::lend(out.weight, input.w.shape()));
            }
            let channels = Shape::new([s.replicas, s.outputs]);
            let given = [
                (p.bias, out.bias),
                (p.scale, out.scale),
                (p.center, out.center),
            ];
            let given = given.into_iter().filter(|(parameter, _)| parameter.is_some());
            for (node, (_, values)) in ops.parents[2..].iter().zip(given) {
                if let Some(node) = node {
                    grads.register::<B>(node.id, B::build(values, channels.clone()));
                }
            }
        });
    }
}

#[derive(Clone, Copy, Debug)]
struct PoolBackward;

impl<B: CpuTensors> Backward<B, 1> for PoolBackward {
    /// Shape of the input and the winning corners.
    type State = (Shape, Arc<Buffer<u8>>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = rm::<B>(grads.consume::<B>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let (shape, winners) = ops.state;
        by_type!(dy, T => {
            let dx = pool::backward(pool_sizes(&shape), B::values::<T>(&dy), &winners);
            grads.register::<B>(node.id, B::lend(dx, shape));
        });
    }
}

#[derive(Clone, Copy, Debug)]
struct LossBackward;

impl<B: CpuTensors> Backward<B, 1> for LossBackward {
    /// The gradient of each replica's loss by its logits.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dl = grads.consume::<B>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        let [replicas] = dims(&dl.shape());
        let factors = B::float_reshape(dl, Shape::new([replicas, 1, 1]));
        grads.register::<B>(node.id, B::float_mul(ops.state, factors));
    }
}
