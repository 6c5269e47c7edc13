//! Entry points of the epilogue: each chooses the kernel of the activation.

use super::argmax::{FinishMax, SelectCandidates};
use super::backward_activation::BackwardActivation;
use super::backward_norm::{BackwardNorm, BackwardNormPooled};
use super::channel_loop::for_each_channel_vector;
use super::channels::Channels;
use super::forward::{Activate, NormThenActivate};
use super::functions::{ActivationFunction, Identity, with_function};
use super::pooling::{PoolWindows, Pooled};
use super::sums::GradientSums;
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::real::Real;
use crate::spec::EpilogueSpec;

/// Runs `$body` with `$f` bound to the activation before the norm.
macro_rules! with_activation_before {
    ($t:ty, $spec:expr, $f:ident => $body:expr) => {
        if $spec.norm_after_activation() {
            with_function!($t, $spec.activation, $f => $body)
        } else {
            let $f = Identity;
            $body
        }
    };
}

/// Runs `$body` with `$f` bound to the activation after the norm.
macro_rules! with_activation_after {
    ($t:ty, $spec:expr, $f:ident => $body:expr) => {
        if $spec.norm_after_activation() {
            let $f = Identity;
            $body
        } else {
            with_function!($t, $spec.activation, $f => $body)
        }
    };
}

/// Input of the norm: `x` itself, or in `workspace` the activation of `x` if that comes first.
pub(crate) fn norm_input<'a, T: Real>(
    spec: &EpilogueSpec,
    x: Columns<'a, T>,
    workspace: &'a mut Option<Buffer<T>>,
) -> Columns<'a, T> {
    if !spec.norm_after_activation() {
        return x;
    }
    let workspace = workspace.insert(Buffer::unspecified(x.rows() * x.width()));
    let y = &mut ColumnsMut::whole(workspace, x.width());
    with_function!(T, spec.activation, function => for_each_channel_vector(Activate {
        function, x, y,
    }));
    Columns::whole(workspace, x.width())
}

/// Writes the norm of `x`, then the activation if it comes after, to `y`.
pub(crate) fn apply<T: Real>(
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    x: Columns<T>,
    y: &mut ColumnsMut<T>,
) {
    with_activation_after!(T, spec, after => for_each_channel_vector(NormThenActivate {
        after, channels, x, y,
    }));
}

fn is_monotonic<T: Real, F: ActivationFunction<T>>(f: F) -> bool {
    f.is_monotonic()
}

/// Selects the corners of each window that can hold its maximum, from the norm's input `x` and its
/// learned scale (1 if absent). [`finish_max`] completes the choice.
pub(crate) fn select_max_candidates<T: Real>(
    spec: &EpilogueSpec,
    scale: Option<&[T]>,
    windows: PoolWindows,
    x: Columns<T>,
    out: &mut Pooled<T>,
) {
    let sign = |&scale: &T| {
        let not_negative = T::select(scale > T::ZERO, T::ONE, T::ZERO);
        T::select(scale < T::ZERO, -T::ONE, not_negative)
    };
    let signs: &[T] = &match scale {
        Some(scale) => scale.iter().map(sign).collect(),
        None => vec![T::ONE; x.width()],
    };
    if with_activation_after!(T, spec, after => is_monotonic::<T, _>(after)) {
        for_each_channel_vector(SelectCandidates::<T, false> {
            signs,
            windows,
            x,
            out,
        });
    } else {
        for_each_channel_vector(SelectCandidates::<T, true> {
            signs,
            windows,
            x,
            out,
        });
    }
}

/// Norm, activation and maximum of the windows whose candidates are
/// [selected](select_max_candidates).
pub(crate) fn finish_max<T: Real>(
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    out: &mut Pooled<T>,
) {
    with_activation_after!(T, spec, after => for_each_channel_vector(FinishMax {
        after, channels, out,
    }));
}

/// Replaces the gradient `d` of the output by that of the norm's output, and returns its sums.
///
/// Without a norm the result is the gradient of the norm's input `x`. After pooling, `x` and `d` hold
/// one element per window.
pub(crate) fn backward_activation<T: Real>(
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    x: Columns<T>,
    d: &mut ColumnsMut<T>,
) -> GradientSums<T> {
    let mut out = GradientSums::zeros(channels.len());
    let sums = &mut out;
    with_activation_after!(T, spec, after => for_each_channel_vector(BackwardActivation {
        after, channels, x, d, sums,
    }));
    out
}

/// Replaces the gradient of the norm's output by that of the block's product `x`.
///
/// `means` are the sums of [`backward_activation`] over all rows, divided by their number.
pub(crate) fn backward_norm<T: Real>(
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    x: Columns<T>,
    means: &GradientSums<T>,
    d: &mut ColumnsMut<T>,
) {
    with_activation_before!(T, spec, before => for_each_channel_vector(BackwardNorm {
        before, channels, x, means, d,
    }));
}

/// [`backward_norm`] after pooling: from the windows' gradients `d` to those of all pixels, `dx`.
///
/// `argmax` is the norm's input at the corners that hold the maxima. Without a norm `means` are zero.
pub(crate) fn backward_norm_pooled<T: Real>(
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    windows: PoolWindows,
    x: Columns<T>,
    (argmax, d): (Columns<T>, Columns<T>),
    means: &GradientSums<T>,
    dx: &mut ColumnsMut<T>,
) {
    with_activation_before!(T, spec, before => for_each_channel_vector(BackwardNormPooled {
        before, channels, windows, x, argmax, d, means, dx,
    }));
}
