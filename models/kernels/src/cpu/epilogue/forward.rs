//! The forward pass: moments, then norm and activation.

use super::Real;
use super::channels::Channels;
use super::functions::Function;
use super::strips::{Strip, Striped, by_fours, in_blocks, parts, rows_of};
use crate::cpu::columns::{Columns, ColumnsMut};
use pulp::Simd;

/// The mean of each channel over the rows, and the sum of squared differences from it.
pub(super) struct Moments<'a, T> {
    pub(super) x: Columns<'a, T>,
    pub(super) mean: &'a mut [T],
    pub(super) squares: &'a mut [T],
}

impl<T: Real> Striped<T> for Moments<'_, T> {
    fn width(&self) -> usize {
        self.x.width()
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, _: usize, strip: Strip<T, S, SOME>) {
        let (simd, rows, x) = (strip.simd, self.x.rows(), strip.rows(self.x));
        let share = T::splat(simd, T::of(1.0 / rows as f64));
        let sum = in_blocks!(T, simd, rows, |row| x.load(row));
        let mean = T::times(simd, sum, share);
        let squares = in_blocks!(T, simd, rows, |row| {
            let apart = T::minus(simd, x.load(row), mean);
            T::times(simd, apart, apart)
        });
        strip.store(self.mean, mean);
        strip.store(self.squares, squares);
    }
}

/// An activation alone.
pub(super) struct Activate<'a, 'b, T, F> {
    pub(super) function: F,
    pub(super) x: Columns<'a, T>,
    pub(super) y: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, F: Function<T>> Striped<T> for Activate<'_, '_, T, F> {
    fn width(&self) -> usize {
        self.x.width()
    }

    fn parts(&self) -> usize {
        parts(self.x.rows())
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, part: usize, strip: Strip<T, S, SOME>) {
        let (from, mut to) = (strip.rows(self.x), strip.rows_mut(self.y));
        by_fours!(rows_of(part, self.x.rows()), |row, N| {
            let mut x = [T::splat(strip.simd, T::ZERO); N];
            for i in 0..N {
                x[i] = from.load(row + i);
            }
            let [y, _] = self.function.both(strip.simd, x);
            for i in 0..N {
                to.store(row + i, y[i]);
            }
        });
    }
}

/// A norm and then an activation of every row.
pub(super) struct Apply<'a, 'b, T, F> {
    pub(super) after: F,
    pub(super) channels: &'a Channels<T>,
    pub(super) x: Columns<'a, T>,
    pub(super) y: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, F: Function<T>> Striped<T> for Apply<'_, '_, T, F> {
    fn width(&self) -> usize {
        self.x.width()
    }

    fn parts(&self) -> usize {
        parts(self.x.rows())
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, part: usize, strip: Strip<T, S, SOME>) {
        let channels = self.channels.of(strip);
        let (from, mut to) = (strip.rows(self.x), strip.rows_mut(self.y));
        by_fours!(rows_of(part, self.x.rows()), |row, N| {
            let mut x = [T::splat(strip.simd, T::ZERO); N];
            for i in 0..N {
                x[i] = channels.line(from.load(row + i));
            }
            let [y, _] = self.after.both(strip.simd, x);
            for i in 0..N {
                to.store(row + i, y[i]);
            }
        });
    }
}
