//! Normalization: batch, layer and group norm, and a learned scale and center without statistics.
//!
//! Every kind of norm has a file of its own, which implements the traits in `interface.rs`, and one
//! line in the list of kinds in `kinds.rs`. That is enough for a new kind to work everywhere. Fused
//! kernels exist for batch norm only.

mod affine;
mod batch;
mod group;
mod interface;
mod kinds;
mod running;
mod unnormalized;

pub use affine::{Affine, AffineConfig};
pub use batch::{BatchNorm, BatchNormConfig};
pub use group::{GroupNorm, GroupNormConfig, LayerNormConfig};
pub use kinds::{Norm, NormConfig};
pub use running::{Averaging, RunningAverages, RunningVariance};
