//! The CPU kernels as differentiable burn operations, with hand-written backward passes.

mod autodiff;
mod backends;
mod cpu;
mod graph;
mod kernels;

#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub(crate) use graph::record;
pub(crate) use kernels::{AdamState, ChannelParameters, Kernels, OptionalTensor, SgdState};
