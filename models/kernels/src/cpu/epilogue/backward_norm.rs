//! Backward pass of the norm, and of the activation before it.

use super::channel_loop::{ChannelKernel, ChannelVector, in_fours, row_blocks, rows_of};
use super::channels::Channels;
use super::functions::ActivationFunction;
use super::pooling::{PoolWindows, each_corner, each_window};
use super::sums::GradientSums;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::elementary::each;
use crate::cpu::real::Real;
use pulp::Simd;

/// Replaces the gradient `d` of the norm's output by that of the block's product `x`.
pub(super) struct BackwardNorm<'a, 'b, T, G> {
    pub(super) before: G,
    pub(super) channels: &'a Channels<T>,
    pub(super) x: Columns<'a, T>,
    pub(super) means: &'a GradientSums<T>,
    pub(super) d: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, G: ActivationFunction<T>> ChannelKernel<T> for BackwardNorm<'_, '_, T, G> {
    fn width(&self) -> usize {
        self.x.width()
    }

    fn row_blocks(&self) -> usize {
        row_blocks(self.x.rows())
    }

    #[inline(always)]
    fn run<S: Simd, const PARTIAL: bool>(
        &mut self,
        block: usize,
        vector: ChannelVector<T, S, PARTIAL>,
    ) {
        let (simd, channels) = (vector.simd, self.channels.of(vector));
        let sums = vector.load(&self.means.gradient);
        let products = vector.load(&self.means.product);
        let (x_rows, mut d_rows) = (vector.rows(self.x), vector.rows_mut(self.d));
        in_fours!(T, S, rows_of(block, self.x.rows()), |row, N| {
            let mut x = [sums; N];
            for i in 0..N {
                x[i] = x_rows.load(row + i);
            }
            let [inputs, slopes] = self.before.value_and_slope(simd, x);
            for i in 0..N {
                let centered = T::minus(simd, d_rows.load(row + i), sums);
                let mut d = channels.backward(inputs[i], centered, products);
                if !self.before.is_identity() {
                    d = T::times(simd, d, slopes[i]);
                }
                d_rows.store(row + i, d);
            }
        });
    }
}

/// [`BackwardNorm`] after 2x2 max pooling: from the gradients `d` of the windows to those of all
/// pixels, `dx`.
pub(super) struct BackwardNormPooled<'a, 'b, T, G> {
    pub(super) before: G,
    pub(super) channels: &'a Channels<T>,
    pub(super) windows: PoolWindows,
    pub(super) x: Columns<'a, T>,
    /// The norm's input at the corners that hold the maxima.
    pub(super) argmax: Columns<'a, T>,
    pub(super) d: Columns<'a, T>,
    pub(super) means: &'a GradientSums<T>,
    pub(super) dx: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, G: ActivationFunction<T>> ChannelKernel<T> for BackwardNormPooled<'_, '_, T, G> {
    fn width(&self) -> usize {
        self.x.width()
    }

    fn row_blocks(&self) -> usize {
        // The last block holds the pixels that belong to no window.
        self.windows.rows() + 1
    }

    #[inline(always)]
    fn run<S: Simd, const PARTIAL: bool>(
        &mut self,
        block: usize,
        vector: ChannelVector<T, S, PARTIAL>,
    ) {
        let (simd, channels) = (vector.simd, self.channels.of(vector));
        let sums = vector.load(&self.means.gradient);
        let products = vector.load(&self.means.product);
        let zero = T::splat(simd, T::ZERO);
        let (x_rows, argmax_rows) = (vector.rows(self.x), vector.rows(self.argmax));
        let (d, mut dx) = (vector.rows(self.d), vector.rows_mut(self.dx));
        if block == self.windows.rows() {
            let no_gradient = T::negate(simd, sums);
            for pixel in self.windows.outside() {
                let x = [x_rows.load(pixel)];
                let [inputs, slopes] = self.before.value_and_slope(simd, x);
                let gradient = channels.backward(inputs[0], no_gradient, products);
                let gradient = T::times(simd, gradient, slopes[0]);
                dx.store(pixel, gradient);
            }
            return;
        }
        // The other corners get no gradient from the maximum.
        let lost = T::minus(simd, zero, sums);
        each_window!(self.windows, block, |window, corners| {
            let mut won = T::minus(simd, d.load(window), sums);
            let max = argmax_rows.load(window);
            let x = each_corner!(|k| x_rows.load(corners[k]));
            let [inputs, slopes] = self.before.value_and_slope(simd, x);
            let gradients = each!(inputs, |k| {
                // Only the first corner that holds the maximum gets its gradient.
                let wins = T::equal(simd, inputs[k], max);
                let centered = T::select_each(simd, wins, won, lost);
                won = T::select_each(simd, wins, lost, won);
                channels.backward(inputs[k], centered, products)
            });
            for k in 0..4 {
                let gradient = if self.before.is_identity() {
                    gradients[k]
                } else {
                    T::times(simd, gradients[k], slopes[k])
                };
                dx.store(corners[k], gradient);
            }
        });
    }
}
