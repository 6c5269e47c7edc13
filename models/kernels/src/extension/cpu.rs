//! The operations on tensors of a CPU backend: kernels called with the tensors' slices.

use super::kernels::{AdamState, ChannelParameters, OptionalTensor, SgdState};
use crate::cpu::block::{self, BlockShape, ImageShape, Parameters, Saved};
use crate::cpu::buffers::Buffer;
use crate::cpu::loss::{self, LossShape};
use crate::cpu::max_pool::{self, PoolShape};
use crate::cpu::real::Real;
use crate::cpu::tensors::CpuTensors;
use crate::cpu::{adam, average, avg_pool, sgd};
use crate::optimizer::{AdamStep, SgdStep};
use crate::spec::BlockSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Shape;

/// Runs `$body` with the type `$t` bound to the element type of `$tensor`.
macro_rules! with_element_type {
    ($tensor:expr, $t:ident => $body:expr) => {
        match $tensor.dtype() {
            DType::F64 => {
                type $t = f64;
                $body
            }
            _ => {
                type $t = f32;
                $body
            }
        }
    };
}
pub(super) use with_element_type;

/// The tensor in row-major layout.
pub(super) fn row_major<B: CpuTensors>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    B::row_major(tensor)
}

pub(super) fn dims<const D: usize>(shape: &Shape) -> [usize; D] {
    shape.dims()
}

/// Tensors that a block reads, in row-major layout.
#[derive(Clone, Debug)]
pub(super) struct BlockInput<B: Backend> {
    pub(super) x: FloatTensor<B>,
    /// Weights; absent for an epilogue alone.
    pub(super) w: OptionalTensor<B>,
    parameters: ChannelParameters<B>,
}

impl<B: CpuTensors> BlockInput<B> {
    pub(super) fn new(
        x: FloatTensor<B>,
        w: OptionalTensor<B>,
        parameters: ChannelParameters<B>,
    ) -> Self {
        let optional = |tensor: OptionalTensor<B>| match tensor {
            OptionalTensor::Present(tensor) => OptionalTensor::Present(row_major::<B>(tensor)),
            OptionalTensor::Absent => OptionalTensor::Absent,
        };
        Self {
            x: row_major::<B>(x),
            w: optional(w),
            parameters: ChannelParameters {
                bias: optional(parameters.bias),
                scale: optional(parameters.scale),
                center: optional(parameters.center),
                mean: optional(parameters.mean),
                variance: optional(parameters.variance),
            },
        }
    }

    pub(super) fn parameters<T: Real>(&self) -> Parameters<'_, T> {
        fn values<B: CpuTensors, T: Real>(tensor: &OptionalTensor<B>) -> Option<&[T]> {
            tensor.as_ref().map(|tensor| B::values(tensor))
        }
        let p = &self.parameters;
        Parameters {
            weight: values(&self.w).unwrap_or_default(),
            bias: values(&p.bias),
            scale: values(&p.scale),
            center: values(&p.center),
            statistics: values(&p.mean).zip(values(&p.variance)).map(<[_; 2]>::from),
        }
    }

    pub(super) fn shape(&self, spec: &BlockSpec) -> BlockShape {
        let Some(w) = self.w.as_ref() else {
            let [replicas, batch, outputs] = dims(&self.x.shape());
            return BlockShape {
                replicas,
                batch,
                image: None,
                inputs: 0,
                outputs,
            };
        };
        let [replicas, _, outputs] = dims(&w.shape());
        let (batch, inputs, image) = match spec.geometry {
            None => {
                let x = self.x.shape();
                (x[1], x[2..].iter().product(), None)
            }
            Some(geometry) => {
                let [_, batch, height, width, inputs] = dims(&self.x.shape());
                let image = ImageShape {
                    height,
                    width,
                    geometry,
                };
                (batch, inputs, Some(image))
            }
        };
        BlockShape {
            replicas,
            batch,
            image,
            inputs,
            outputs,
        }
    }
}

pub(super) fn block_forward<B: CpuTensors, T: Real>(
    input: &BlockInput<B>,
    spec: &BlockSpec,
) -> (FloatTensor<B>, Saved<T>) {
    let s = input.shape(spec);
    let epilogue = spec.epilogue.as_ref();
    let x = B::values::<T>(&input.x);
    let out = block::forward(&s, x, &input.parameters(), epilogue);
    let shape = match s.output(epilogue) {
        None => Shape::new([s.replicas, s.batch, s.outputs]),
        Some((height, width)) => Shape::new([s.replicas, s.batch, height, width, s.outputs]),
    };
    (B::from_buffer(out.y, shape), out.saved)
}

