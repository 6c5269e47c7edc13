//! The operations on the CPU backends.

#![cfg_attr(
    feature = "ndarray",
    expect(
        deprecated,
        reason = "burn-ndarray is deprecated upstream in favour of burn-flex; both are supported here"
    )
)]

use super::cpu::{
    BlockInput, adam_step, average_step, avg_pool_forward, block_forward, loss_forward,
    momentum_step, norm_statistics, pool_forward, row_major, sgd_step, with_element_type,
};
use super::kernels::{AdamState, ChannelParameters, Kernels, OptionalTensor, SgdState};
use crate::optimizer::{AdamStep, SgdStep};
use crate::spec::BlockSpec;
#[cfg(feature = "flex")]
use burn::backend::Flex;
#[cfg(feature = "ndarray")]
use burn::backend::NdArray;
use burn::backend::TensorMetadata;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::DType;

macro_rules! implement {
    ($backend:ty) => {
        impl Kernels for $backend {
            fn zoo_block(
                x: FloatTensor<Self>,
                w: OptionalTensor<Self>,
                parameters: ChannelParameters<Self>,
                spec: BlockSpec,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let input = BlockInput::<Self>::new(x, w, parameters);
                with_element_type!(input.x, T => {
                    let (y, saved) = block_forward::<Self, T>(&input, &spec);
                    let [mean, variance] = norm_statistics::<Self, T>(&input, &spec, &saved);
                    (y, mean, variance)
                })
            }

            fn zoo_max_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
                let x = row_major::<Self>(x);
                with_element_type!(x, T => pool_forward::<Self, T>(&x).0)
            }

            fn zoo_avg_pool2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
                let x = row_major::<Self>(x);
                with_element_type!(x, T => avg_pool_forward::<Self, T>(&x))
            }

            fn zoo_cross_entropy(
                logits: FloatTensor<Self>,
                labels: IntTensor<Self>,
            ) -> FloatTensor<Self> {
                let logits = row_major::<Self>(logits);
                with_element_type!(logits, T => loss_forward::<Self, T>(&logits, labels).0)
            }

            fn zoo_adam(
                state: AdamState<Self>,
                gradient: FloatTensor<Self>,
                step: AdamStep,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                with_element_type!(gradient, T => adam_step::<Self, T>(state, gradient, &step))
            }

            fn zoo_average(
                average: FloatTensor<Self>,
                new: FloatTensor<Self>,
                weights: [f64; 2],
            ) -> FloatTensor<Self> {
                with_element_type!(new, T => average_step::<Self, T>(average, new, weights))
            }

            fn zoo_sgd(
                value: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                step: SgdStep,
            ) -> FloatTensor<Self> {
                with_element_type!(gradient, T => sgd_step::<Self, T>(value, gradient, &step))
            }

            fn zoo_sgd_with_momentum(
                state: SgdState<Self>,
                gradient: FloatTensor<Self>,
                step: SgdStep,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                with_element_type!(gradient, T => momentum_step::<Self, T>(state, gradient, &step))
            }
        }
    };
}

#[cfg(feature = "flex")]
implement!(Flex);
#[cfg(feature = "ndarray")]
implement!(NdArray);
