//! Kernels on slices for the CPU backends, and the adapters that lend them tensors.

pub(crate) mod adam;
pub(crate) mod conv;
pub(crate) mod linear;
pub(crate) mod loss;
mod matmul;
pub(crate) mod pool;
pub(crate) mod real;
pub(crate) mod tail;
pub(crate) mod tensors;
