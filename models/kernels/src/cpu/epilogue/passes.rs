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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::cpu::epilogue::pooling::each_window;
    use crate::position::Position;
    use crate::spec::EpilogueSpec;

    /// Values from -3 to 3; the first thousand differ.
    fn values<T: Real>(count: usize, seed: usize) -> Vec<T> {
        let value = |i: usize| ((i + seed) * 7919 % 1009) as f64 / 168.0 - 3.0;
        (0..count).map(|i| T::from_f64(value(i))).collect()
    }

    /// The maxima, and the norm's input at the corners that hold them.
    fn pooled<T: Real>(
        activation: Activation,
        windows: PoolWindows,
        x: &[T],
        [scale, center]: [&[T]; 2],
    ) -> [Vec<T>; 2] {
        let spec = EpilogueSpec {
            activation,
            epsilon: Some(0.0),
            position: Position::Before,
            dropout: None,
            pool: true,
        };
        let c = scale.len();
        let (mean, variance) = (vec![T::ZERO; c], vec![T::ONE; c]);
        let channels = Channels::new(&mean, &variance, 0.0, Some(scale), Some(center));
        let size = windows.rows() * (windows.width / 2) * c;
        let mut out = [(); 2].map(|()| vec![T::ZERO; size]);
        let [y, argmax] = &mut out;
        let mut pooled = Pooled::whole(y, argmax, c);
        let x = Columns::whole(x, c);
        select_max_candidates(&spec, Some(scale), windows, x, &mut pooled);
        finish_max(&spec, &channels, &mut pooled);
        out
    }

    /// The corners of every window in every channel, with the channel.
    fn corners<T: Copy>(windows: PoolWindows, x: &[T], c: usize) -> Vec<(usize, [T; 4])> {
        let mut all = Vec::new();
        for row in 0..windows.rows() {
            each_window!(windows, row, |_window, corners| {
                for k in 0..c {
                    all.push((k, corners.map(|pixel| x[pixel * c + k])));
                }
            });
        }
        all
    }

    fn check<T: Real + Into<f64>>(tolerance: f64) {
        let all = Activation::ALL.into_iter();
        for activation in all.filter(|activation| EpilogueSpec::has_kernel(*activation)) {
            for (c, [images, height, width]) in [(3, [1, 2, 2]), (16, [2, 5, 3]), (37, [3, 4, 9])] {
                let windows = PoolWindows {
                    images,
                    height,
                    width,
                };
                let x = values::<T>(images * height * width * c, 3);
                let (mut scale, center) = (values::<T>(c, 5), values::<T>(c, 11));
                scale[1] = T::ZERO;
                let [y, argmax] = pooled(activation, windows, &x, [&scale, &center]);
                for (i, (k, corners)) in corners(windows, &x, c).into_iter().enumerate() {
                    let normed = corners.map(|x| x.into() * scale[k].into() + center[k].into());
                    let values = normed.map(|x| activation.value(x));
                    let most = values.into_iter().fold(f64::NEG_INFINITY, f64::max);
                    let context = format!("{activation:?}, {c} channels: {normed:?}");
                    let near = |value: f64| (value - most).abs() < tolerance * most.abs().max(1.0);
                    assert!(near(y[i].into()), "{context}");
                    let winner = corners.iter().position(|x| (*x).into() == argmax[i].into());
                    let winner = winner.expect("the input of a corner");
                    assert!(near(values[winner]), "{context}");
                    if k == 1 {
                        assert_eq!(winner, 0, "{context}");
                    }
                }
            }
        }
    }

    #[test]
    fn maximum_is_largest_after_norm_and_activation() {
        check::<f32>(2e-6);
        check::<f64>(1e-12);
    }

    #[test]
    fn first_of_equal_corners_wins_and_nan_is_kept() {
        let windows = PoolWindows {
            images: 1,
            height: 2,
            width: 2,
        };
        let nan = f32::NAN;
        for activation in [Activation::Relu, Activation::Gelu] {
            for (x, winner) in [
                ([1.0, 2.0, 2.0, 1.0], 2.0),
                ([-0.0, 0.0, -0.0, 0.0], -0.0),
                ([1.0, nan, 2.0, 1.0], nan),
                ([nan, 1.0, 2.0, 3.0], nan),
                ([1.0, 2.0, 3.0, nan], nan),
            ] {
                let [y, argmax] = pooled(activation, windows, &x, [&[1.0], &[0.0]]);
                let same = argmax[0].to_bits() == f32::to_bits(winner);
                assert!(
                    same || argmax[0].is_nan() && winner.is_nan(),
                    "{activation:?}, {x:?}"
                );
                assert_eq!(y[0].is_nan(), winner.is_nan(), "{activation:?}, {x:?}");
            }
        }
    }

    #[test]
    fn smallest_input_can_win_with_silu() {
        let windows = PoolWindows {
            images: 1,
            height: 2,
            width: 2,
        };
        let x = [-0.8f32, -0.9, -3.0, -0.7];
        let [y, argmax] = pooled(Activation::Silu, windows, &x, [&[1.0], &[0.0]]);
        assert_eq!(argmax, [-3.0]);
        assert!((f64::from(y[0]) - Activation::Silu.value(-3.0)).abs() < 1e-6);
    }
}
