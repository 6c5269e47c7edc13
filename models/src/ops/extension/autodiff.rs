//! Derivatives of the kernels' operations.

use super::{
    AdamState, Kernels, Optional, ScaleCenter, by_type, conv_sizes, dims, linear_sizes,
    loss_forward, pool_forward, pool_sizes, rm, slice, tail_forward, tail_sizes,
};
use crate::ops::cpu::adam::AdamStep;
use crate::ops::cpu::tail::{self, TailSpec};
use crate::ops::cpu::tensors::CpuTensors;
use crate::ops::cpu::{conv, linear, pool};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, AutodiffBackend, Backend, TensorMetadata};
use burn::tensor::{DType, Shape};
use std::sync::Arc;

impl<B: CpuTensors + Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn zoo_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: Optional<Self>,
    ) -> FloatTensor<Self> {
        let run = |x, w, b| B::zoo_linear(x, w, b);
        affine_map::<B, C, _>(x, w, b, LinearBackward, run)
    }

    fn zoo_conv2d(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: Optional<Self>,
        kernel: usize,
    ) -> FloatTensor<Self> {
        let run = |x, w, b| B::zoo_conv2d(x, w, b, kernel);
        affine_map::<B, C, _>(x, w, b, ConvBackward { kernel }, run)
    }

    fn zoo_tail(
        x: FloatTensor<Self>,
        affine: ScaleCenter<Self>,
        spec: TailSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let inner = |t: &Optional<Self>| match t {
            Optional::Given(t) => Optional::Given(rm::<B>(t.primitive().clone())),
            Optional::Absent => Optional::Absent,
        };
        let given = ScaleCenter {
            scale: inner(&affine.scale),
            center: inner(&affine.center),
        };
        let input = rm::<B>(x.primitive().clone());
        let out = by_type!(input, T => tail_forward::<B, T>(&input, &given, &spec));
        let state = TailState {
            x: input,
            affine: given,
            mean: out.mean.clone(),
            variance: out.variance.clone(),
            kept: Arc::new(out.kept),
            spec,
        };
        let constant = |t| <Self as AutodiffBackend>::from_inner(t);
        let y = match (affine.scale, affine.center) {
            (Optional::Given(scale), Optional::Given(center)) => finish::<B, C, _, 3>(
                TailBackward,
                [x.node(), scale.node(), center.node()],
                state,
                out.y,
            ),
            (Optional::Given(only), Optional::Absent)
            | (Optional::Absent, Optional::Given(only)) => {
                finish::<B, C, _, 2>(TailBackward, [x.node(), only.node()], state, out.y)
            }
            (Optional::Absent, Optional::Absent) => {
                finish::<B, C, _, 1>(TailBackward, [x.node()], state, out.y)
            }
        };
        (y, constant(out.mean), constant(out.variance))
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
}

type Guard = burn::backend::autodiff::ops::NodeGuard;

