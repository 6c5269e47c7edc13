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
        in_fours!(T, S, windows, |window, N| {
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
