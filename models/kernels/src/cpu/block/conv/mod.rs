//! Convolution blocks. A task takes a tile: as many whole images of one replica as fit in the cache
//! together with their outputs. Tiles depend on the shapes only, and so do results.

mod backward;
mod context;
mod forward;

pub(super) use backward::backward;
pub(super) use forward::forward;
