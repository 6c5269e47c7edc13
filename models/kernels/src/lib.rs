//! Fast operations behind burn's backend extension, for stacked models.
//!
//! CPU devices run the kernels in [`cpu`]. GPUs run CubeCL kernels for the operations that burn would
//! compute on the host or split into many passes over memory: dropout masks, convolution patches,
//! max pooling, and batch norm with its activation. Every other device, and the tests' reference,
//! uses the [`plain`] burn versions.

pub mod activation;
mod cpu;
mod extension;
mod geometry;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub mod gpu;
mod operations;
pub mod plain;
mod position;
mod spec;
#[cfg(test)]
#[path = "../tests/support/testing.rs"]
mod testing;

pub use activation::Activation;
pub use cpu::adam::AdamStep;
pub use cpu::epilogue::{EpilogueSpec, Masks};
pub use cpu::sgd::SgdStep;
pub use geometry::{Geometry, Padding};
pub use operations::*;
pub use plain::avg_pool2d;
pub use position::Position;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub use spec::NormSpec;