/// Mean and biased variance that the norm used; zeros without a norm.
pub(super) fn norm_statistics<B: CpuTensors, T: Real>(
    input: &BlockInput<B>,
    spec: &BlockSpec,
    saved: &Saved<T>,
) -> [FloatTensor<B>; 2] {
    let BlockShape {
        replicas, outputs, ..
    } = input.shape(spec);
    [&saved.mean, &saved.variance].map(|values| {
        let mut values = values.clone();
        values.resize(replicas * outputs, T::ZERO);
        B::from_vec(values, Shape::new([replicas, outputs]))
    })
}

pub(super) fn pool_shape(x: &Shape) -> PoolShape {
    let [replicas, batch, height, width, channels] = dims(x);
    PoolShape {
        images: replicas * batch,
        height,
        width,
        channels,
    }
}

/// The maxima, and the corner of each window that holds them.
pub(super) fn pool_forward<B: CpuTensors, T: Real>(
    x: &FloatTensor<B>,
) -> (FloatTensor<B>, Buffer<u8>) {
    let [r, n, h, w, c] = dims(&x.shape());
    let (y, corners) = max_pool::forward(pool_shape(&x.shape()), B::values::<T>(x));
    (
        B::from_buffer(y, Shape::new([r, n, h / 2, w / 2, c])),
        corners,
    )
}

/// The means of the windows.
pub(super) fn avg_pool_forward<B: CpuTensors, T: Real>(x: &FloatTensor<B>) -> FloatTensor<B> {
    let [r, n, h, w, c] = dims(&x.shape());
    let y = avg_pool::forward(pool_shape(&x.shape()), B::values::<T>(x));
    B::from_buffer(y, Shape::new([r, n, h / 2, w / 2, c]))
}

/// The losses, and the gradient of each replica's loss with respect to its logits.
pub(super) fn loss_forward<B: CpuTensors, T: Real>(
    logits: &FloatTensor<B>,
    labels: IntTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let [replicas, rows, classes] = dims(&logits.shape());
    let s = LossShape {
        replicas,
        rows,
        classes,
    };
    let (losses, gradient) = loss::forward(s, B::values::<T>(logits), &B::integers(labels));
    (
        B::from_vec(losses, Shape::new([replicas])),
        B::from_vec(gradient, logits.shape()),
    )
}

pub(super) fn adam_step<B: CpuTensors, T: Real>(
    state: AdamState<B>,
    gradient: FloatTensor<B>,
    step: &AdamStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let gradient = row_major::<B>(gradient);
    let [mut value, mut first, mut second] =
        [state.value, state.first, state.second].map(row_major::<B>);
    adam::step(
        step,
        B::values_mut::<T>(&mut value),
        B::values(&gradient),
        B::values_mut(&mut first),
        B::values_mut(&mut second),
    );
    (value, first, second)
}

pub(super) fn average_step<B: CpuTensors, T: Real>(
    average: FloatTensor<B>,
    new: FloatTensor<B>,
    weights: [f64; 2],
) -> FloatTensor<B> {
    let (mut average, new) = (row_major::<B>(average), row_major::<B>(new));
    average::step(weights, B::values_mut::<T>(&mut average), B::values(&new));
    average
}

pub(super) fn sgd_step<B: CpuTensors, T: Real>(
    value: FloatTensor<B>,
    gradient: FloatTensor<B>,
    step: &SgdStep,
) -> FloatTensor<B> {
    let (mut value, gradient) = (row_major::<B>(value), row_major::<B>(gradient));
    let gradient = B::values(&gradient);
    sgd::step(step, B::values_mut::<T>(&mut value), gradient, None);
    value
}

pub(super) fn momentum_step<B: CpuTensors, T: Real>(
    state: SgdState<B>,
    gradient: FloatTensor<B>,
    step: &SgdStep,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let gradient = row_major::<B>(gradient);
    let [mut value, mut velocity] = [state.value, state.velocity].map(row_major::<B>);
    sgd::step(
        step,
        B::values_mut::<T>(&mut value),
        B::values(&gradient),
        Some(B::values_mut(&mut velocity)),
    );
    (value, velocity)
}
