//! Kernels on slices for the CPU backends, and the conversion between slices and tensors.

pub(crate) mod adam;
pub(crate) mod average;
pub(crate) mod avg_pool;
pub(crate) mod block;
pub(crate) mod buffers;
mod chunks;
mod columns;
mod elementary;
mod epilogue;
mod kernel;
pub(crate) mod loss;
pub(crate) mod max_abs;
pub(crate) mod max_pool;
mod parallel;
mod product;
pub(crate) mod real;
pub(crate) mod sgd;
mod simd;
pub(crate) mod tensors;
mod transpose;
pub(crate) mod variants;
