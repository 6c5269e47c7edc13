//! The trait that adds the operations with CPU kernels to burn's backends.

#![cfg_attr(
    feature = "ndarray",
    expect(
        deprecated,
        reason = "burn-ndarray is deprecated upstream in favour of burn-flex; both are supported here"
    )
)]

use crate::optimizer::{AdamStep, SgdStep};
use crate::spec::BlockSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, ExtensionType, backend_extension};

/// A tensor that may be absent. (burn's extension types cannot hold an `Option`.)
#[derive(ExtensionType, Clone, Debug)]
pub(crate) enum OptionalTensor<B: Backend> {
    Present(FloatTensor<B>),
    Absent,
}

impl<B: Backend> OptionalTensor<B> {
    pub(super) fn as_ref(&self) -> Option<&FloatTensor<B>> {
        match self {
            Self::Present(tensor) => Some(tensor),
            Self::Absent => None,
        }
    }
}

/// Parameters of a block other than its weights, `[replicas, outputs]` each.
#[derive(ExtensionType, Clone, Debug)]
pub(crate) struct ChannelParameters<B: Backend> {
    #[extension_type]
    pub(crate) bias: OptionalTensor<B>,
    #[extension_type]
    pub(crate) scale: OptionalTensor<B>,
    #[extension_type]
    pub(crate) center: OptionalTensor<B>,
    /// Mean and biased variance to normalize with instead of the batch's; both or none.
    #[extension_type]
    pub(crate) mean: OptionalTensor<B>,
    #[extension_type]
    pub(crate) variance: OptionalTensor<B>,
}

/// Tensors that a step of Adam updates.
#[derive(ExtensionType, Clone, Debug)]
pub(crate) struct AdamState<B: Backend> {
    pub(crate) value: FloatTensor<B>,
    pub(crate) first: FloatTensor<B>,
    pub(crate) second: FloatTensor<B>,
}

/// Tensors that a step of SGD with momentum updates.
#[derive(ExtensionType, Clone, Debug)]
pub(crate) struct SgdState<B: Backend> {
    pub(crate) value: FloatTensor<B>,
    pub(crate) velocity: FloatTensor<B>,
}

/// Operations that have CPU kernels.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Autodiff
)]
pub(crate) trait Kernels: Backend {
    /// A block's output, and the mean and biased variance that its norm used (zeros without a norm).
    ///
    /// See [`crate::dense_block`], [`crate::conv_block`], and without weights [`crate::epilogue`].
    fn zoo_block(
        x: FloatTensor<Self>,
        #[extension_type] w: OptionalTensor<Self>,
        #[extension_type] parameters: ChannelParameters<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// See [`crate::max_pool2d`].
    fn zoo_max_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`crate::avg_pool2d`].
    fn zoo_avg_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self>;

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

    /// See [`crate::sgd_step`]; without momentum.
    fn zoo_sgd(
        value: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> FloatTensor<Self>;

    /// See [`crate::sgd_step`]; with momentum.
    fn zoo_sgd_with_momentum(
        #[extension_type] state: SgdState<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}
