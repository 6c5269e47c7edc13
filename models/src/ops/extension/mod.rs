//! The kernels as operations of burn, differentiable by hand-written backward passes.

#![cfg_attr(
    feature = "ndarray",
    expect(
        deprecated,
        reason = "burn-ndarray is deprecated upstream in favour of burn-flex; both are supported here"
    )
)]

mod autodiff;

use crate::ops::cpu::adam::{self, AdamStep};
use crate::ops::cpu::real::Real;
use crate::ops::cpu::tail::{self, TailSpec};
use crate::ops::cpu::tensors::CpuTensors;
use crate::ops::cpu::{conv, linear, loss, pool};
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

/// A norm's learned scale and center.
#[derive(ExtensionType, Clone, Debug)]
pub(crate) struct ScaleCenter<B: Backend> {
    #[extension_type]
    pub(crate) scale: Optional<B>,
    #[extension_type]
    pub(crate) center: Optional<B>,
}

/// What a step of Adam reads and writes.
#[derive(ExtensionType, Clone, Debug)]
pub(crate) struct AdamState<B: Backend> {
    pub(crate) value: FloatTensor<B>,
    pub(crate) first: FloatTensor<B>,
    pub(crate) second: FloatTensor<B>,
}

/// Operations with kernels of their own on the CPU backends.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Autodiff
)]
pub(crate) trait Kernels: Backend {
    /// `x W + b`; see [`crate::ops::linear`].
    fn zoo_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        #[extension_type] b: Optional<Self>,
    ) -> FloatTensor<Self>;

    /// See [`crate::ops::conv2d`].
    fn zoo_conv2d(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        #[extension_type] b: Optional<Self>,
        kernel: usize,
    ) -> FloatTensor<Self>;

    /// Output, batch mean and biased batch variance; the last two mean nothing without a norm.
    fn zoo_tail(
        x: FloatTensor<Self>,
        #[extension_type] affine: ScaleCenter<Self>,
        spec: TailSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// See [`crate::ops::max_pool2d`].
    fn zoo_max_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`crate::ops::cross_entropy`].
    fn zoo_cross_entropy(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self>;

    /// See [`crate::ops::adam_step`].
    fn zoo_adam(
        #[extension_type] state: AdamState<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
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
            fn zoo_linear(
                x: FloatTensor<Self>,
                w: FloatTensor<Self>,
                b: Optional<Self>,
            ) -> FloatTensor<Self> {
                by_type!(x, T => linear_forward::<Self, T>(&rm::<Self>(x), &rm::<Self>(w), &b))
            }

            fn zoo_conv2d(
                x: FloatTensor<Self>,
                w: FloatTensor<Self>,
                b: Optional<Self>,
                kernel: usize,
            ) -> FloatTensor<Self> {
                let (x, w) = (rm::<Self>(x), rm::<Self>(w));
                by_type!(x, T => conv_forward::<Self, T>(&x, &w, &b, kernel))
            }

            fn zoo_tail(
                x: FloatTensor<Self>,
                affine: ScaleCenter<Self>,
                spec: TailSpec,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let x = rm::<Self>(x);
                let out = by_type!(x, T => tail_forward::<Self, T>(&x, &affine, &spec));
                (out.y, out.mean, out.variance)
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

fn slice<B: CpuTensors, T: Real>(tensor: Option<&FloatTensor<B>>) -> &[T] {
    tensor.map_or(&[], |tensor| B::values::<T>(tensor))
}

fn dims<const D: usize>(shape: &Shape) -> [usize; D] {
    shape.dims()
}

fn linear_sizes(x: &Shape, w: &Shape) -> linear::Sizes {
    let ([replicas, rows, inputs], [_, _, outputs]) = (dims(x), dims(w));
    linear::Sizes {
        replicas,
        rows,
        inputs,
        outputs,
    }
}

fn linear_forward<B: CpuTensors, T: Real>(
    x: &FloatTensor<B>,
    w: &FloatTensor<B>,
    b: &Optional<B>,
) -> FloatTensor<B> {
    let s = linear_sizes(&x.shape(), &w.shape());
    let b = b.as_ref().map(|b| rm::<B>(b.clone()));
    let bias = b.as_ref().map(|b| B::values::<T>(b));
    let y = linear::forward(s, B::values::<T>(x), B::values::<T>(w), bias);
    B::build(y, Shape::new([s.replicas, s.rows, s.outputs]))
}

fn conv_sizes(x: &Shape, w: &Shape, kernel: usize) -> conv::Sizes {
    let [replicas, batch, height, width, inputs] = dims(x);
    let [_, _, outputs] = dims(w);
    conv::Sizes {
        replicas,
        batch,
        height,
        width,
        inputs,
        outputs,
        kernel,
    }
}

fn conv_forward<B: CpuTensors, T: Real>(
    x: &FloatTensor<B>,
    w: &FloatTensor<B>,
    b: &Optional<B>,
    kernel: usize,
) -> FloatTensor<B> {
    let s = conv_sizes(&x.shape(), &w.shape(), kernel);
    let b = b.as_ref().map(|b| rm::<B>(b.clone()));
    let bias = b.as_ref().map(|b| B::values::<T>(b));
    let y = conv::forward(s, B::values::<T>(x), B::values::<T>(w), bias);
    B::build(
        y,
        Shape::new([s.replicas, s.batch, s.height, s.width, s.outputs]),
    )
}

/// What a tail gives and saves.
struct TailOutput<B: CpuTensors> {
    y: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    kept: Vec<u8>,
}

fn tail_sizes(x: &Shape) -> tail::Sizes {
    let [replicas, rows, channels] = dims(x);
    tail::Sizes {
        replicas,
        rows,
        channels,
    }
}

fn tail_forward<B: CpuTensors, T: Real>(
    x: &FloatTensor<B>,
    affine: &ScaleCenter<B>,
    spec: &TailSpec,
) -> TailOutput<B> {
    let s = tail_sizes(&x.shape());
    let (scale, center) = (affine.scale.as_ref(), affine.center.as_ref());
    let out = tail::forward(
        s,
        spec,
        B::values::<T>(x),
        slice::<B, T>(scale),
        slice::<B, T>(center),
    );
    let statistics = |mut values: Vec<T>| {
        values.resize(s.replicas * s.channels, T::ZERO);
        B::build(values, Shape::new([s.replicas, s.channels]))
    };
    TailOutput {
        y: B::build(out.y, x.shape()),
        mean: statistics(out.mean),
        variance: statistics(out.variance),
        kept: out.kept,
    }
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

fn pool_forward<B: CpuTensors, T: Real>(x: &FloatTensor<B>) -> (FloatTensor<B>, Vec<u8>) {
    let [r, n, h, w, c] = dims(&x.shape());
    let (y, winners) = pool::forward(pool_sizes(&x.shape()), B::values::<T>(x));
    (B::build(y, Shape::new([r, n, h / 2, w / 2, c])), winners)
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
    let shape = state.value.shape();
    let gradient = rm::<B>(gradient);
    let (mut value, mut first, mut second) = (
        B::take::<T>(state.value),
        B::take::<T>(state.first),
        B::take::<T>(state.second),
    );
    adam::step(
        step,
        &mut value,
        B::values::<T>(&gradient),
        &mut first,
        &mut second,
    );
    let build = |values| B::build(values, shape.clone());
    (build(value), build(first), build(second))
}
