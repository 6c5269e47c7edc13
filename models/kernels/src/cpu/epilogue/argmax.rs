//! Max pooling fused with the norm: which corner of each window holds the maximum.
//!
//! The corner is selected before the norm's statistics are known. A norm keeps the order of a
//! channel's values, or reverses it if the scale is negative. A monotonic activation keeps the order
//! too, so the norm's largest (or smallest) input gives the maximum. An activation that falls and
//! then rises, such as GELU, has its maximum at the largest or at the smallest input. So the pass
//! that computes the moments selects the candidates, and later passes work on windows only.
//!
//! Among equal inputs the first corner counts, and all are equal if the scale is zero. Inputs that
//! differ but become equal by rounding do not count as equal. The stored input identifies the
//! corner: the first corner with this input.

use super::channel_loop::{ChannelKernel, ChannelVector, in_fours, row_blocks, rows_of};
use super::channels::Channels;
use super::functions::ActivationFunction;
use super::pooling::{PoolWindows, Pooled, each_corner, each_window};
use crate::cpu::columns::Columns;
use crate::cpu::elementary::each;
use crate::cpu::real::Real;
use pulp::Simd;

/// Selects the norm's input at the corners that can hold the maximum: the first in the norm's order
/// and, with `BOTH`, the last, which is stored in `y`.
pub(super) struct SelectCandidates<'a, 'b, T, const BOTH: bool> {
    /// Sign of each channel's scale: 1, -1 or 0.
    pub(super) signs: &'a [T],
    pub(super) windows: PoolWindows,
    pub(super) x: Columns<'a, T>,
    pub(super) out: &'a mut Pooled<'b, T>,
}

impl<T: Real, const BOTH: bool> ChannelKernel<T> for SelectCandidates<'_, '_, T, BOTH> {
    fn width(&self) -> usize {
        self.x.width()
    }

    fn row_blocks(&self) -> usize {
        self.windows.rows()
    }

    #[inline(always)]
    fn run<S: Simd, const PARTIAL: bool>(
        &mut self,
        block: usize,
        vector: ChannelVector<T, S, PARTIAL>,
    ) {
        let (simd, sign) = (vector.simd, vector.load(self.signs));
        let x = vector.rows(self.x);
        let mut last_inputs = vector.rows_mut(&mut self.out.y);
        let mut argmax = vector.rows_mut(&mut self.out.argmax);
        each_window!(self.windows, block, |window, corners| {
            let inputs = each_corner!(|k| x.load(corners[k]));
            let keys = each!(inputs, |k| T::times(simd, inputs[k], sign));
            let (mut best, mut top) = (inputs[0], keys[0]);
            for corner in 1..4 {
                // Keeps a NaN on either side.
                let keep = T::or(
                    simd,
                    T::greater_equal(simd, top, keys[corner]),
                    T::is_nan_each(simd, top),
                );
                best = T::select_each(simd, keep, best, inputs[corner]);
                top = T::select_each(simd, keep, top, keys[corner]);
            }
            argmax.store(window, best);
            if BOTH {
                let (mut least, mut bottom) = (inputs[0], keys[0]);
                for corner in 1..4 {
                    let smaller = T::greater(simd, bottom, keys[corner]);
                    least = T::select_each(simd, smaller, inputs[corner], least);
                    bottom = T::select_each(simd, smaller, keys[corner], bottom);
                }
                last_inputs.store(window, least);
            }
        });
    }
}

/// Norm and activation of the [candidates](SelectCandidates), and the larger of two.
pub(super) struct FinishMax<'a, 'b, T, F> {
    pub(super) after: F,
    pub(super) channels: &'a Channels<T>,
    pub(super) out: &'a mut Pooled<'b, T>,
}

impl<T: Real, F: ActivationFunction<T>> ChannelKernel<T> for FinishMax<'_, '_, T, F> {
    fn width(&self) -> usize {
        self.out.y.width()
    }

    fn row_blocks(&self) -> usize {
        row_blocks(self.out.y.rows())
    }

    #[inline(always)]
    fn run<S: Simd, const PARTIAL: bool>(
        &mut self,
        block: usize,
        vector: ChannelVector<T, S, PARTIAL>,
    ) {
        let (simd, channels) = (vector.simd, self.channels.of(vector));
        let windows = rows_of(block, self.out.y.rows());
        let mut y = vector.rows_mut(&mut self.out.y);
        let mut argmax = vector.rows_mut(&mut self.out.argmax);
        let zero = T::splat(simd, T::ZERO);
        in_fours!(windows, |window, N| {
            let mut inputs = [zero; N];
            for i in 0..N {
                inputs[i] = argmax.load(window + i);
            }
            let normed = each!(inputs, |i| channels.affine(inputs[i]));
            let [value, _] = self.after.value_and_slope(simd, normed);
            if self.after.is_monotonic() {
                for i in 0..N {
                    y.store(window + i, value[i]);
                }
            } else {
                let mut least = [zero; N];
                for i in 0..N {
                    least[i] = y.load(window + i);
                }
                let normed = each!(least, |i| channels.affine(least[i]));
                let [other, _] = self.after.value_and_slope(simd, normed);
                for i in 0..N {
                    let larger = T::greater(simd, other[i], value[i]);
                    y.store(window + i, T::select_each(simd, larger, other[i], value[i]));
                    argmax.store(
                        window + i,
                        T::select_each(simd, larger, least[i], inputs[i]),
                    );
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::cpu::epilogue::passes::{finish_max, select_max_candidates};
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