/// Records `output` as computed from `parents`.
fn finish<B, C, S, const N: usize>(
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

/// Records a map that is affine in its input: input, weights and perhaps a bias.
fn affine_map<B, C, S>(
    x: FloatTensor<Autodiff<B, C>>,
    w: FloatTensor<Autodiff<B, C>>,
    b: Optional<Autodiff<B, C>>,
    step: S,
    run: impl Fn(FloatTensor<B>, FloatTensor<B>, Optional<B>) -> FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>>
where
    B: CpuTensors,
    C: CheckpointStrategy,
    S: Backward<B, 2, State = AffineState<B>> + Backward<B, 3, State = AffineState<B>>,
{
    let state = AffineState::<B> {
        x: rm::<B>(x.primitive().clone()),
        w: rm::<B>(w.primitive().clone()),
    };
    let (input, weights) = (state.x.clone(), state.w.clone());
    match b {
        Optional::Given(b) => {
            let y = run(input, weights, Optional::Given(b.primitive().clone()));
            finish::<B, C, S, 3>(step, [x.node(), w.node(), b.node()], state, y)
        }
        Optional::Absent => {
            let y = run(input, weights, Optional::Absent);
            finish::<B, C, S, 2>(step, [x.node(), w.node()], state, y)
        }
    }
}

/// What the backward pass of a linear map or convolution reads.
#[derive(Clone, Debug)]
struct AffineState<B: Backend> {
    x: FloatTensor<B>,
    w: FloatTensor<B>,
}

#[derive(Clone, Copy, Debug)]
struct LinearBackward;

impl<B: CpuTensors, const N: usize> Backward<B, N> for LinearBackward {
    type State = AffineState<B>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = rm::<B>(grads.consume::<B>(&ops.node));
        let AffineState { x, w } = ops.state;
        let s = linear_sizes(&x.shape(), &w.shape());
        by_type!(dy, T => {
            let (xs, ws, dys) = (B::values::<T>(&x), B::values::<T>(&w), B::values::<T>(&dy));
            if let Some(node) = &ops.parents[0] {
                let dx = linear::input_gradient(s, dys, ws);
                grads.register::<B>(node.id, B::build(dx, x.shape()));
            }
            if let Some(node) = &ops.parents[1] {
                let dw = linear::weight_gradient(s, xs, dys);
                grads.register::<B>(node.id, B::build(dw, w.shape()));
            }
            if let Some(Some(node)) = ops.parents.get(2) {
                let db = linear::bias_gradient(s, dys);
                grads.register::<B>(node.id, B::build(db, Shape::new([s.replicas, s.outputs])));
            }
        });
    }
}

#[derive(Clone, Copy, Debug)]
struct ConvBackward {
    kernel: usize,
}

impl<B: CpuTensors, const N: usize> Backward<B, N> for ConvBackward {
    type State = AffineState<B>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = rm::<B>(grads.consume::<B>(&ops.node));
        let AffineState { x, w } = ops.state;
        let s = conv_sizes(&x.shape(), &w.shape(), self.kernel);
        by_type!(dy, T => {
            let (xs, ws, dys) = (B::values::<T>(&x), B::values::<T>(&w), B::values::<T>(&dy));
            if let Some(node) = &ops.parents[0] {
                let dx = conv::input_gradient(s, dys, ws);
                grads.register::<B>(node.id, B::build(dx, x.shape()));
            }
            if let Some(node) = &ops.parents[1] {
                let dw = conv::weight_gradient(s, xs, dys);
                grads.register::<B>(node.id, B::build(dw, w.shape()));
            }
            if let Some(Some(node)) = ops.parents.get(2) {
                let rows = linear::Sizes {
                    replicas: s.replicas,
                    rows: s.batch * s.height * s.width,
                    inputs: 0,
                    outputs: s.outputs,
                };
                let db = linear::bias_gradient(rows, dys);
                grads.register::<B>(node.id, B::build(db, Shape::new([s.replicas, s.outputs])));
            }
        });
    }
}

/// What the backward pass of a tail reads.
#[derive(Clone, Debug)]
struct TailState<B: Backend> {
    x: FloatTensor<B>,
    affine: ScaleCenter<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    kept: Arc<Vec<u8>>,
    spec: TailSpec,
}

#[derive(Clone, Copy, Debug)]
struct TailBackward;

impl<B: CpuTensors, const N: usize> Backward<B, N> for TailBackward {
    type State = TailState<B>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = rm::<B>(grads.consume::<B>(&ops.node));
        let state = ops.state;
        let s = tail_sizes(&state.x.shape());
        let (scale, center) = (state.affine.scale.as_ref(), state.affine.center.as_ref());
        by_type!(dy, T => {
            let saved = tail::Saved {
                x: B::values::<T>(&state.x),
                scale: slice::<B, T>(scale),
                center: slice::<B, T>(center),
                mean: B::values::<T>(&state.mean),
                variance: B::values::<T>(&state.variance),
                kept: &state.kept,
            };
            let out = tail::backward(s, &state.spec, saved, B::values::<T>(&dy));
            let channels = Shape::new([s.replicas, s.channels]);
            let mut register = |index: usize, values: Vec<T>, shape: Shape| {
                if let Some(Some(node)) = ops.parents.get(index) {
                    grads.register::<B>(node.id, B::build(values, shape));
                }
            };
            register(0, out.dx, state.x.shape());
            if scale.is_some() {
                register(1, out.scale, channels.clone());
            }
            if center.is_some() {
                register(1 + usize::from(scale.is_some()), out.center, channels);
            }
        });
    }
}

#[derive(Clone, Copy, Debug)]
struct PoolBackward;

impl<B: CpuTensors> Backward<B, 1> for PoolBackward {
    /// Shape of the input and the winning corners.
    type State = (Shape, Arc<Vec<u8>>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = rm::<B>(grads.consume::<B>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let (shape, winners) = ops.state;
        by_type!(dy, T => {
            let dx = pool::backward(pool_sizes(&shape), B::values::<T>(&dy), &winners);
            grads.register::<B>(node.id, B::build(dx, shape));
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
