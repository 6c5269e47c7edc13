//! Epilogue of a block in training: batch norm, activation, dropout and pooling.
//!
//! Each function makes one pass over the rows of a tile, or of a block of columns, of one replica.
//! Sums over rows are taken in blocks of fixed size.

mod argmax;
mod backward_activation;
mod backward_norm;
mod channel_loop;
mod channels;
mod forward;
mod functions;
mod masks;
mod passes;
mod pooling;
mod sums;

pub(crate) use channels::Channels;
pub(crate) use masks::{ColumnBlock, apply_mask, drop_out};
pub(crate) use passes::{
    apply, backward_activation, backward_norm, backward_norm_pooled, finish_max, norm_input,
    select_max_candidates,
};
pub(crate) use pooling::{PoolWindows, Pooled};
pub(crate) use sums::{GradientSums, add, moments, sum_rows};
