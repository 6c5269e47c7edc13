//! Forward and backward pass of a block.

use super::shape::BlockShape;
use super::types::{Forward, Gradients, OutputGradient, Parameters, Saved};
use super::{conv, dense};
use crate::cpu::real::Real;
use crate::spec::EpilogueSpec;

/// The block's output, and the state that the backward pass reads.
///
/// # Shapes
/// `x` is `[replicas, batch, inputs]` or `[replicas, batch, height, width, inputs]`; the output has
/// `outputs` instead of `inputs`, and the output's height and width.
pub(crate) fn forward<T: Real>(
    s: &BlockShape,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
) -> Forward<T> {
    match s.image {
        Some(image) => conv::forward(s, image, x, p, epilogue),
        None => dense::forward(s, x, p, epilogue),
    }
}

/// The gradients of input (if `wants_x`) and parameters, from the gradient `dy` of the output.
pub(crate) fn backward<T: Real>(
    s: &BlockShape,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
    saved: &Saved<T>,
    dy: OutputGradient<T>,
    wants_x: bool,
) -> Gradients<T> {
    match s.image {
        Some(image) => conv::backward(s, image, x, p, epilogue, saved, dy, wants_x),
        None => dense::backward(s, x, p, epilogue, saved, dy, wants_x),
    }
}
