//! Fused blocks: linear map and epilogue in one operation, or the epilogue alone.
//!
//! Norm, activation, dropout and pooling work on a tile of the product while it is in the cache, and
//! the backward pass reads little more than the product.

mod alone;
mod conv;
mod convolution;
mod dense;
mod passes;
mod patches;
mod shape;
mod tiles;
mod types;
mod winograd;

pub(crate) use passes::{backward, forward};
pub(crate) use shape::{BlockShape, ImageShape};
pub(crate) use types::{Gradients, OutputGradient, Parameters, Saved};
