//! CubeCL kernels, from one source for all GPUs, for operations that burn computes on the host or
//! splits into many passes over memory. Matrix products are burn's, which tunes them to the device.
//!
//! Everything specific to GPUs is in this module: the public operations here choose between the GPU
//! kernels and `crate::operations`.

mod api;
mod arguments;
mod columns;
mod differentiate;
mod epilogue;
mod extension;
mod functions;
mod masks;
#[cfg(all(test, feature = "wgpu", feature = "flex"))]
mod tests;
mod windows;

pub use api::{conv2d, has_gpu_kernels, has_kernel, linear, mask, max_pool2d, normed_activation};
pub use arguments::{MaskDraw, NormSpec};
