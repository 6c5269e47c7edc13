//! Fast operations on stacked models, added to burn as a backend extension.
//!
//! CPU devices run the kernels of `cpu`. GPUs run CubeCL kernels, but only for operations that burn
//! computes on the host or splits into many passes over memory: dropout masks, convolution patches,
//! max pooling, and batch norm with its activation. All other devices, and the reference in tests,
//! use the [`plain`] burn versions.

pub mod activation;
mod cpu;
mod extension;
mod geometry;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub mod gpu;
mod instructions;
#[cfg_attr(
    any(feature = "wgpu", feature = "cuda"),
    expect(unreachable_pub, reason = "`gpu` wraps some of the operations")
)]
mod operations;
mod optimizer;
pub mod plain;
mod position;
mod spec;
#[cfg(test)]
#[path = "../tests/support/testing.rs"]
mod testing;

pub use activation::Activation;
pub use cpu::max_abs::max_abs;
pub use cpu::variants::{NextLayer, VariantLosses, padded_columns};
pub use geometry::{Geometry, Padding};
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub use gpu::{NormSpec, conv2d, has_gpu_kernels, linear, max_pool2d};
pub use instructions::{InstructionSet, Unavailable};
pub use operations::{
    adam_step, average_step, avg_pool2d, conv_block, cross_entropy, dense_block, epilogue,
    has_kernels, sgd_step,
};
#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
pub use operations::{conv2d, linear, max_pool2d};
pub use optimizer::{AdamStep, SgdStep};
pub use position::Position;
pub use spec::{BlockOutput, BlockParameters, EpilogueSpec, Masks};
