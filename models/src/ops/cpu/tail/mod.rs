//! Batch norm, activation and dropout fused, forward and backward.
//!
//! Everything runs on rows of channels, one replica after the other, so that a replica's result
//! does not depend on the others. Sums over rows are taken in blocks of fixed size.

mod backward;
mod forward;
mod functions;
mod masks;
mod rows;

use crate::activation::Activation;
use crate::block::Position;
pub(crate) use backward::{Saved, backward};
pub(crate) use forward::forward;
pub use masks::Masks;

/// What follows the weights of a block, in training.
#[derive(Clone, Debug)]
pub struct TailSpec {
    /// The activation.
    pub activation: Activation,
    /// Epsilon of the batch norm; `None` for no norm.
    pub epsilon: Option<f64>,
    /// On which side of the activation the norm stands.
    pub position: Position,
    /// Dropout at the end of the block, if any.
    pub dropout: Option<Masks>,
}

/// Sizes of a tail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) replicas: usize,
    pub(crate) rows: usize,
    pub(crate) channels: usize,
}

impl Sizes {
    pub(crate) const fn block(&self) -> usize {
        self.rows * self.channels
    }
}

/// Splits into equal blocks of `size`, or into `count` empty ones where the slice is empty.
fn blocks<T>(values: &mut [T], size: usize, count: usize) -> Vec<&mut [T]> {
    if values.is_empty() {
        return (0..count).map(|_| Default::default()).collect();
    }
    values.chunks_mut(size).collect()
}

fn block<T>(values: &[T], r: usize, size: usize) -> &[T] {
    if values.is_empty() {
        values
    } else {
        &values[r * size..(r + 1) * size]
    }
}
