//! Analysis of trained models. Nothing here is needed to build or train one.

mod fold;
mod host_mlp;
mod pairs;
mod removal;

pub use fold::{FoldError, fold_centers_after, fold_scales, fold_scales_after};
pub use host_mlp::{HostLayer, HostMlp};
pub use removal::{Fill, Score, Unit, UnitRemoval, area, negative_share};
