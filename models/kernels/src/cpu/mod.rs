//! Kernels on slices for the CPU backends, and the adapters that lend them tensors.

pub(crate) mod adam;
pub(crate) mod average;
pub(crate) mod block;
pub(crate) mod buffers;
mod columns;
mod cut;
mod elementary;
pub(crate) mod epilogue;
pub(crate) mod loss;
mod parallel;
pub(crate) mod pool;
mod product;
pub(crate) mod real;
pub(crate) mod sgd;
pub(crate) mod tensors;
mod transpose;
mod vector;
mod vectors;
