//! The kernels as operations of burn, differentiable by hand-written backward passes.

#![cfg_attr(
    feature = "ndarray",
    expect(
        deprecated,
        reason = "burn-ndarray is deprecated upstream in favour of burn-flex; both are supported here"
    )
)]

mod autodiff;

#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub(super) use autodiff::finish;

use crate::cpu::adam::{self, AdamStep};
use crate::cpu::block::{self, Image, Parameters, Saved, Sizes};
use crate::cpu::buffers::Buffer;
use crate::cpu::real::Real;
use crate::cpu::sgd::{self, SgdStep};
use crate::cpu::tensors::CpuTensors;
use crate::cpu::{average, loss, pool};
use crate::spec::BlockSpec;
#[cfg(feature = "flex")]
use burn::backend::Flex;
#[cfg(feature = "ndarray")]
use burn::backend::NdArray;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, ExtensionType, TensorMetadata, backend_extension};
use burn::tensor::{DType, Shape};

/// A tensor that may be absent.
#[derive(ExtensionType, Clone, Debug)]
pub(crate) enum Optional<B: Backend> {
    /// It is there.
    Given(FloatTensor<B>),
    /// It is not.
    Absent,
}

impl<B: Backend> Optional<B> {
    fn as_ref(&self) -> Option<&FloatTensor<B>> {
        match self {
            Self::Given(tensor) => Some(tensor),
            Self::Absent => None,
        }
    }
}

/// What a block has beside its weights, `[replicas, outputs]` each.
#[derive(ExtensionType, Clone, Debug)]
pub(crate) struct ChannelParameters<B: Backend> {
    #[extension_type]
    pub(crate) bias: Optional<B>,
    #[extension_type]
    pub(crate) scale: Optional<B>,
    #[extension_type]
    pub(crate) center: Optional<B>,
    /// Statistics to normalize with in place of the batch's: both or none.
    #[extension_type]
    pub(crate) mean: Optional<B>,
    #[extension_type]
    pub(crate) variance: Optional<B>,
}

/// What a step of Adam reads and writes.
#[derive(ExtensionType, Clone, Debug)]
pub(crate) struct AdamState<B: Backend> {
    pub(crate) value: FloatTensor<B>,
    pub(crate) first: FloatTensor<B>,
    pub(crate) second: FloatTensor<B>,
}

/// What a step of SGD with momentum reads and writes.
#[derive(ExtensionType, Clone, Debug)]
pub(crate) struct SgdState<B: Backend> {
    pub(crate) value: FloatTensor<B>,
    pub(crate) velocity: FloatTensor<B>,
}

