//! Forward pass of norm and activation.

use super::channel_loop::{ChannelKernel, ChannelVector, in_fours, row_blocks, rows_of};
use super::channels::Channels;
use super::functions::ActivationFunction;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::real::Real;
use pulp::Simd;

/// The activation alone.
pub(super) struct Activate<'a, 'b, T, F> {
    pub(super) function: F,
    pub(super) x: Columns<'a, T>,
    pub(super) y: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, F: ActivationFunction<T>> ChannelKernel<T> for Activate<'_, '_, T, F> {
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
        let (from, mut to) = (vector.rows(self.x), vector.rows_mut(self.y));
        in_fours!(T, S, rows_of(block, self.x.rows()), |row, N| {
            let mut x = [T::splat(vector.simd, T::ZERO); N];
            for i in 0..N {
                x[i] = from.load(row + i);
            }
            let [y, _] = self.function.value_and_slope(vector.simd, x);
            for i in 0..N {
                to.store(row + i, y[i]);
            }
        });
    }
}

/// The norm, then the activation, of every row.
pub(super) struct NormThenActivate<'a, 'b, T, F> {
    pub(super) after: F,
    pub(super) channels: &'a Channels<T>,
    pub(super) x: Columns<'a, T>,
    pub(super) y: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, F: ActivationFunction<T>> ChannelKernel<T> for NormThenActivate<'_, '_, T, F> {
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
        let channels = self.channels.of(vector);
        let (from, mut to) = (vector.rows(self.x), vector.rows_mut(self.y));
        in_fours!(T, S, rows_of(block, self.x.rows()), |row, N| {
            let mut x = [T::splat(vector.simd, T::ZERO); N];
            for i in 0..N {
                x[i] = channels.affine(from.load(row + i));
            }
            let [y, _] = self.after.value_and_slope(vector.simd, x);
            for i in 0..N {
                to.store(row + i, y[i]);
            }
        });
    }
}
