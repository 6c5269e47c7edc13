//! Backward pass of the activation after the norm, with the sums over rows that the backward pass of
//! the norm needs.

use super::channel_loop::{ChannelKernel, ChannelVector, SUM_BLOCK, in_fours};
use super::channels::Channels;
use super::functions::ActivationFunction;
use super::sums::GradientSums;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::real::Real;
use pulp::Simd;

/// Replaces the gradient `d` of the output by that of the norm's output, and sums over rows: that
/// gradient, and its product with the normalized value.
pub(super) struct BackwardActivation<'a, 'b, T, F> {
    pub(super) after: F,
    pub(super) channels: &'a Channels<T>,
    pub(super) x: Columns<'a, T>,
    pub(super) d: &'a mut ColumnsMut<'b, T>,
    pub(super) sums: &'a mut GradientSums<T>,
}

impl<T: Real, F: ActivationFunction<T>> ChannelKernel<T> for BackwardActivation<'_, '_, T, F> {
    fn width(&self) -> usize {
        self.x.width()
    }

    #[inline(always)]
    fn run<S: Simd, const PARTIAL: bool>(
        &mut self,
        _: usize,
        vector: ChannelVector<T, S, PARTIAL>,
    ) {
        let (simd, channels) = (vector.simd, self.channels.of(vector));
        let zero = T::splat(simd, T::ZERO);
        let (x_rows, mut d_rows) = (vector.rows(self.x), vector.rows_mut(self.d));
        let mut totals = [zero; 2];
        let (mut from, rows) = (0, self.x.rows());
        while from < rows {
            let to = rows.min(from + SUM_BLOCK);
            let mut sums = [zero; 2];
            in_fours!(T, S, from..to, |row, N| {
                let [mut x, mut outputs] = [[zero; N]; 2];
                for i in 0..N {
                    x[i] = x_rows.load(row + i);
                    outputs[i] = channels.affine(x[i]);
                }
                let [_, slopes] = self.after.value_and_slope(simd, outputs);
                for i in 0..N {
                    let mut d = d_rows.load(row + i);
                    if !self.after.is_identity() {
                        d = T::times(simd, d, slopes[i]);
                        d_rows.store(row + i, d);
                    }
                    sums[0] = T::plus(simd, sums[0], d);
                    let product = T::times(simd, d, channels.normalize(x[i]));
                    sums[1] = T::plus(simd, sums[1], product);
                }
            });
            for k in 0..2 {
                totals[k] = T::plus(simd, totals[k], sums[k]);
            }
            from = to;
        }
        vector.store(&mut self.sums.gradient, totals[0]);
        vector.store(&mut self.sums.product, totals[1]);
    }
}
