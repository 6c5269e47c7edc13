//! The backward pass up to the norm's output, with the sums that the way through it needs of all
//! rows.

use super::Real;
use super::channels::Channels;
use super::functions::Function;
use super::strips::{ROWS, Strip, Striped, by_fours, in_blocks};
use crate::cpu::columns::{Columns, ColumnsMut};
use pulp::Simd;

/// Turns the gradient of the output into that of the norm's output, in place, and sums over the
/// rows: it, and its product with the normalized value.
pub(super) struct ToNorm<'a, 'b, T, F> {
    pub(super) after: F,
    pub(super) channels: &'a Channels<T>,
    pub(super) x: Columns<'a, T>,
    pub(super) d: &'a mut ColumnsMut<'b, T>,
    pub(super) sums: &'a mut [T],
    pub(super) products: &'a mut [T],
}

impl<T: Real, F: Function<T>> Striped<T> for ToNorm<'_, '_, T, F> {
    fn width(&self) -> usize {
        self.x.width()
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, _: usize, strip: Strip<T, S, SOME>) {
        let (simd, channels) = (strip.simd, self.channels.of(strip));
        let zero = T::splat(simd, T::ZERO);
        let (x_rows, mut d_rows) = (strip.rows(self.x), strip.rows_mut(self.d));
        let mut totals = [zero; 2];
        let (mut from, rows) = (0, self.x.rows());
        while from < rows {
            let to = rows.min(from + ROWS);
            let mut sums = [zero; 2];
            by_fours!(from..to, |row, N| {
                let [mut x, mut lines] = [[zero; N]; 2];
                for i in 0..N {
                    x[i] = x_rows.load(row + i);
                    lines[i] = channels.line(x[i]);
                }
                let [_, slopes] = self.after.both(simd, lines);
                for i in 0..N {
                    let mut d = d_rows.load(row + i);
                    if !F::IDENTITY {
                        d = T::times(simd, d, slopes[i]);
                        d_rows.store(row + i, d);
                    }
                    sums[0] = T::plus(simd, sums[0], d);
                    let product = T::times(simd, d, channels.normal(x[i]));
                    sums[1] = T::plus(simd, sums[1], product);
                }
            });
            for k in 0..2 {
                totals[k] = T::plus(simd, totals[k], sums[k]);
            }
            from = to;
        }
        strip.store(self.sums, totals[0]);
        strip.store(self.products, totals[1]);
    }
}

/// The sum of each channel over the rows.
pub(super) struct SumRows<'a, T> {
    pub(super) x: Columns<'a, T>,
    pub(super) sums: &'a mut [T],
}

impl<T: Real> Striped<T> for SumRows<'_, T> {
    fn width(&self) -> usize {
        self.x.width()
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, _: usize, strip: Strip<T, S, SOME>) {
        let x = strip.rows(self.x);
        let sum = in_blocks!(T, strip.simd, self.x.rows(), |row| x.load(row));
        strip.store(self.sums, sum);
    }
}