/// Operations with kernels of their own on the CPU backends.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Autodiff
)]
pub(crate) trait Kernels: Backend {
    /// Output, mean and biased variance that the norm used; the last two mean nothing without a
    /// norm. See [`crate::dense_block`] and [`crate::conv_block`].
    fn zoo_block(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        #[extension_type] parameters: ChannelParameters<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// See [`crate::max_pool2d`].
    fn zoo_max_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`crate::cross_entropy`].
    fn zoo_cross_entropy(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self>;

    /// See [`crate::adam_step`].
    fn zoo_adam(
        #[extension_type] state: AdamState<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// See [`crate::average_step`].
    fn zoo_average(
        average: FloatTensor<Self>,
        new: FloatTensor<Self>,
        weights: [f64; 2],
    ) -> FloatTensor<Self>;

    /// See [`crate::sgd_step`], without a velocity.
    fn zoo_sgd(
        value: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> FloatTensor<Self>;

    /// See [`crate::sgd_step`], with one.
    fn zoo_sgd_with_momentum(
        #[extension_type] state: SgdState<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// Runs `$body` with `$t` bound to the element type of `$tensor`.
macro_rules! by_type {
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
use by_type;

macro_rules! implement {
    ($backend:ty) => {
        impl Kernels for $backend {
            fn zoo_block(
                x: FloatTensor<Self>,
                w: FloatTensor<Self>,
                parameters: ChannelParameters<Self>,
                spec: BlockSpec,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let input = BlockInput::<Self>::new(x, w, parameters);
                by_type!(input.x, T => {
                    let (y, saved) = block_forward::<Self, T>(&input, &spec);
                    let [mean, variance] = statistics::<Self, T>(&input, &saved);
                    (y, mean, variance)
                })
            }

            fn zoo_max_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
                let x = rm::<Self>(x);
                by_type!(x, T => pool_forward::<Self, T>(&x).0)
            }

            fn zoo_cross_entropy(
                logits: FloatTensor<Self>,
                labels: IntTensor<Self>,
            ) -> FloatTensor<Self> {
                let logits = rm::<Self>(logits);
                by_type!(logits, T => loss_forward::<Self, T>(&logits, labels).0)
            }

            fn zoo_adam(
                state: AdamState<Self>,
                gradient: FloatTensor<Self>,
                step: AdamStep,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                by_type!(gradient, T => adam_step::<Self, T>(state, gradient, &step))
            }

            fn zoo_average(
                average: FloatTensor<Self>,
                new: FloatTensor<Self>,
                weights: [f64; 2],
            ) -> FloatTensor<Self> {
                by_type!(new, T => average_step::<Self, T>(average, new, weights))
            }

            fn zoo_sgd(
                value: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                step: SgdStep,
            ) -> FloatTensor<Self> {
                by_type!(gradient, T => sgd_step::<Self, T>(value, gradient, &step))
            }

            fn zoo_sgd_with_momentum(
                state: SgdState<Self>,
                gradient: FloatTensor<Self>,
                step: SgdStep,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                by_type!(gradient, T => momentum_step::<Self, T>(state, gradient, &step))
            }
        }
    };
}

#[cfg(feature = "flex")]
implement!(Flex);
#[cfg(feature = "ndarray")]
implement!(NdArray);

/// Row-major.
fn rm<B: CpuTensors>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    B::row_major(tensor)
}

fn dims<const D: usize>(shape: &Shape) -> [usize; D] {
    shape.dims()
}

/// A block's tensors, row-major.
#[derive(Clone, Debug)]
struct BlockInput<B: Backend> {
    x: FloatTensor<B>,
    w: FloatTensor<B>,
    parameters: ChannelParameters<B>,
}

impl<B: CpuTensors> BlockInput<B> {
    fn new(x: FloatTensor<B>, w: FloatTensor<B>, parameters: ChannelParameters<B>) -> Self {
        let row_major = |tensor: Optional<B>| match tensor {
            Optional::Given(tensor) => Optional::Given(rm::<B>(tensor)),
            Optional::Absent => Optional::Absent,
        };
        Self {
            x: rm::<B>(x),
            w: rm::<B>(w),
            parameters: ChannelParameters {
                bias: row_major(parameters.bias),
                scale: row_major(parameters.scale),
                center: row_major(parameters.center),
                mean: row_major(parameters.mean),
                variance: row_major(parameters.variance),
            },
        }
    }

    fn parameters<T: Real>(&self) -> Parameters<'_, T> {
        fn values<B: CpuTensors, T: Real>(tensor: &Optional<B>) -> Option<&[T]> {
            tensor.as_ref().map(|tensor| B::values(tensor))
        }
        let p = &self.parameters;
        Parameters {
            weight: B::values(&self.w),
            bias: values(&p.bias),
            scale: values(&p.scale),
            center: values(&p.center),
            statistics: values(&p.mean).zip(values(&p.variance)).map(<[_; 2]>::from),
        }
    }

    fn sizes(&self, spec: &BlockSpec) -> Sizes {
        let [replicas, _, outputs] = dims(&self.w.shape());
        let (batch, inputs, image) = match spec.geometry {
            None => {
                let x = self.x.shape();
                (x[1], x[2..].iter().product(), None)
            }
            Some(geometry) => {
                let [_, batch, height, width, inputs] = dims(&self.x.shape());
                let image = Image {
                    height,
                    width,
                    geometry,
                };
                (batch, inputs, Some(image))
            }
        };
        Sizes {
            replicas,
            batch,
            image,
            inputs,
            outputs,
        }
    }
}

fn block_forward<B: CpuTensors, T: Real>(
    input: &BlockInput<B>,
    spec: &BlockSpec,
) -> (FloatTensor<B>, Saved<T>) {
    let s = input.sizes(spec);
    let epilogue = spec.epilogue.as_ref();
    let x = B::values::<T>(&input.x);
    let out = block::forward(&s, x, &input.parameters(), epilogue);
    let shape = match s.output(epilogue) {
        None => Shape::new([s.replicas, s.batch, s.outputs]),
        Some((height, width)) => Shape::new([s.replicas, s.batch, height, width, s.outputs]),
    };
    (B::lend(out.y, shape), out.saved)
}

/// Mean and variance that the norm used, zeros without one.
fn statistics<B: CpuTensors, T: Real>(
    input: &BlockInput<B>,
    saved: &Saved<T>,
) -> [FloatTensor<B>; 2] {
    let [replicas, _, outputs] = dims(&input.w.shape());
    [&saved.mean, &saved.variance].map(|values| {
        let mut values = values.clone();
        values.resize(replicas * outputs, T::ZERO);
        B::build(values, Shape::new([replicas, outputs]))
    })
}

fn pool_sizes(x: &Shape) -> pool::Sizes {
    let [replicas, batch, height, width, channels] = dims(x);
    pool::Sizes {
        images: replicas * batch,
        height,
        width,
        channels,
    }
}

fn pool_forward<B: CpuTensors, T: Real>(x: &FloatTensor<B>) -> (FloatTensor<B>, Buffer<u8>) {
    let [r, n, h, w, c] = dims(&x.shape());
    let (y, winners) = pool::forward(pool_sizes(&x.shape()), B::values::<T>(x));
    (B::lend(y, Shape::new([r, n, h / 2, w / 2, c])), winners)
}

/// Losses and the logits' gradient.
fn loss_forward<B: CpuTensors, T: Real>(
    logits: &FloatTensor<B>,
    labels: IntTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let [replicas, rows, classes] = dims(&logits.shape());
    let s = loss::Sizes {
        replicas,
        rows,
        classes,
    };
    let (losses, gradient) = loss::forward(s, B::values::<T>(logits), &B::integers(labels));
    (
        B::build(losses, Shape::new([replicas])),
        B::build(gradient, logits.shape()),
    )
}

fn adam_step<B: CpuTensors, T: Real>(
    state: AdamState<B>,
    gradient: FloatTensor<B>,
    step: &AdamStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let gradient = rm::<B>(gradient);
    let [mut value, mut first, mut second] = [state.value, state.first, state.second].map(rm::<B>);
    adam::step(
        step,
        B::values_mut::<T>(&mut value),
        B::values(&gradient),
        B::values_mut(&mut first),
        B::values_mut(&mut second),
    );
    (value, first, second)
}

fn average_step<B: CpuTensors, T: Real>(
    average: FloatTensor<B>,
    new: FloatTensor<B>,
    weights: [f64; 2],
) -> FloatTensor<B> {
    let (mut average, new) = (rm::<B>(average), rm::<B>(new));
    average::step(weights, B::values_mut::<T>(&mut average), B::values(&new));
    average
}

fn sgd_step<B: CpuTensors, T: Real>(
    value: FloatTensor<B>,
    gradient: FloatTensor<B>,
    step: &SgdStep,
) -> FloatTensor<B> {
    let (mut value, gradient) = (rm::<B>(value), rm::<B>(gradient));
    let gradient = B::values(&gradient);
    sgd::step(step, B::values_mut::<T>(&mut value), gradient, None);
    value
}

fn momentum_step<B: CpuTensors, T: Real>(
    state: SgdState<B>,
    gradient: FloatTensor<B>,
    step: &SgdStep,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let gradient = rm::<B>(gradient);
    let [mut value, mut velocity] = [state.value, state.velocity].map(rm::<B>);
    sgd::step(
        step,
        B::values_mut::<T>(&mut value),
        B::values(&gradient),
        Some(B::values_mut(&mut velocity)),
    );
    (value, velocity)
}
