//! Derivatives of the operations with CPU kernels.

use super::cpu::{
    BlockInput, avg_pool_forward, block_forward, dims, loss_forward, norm_statistics, pool_forward,
    pool_shape, row_major, with_element_type,
};
use super::graph::record;
use super::kernels::{AdamState, ChannelParameters, Kernels, OptionalTensor, SgdState};
use crate::cpu::block::{self, OutputGradient, Saved};
use crate::cpu::buffers::Buffer;
use crate::cpu::tensors::CpuTensors;
use crate::cpu::{avg_pool, max_pool};
use crate::optimizer::{AdamStep, SgdStep};
use crate::spec::BlockSpec;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, AutodiffBackend, Backend, TensorMetadata};
use burn::tensor::{DType, Shape};
use std::any::Any;
use std::sync::Arc;

impl<B: CpuTensors + Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn zoo_block(
        x: FloatTensor<Self>,
        w: OptionalTensor<Self>,
        parameters: ChannelParameters<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let inner = |tensor: &OptionalTensor<Self>| match tensor {
            OptionalTensor::Present(tensor) => OptionalTensor::Present(tensor.primitive().clone()),
            OptionalTensor::Absent => OptionalTensor::Absent,
        };
        let inner_parameters = ChannelParameters {
            bias: inner(&parameters.bias),
            scale: inner(&parameters.scale),
            center: inner(&parameters.center),
            mean: inner(&parameters.mean),
            variance: inner(&parameters.variance),
        };
        let input = BlockInput::<B>::new(x.primitive().clone(), inner(&w), inner_parameters);
        let learned = [&w, &parameters.bias, &parameters.scale, &parameters.center];
        let present = learned.into_iter().filter_map(OptionalTensor::as_ref);
        let nodes = std::iter::once(&x).chain(present);
        let nodes: Vec<_> = nodes.map(|tensor| tensor.node()).collect();
        let constant = |tensor| <Self as AutodiffBackend>::from_inner(tensor);
        let (y, mean, variance, saved) = with_element_type!(input.x, T => {
            let (y, saved) = block_forward::<B, T>(&input, &spec);
            let [mean, variance] = norm_statistics::<B, T>(&input, &spec, &saved);
            (y, mean, variance, Arc::new(saved) as Arc<dyn Any + Send + Sync>)
        });
        let state = BlockState { input, saved, spec };
        // The number of parents is part of the type.
        macro_rules! of_either_number {
            ($($n:literal),*) => {{
                let number = nodes.len();
                let nodes = nodes.into_iter();
                match number {
                    $($n => {
                        let mut nodes = nodes;
                        let parents = [(); $n].map(|()| nodes.next().expect("there are as many"));
                        record::<B, C, _, $n>(BlockBackward, parents, state, y)
                    })*
                    _ => unreachable!("a block has at most five parents"),
                }
            }};
        }
        let y = of_either_number!(1, 2, 3, 4, 5);
        (y, constant(mean), constant(variance))
    }

    fn zoo_max_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let input = row_major::<B>(x.primitive().clone());
        let (y, corners) = with_element_type!(input, T => pool_forward::<B, T>(&input));
        let state = (input.shape(), Arc::new(corners));
        record::<B, C, _, 1>(PoolBackward, [x.node()], state, y)
    }

    fn zoo_avg_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let input = row_major::<B>(x.primitive().clone());
        let y = with_element_type!(input, T => avg_pool_forward::<B, T>(&input));
        record::<B, C, _, 1>(AvgPoolBackward, [x.node()], input.shape(), y)
    }

    fn zoo_cross_entropy(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self> {
        let input = row_major::<B>(logits.primitive().clone());
        let (losses, gradient) =
            with_element_type!(input, T => loss_forward::<B, T>(&input, labels));
        record::<B, C, _, 1>(LossBackward, [logits.node()], gradient, losses)
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

/// State that the backward pass of a block reads.
#[derive(Clone, Debug)]
struct BlockState<B: Backend> {
    input: BlockInput<B>,
    /// A [`Saved`] of the input's element type.
    saved: Arc<dyn Any + Send + Sync>,
    spec: BlockSpec,
}

/// Parents: the input, then those of weights, bias, scale and center that are present.
#[derive(Clone, Copy, Debug)]
struct BlockBackward;

impl<B: CpuTensors, const N: usize> Backward<B, N> for BlockBackward {
    type State = BlockState<B>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = row_major::<B>(grads.consume::<B>(&ops.node));
        let parents = ops.parents.map(|parent| parent.map(|node| node.id));
        block_backward(ops.state, dy, &parents, grads);
    }
}

/// Registers the gradients of a block's tracked parents. Compiled once for all numbers of parents.
fn block_backward<B: CpuTensors>(
    state: BlockState<B>,
    dy: FloatTensor<B>,
    parents: &[Option<NodeId>],
    grads: &mut Gradients,
) {
    let BlockState { input, saved, spec } = state;
    let shape = input.shape(&spec);
    with_element_type!(dy, T => {
        let saved = saved.downcast_ref::<Saved<T>>().expect("one element type throughout");
        let (x, p) = (B::values::<T>(&input.x), input.parameters::<T>());
        let wants_x = parents[0].is_some();
        let epilogue = spec.epilogue.as_ref();
        let out = match shape.is_linear() {
            true => B::consume::<T, _>(dy, |dy| {
                block::backward(&shape, x, &p, epilogue, saved, dy, wants_x)
            }),
            false => {
                let mut dx = Buffer::unspecified(x.len());
                let dy = OutputGradient { d: &mut dx, source: Some(B::values(&dy)) };
                let out = block::backward(&shape, x, &p, epilogue, saved, dy, wants_x);
                block::Gradients { x: Some(dx), ..out }
            }
        };
        let mut parents = parents.iter().copied();
        if let (Some(Some(id)), Some(dx)) = (parents.next(), out.x) {
            grads.register::<B>(id, B::from_buffer(dx, input.x.shape()));
        }
        if let Some(w) = input.w.as_ref()
            && let Some(Some(id)) = parents.next()
        {
            grads.register::<B>(id, B::from_buffer(out.weight, w.shape()));
        }
        let channels = Shape::new([shape.replicas, shape.outputs]);
        let present = [
            (p.bias, out.bias),
            (p.scale, out.scale),
            (p.center, out.center),
        ];
        let present = present.into_iter().filter(|(parameter, _)| parameter.is_some());
        for (id, (_, values)) in parents.zip(present) {
            if let Some(id) = id {
                grads.register::<B>(id, B::from_vec(values, channels.clone()));
            }
        }
    });
}

#[derive(Clone, Copy, Debug)]
struct PoolBackward;

impl<B: CpuTensors> Backward<B, 1> for PoolBackward {
    /// Shape of the input, and the corner of each window that holds the maximum.
    type State = (Shape, Arc<Buffer<u8>>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = row_major::<B>(grads.consume::<B>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let (shape, corners) = ops.state;
        with_element_type!(dy, T => {
            let dx = max_pool::backward(pool_shape(&shape), B::values::<T>(&dy), &corners);
            grads.register::<B>(node.id, B::from_buffer(dx, shape));
        });
    }
}

#[derive(Clone, Copy, Debug)]
struct AvgPoolBackward;

impl<B: CpuTensors> Backward<B, 1> for AvgPoolBackward {
    /// Shape of the input.
    type State = Shape;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = row_major::<B>(grads.consume::<B>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let shape = ops.state;
        with_element_type!(dy, T => {
            let dx = avg_pool::backward(pool_shape(&shape), B::values::<T>(&dy));
            grads.register::<B>(node.id, B::from_buffer(dx, shape));
        });
    }
}

#[derive(Clone, Copy, Debug)]
struct LossBackward;

impl<B: CpuTensors> Backward<B, 1> for LossBackward {
    /// The gradient of each replica's loss with respect to its logits.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dl = grads.consume::<B>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        let [replicas] = dims(&dl.shape());
        let factors = B::float_reshape(dl, Shape::new([replicas, 1, 1]));
        grads.register::<B>(node.id, B::float_mul(ops.state, factors));
    }
}
