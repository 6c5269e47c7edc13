//! Forward and backward pass of a block.

use super::shape::BlockShape;
use super::types::{Forward, Gradients, OutputGradient, Parameters, Saved};
use super::{alone, conv, dense};
use crate::cpu::real::Real;
use crate::spec::EpilogueSpec;

/// The block's output, and the state that the backward pass reads.
///
/// # Shapes
/// `x` is `[replicas, batch, inputs]` or `[replicas, batch, height, width, inputs]`; the output has
/// `outputs` instead of `inputs`, and the output's height and width. Without a linear map both are
/// `[replicas, batch, outputs]`.
pub(crate) fn forward<T: Real>(
    s: &BlockShape,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
) -> Forward<T> {
    match (s.image, epilogue) {
        (None, Some(spec)) if !s.is_linear() => alone::forward(s, x, p, spec),
        (Some(image), _) => conv::forward(s, image, x, p, epilogue),
        (None, _) => dense::forward(s, x, p, epilogue),
    }
}

/// The gradients of input (if `wants_x`) and parameters, from the gradient `dy` of the output. Without a
/// linear map, `dy` becomes the gradient of the input.
pub(crate) fn backward<T: Real>(
    s: &BlockShape,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
    saved: &Saved<T>,
    dy: OutputGradient<T>,
    wants_x: bool,
) -> Gradients<T> {
    match (s.image, epilogue) {
        (None, Some(spec)) if !s.is_linear() => alone::backward(s, x, p, spec, saved, dy),
        (Some(image), _) => conv::backward(s, image, x, p, epilogue, saved, dy, wants_x),
        (None, _) => dense::backward(s, x, p, epilogue, saved, dy, wants_x),
    }
}
