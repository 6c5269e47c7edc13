//! The forward pass: moments, then norm, activation and pooling.

use super::channels::Channels;
use super::functions::Function;
use super::pooling::{Windows, each_corner, each_window};
use super::strips::{Strip, Striped, by_fours, in_blocks, parts, rows_of};
use super::{Pooled, Real};
use crate::ops::cpu::columns::{Columns, ColumnsMut};
use crate::ops::cpu::elementary::each;
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

/// The norm between two activations, and 2x2 max pooling.
pub(super) struct ApplyPooled<'a, 'b, T, G, F> {
    pub(super) before: G,
    pub(super) after: F,
    pub(super) channels: &'a Channels<T>,
    pub(super) windows: Windows,
    pub(super) x: Columns<'a, T>,
    pub(super) out: &'a mut Pooled<'b, T>,
}

impl<T: Real, G: Function<T>, F: Function<T>> Striped<T> for ApplyPooled<'_, '_, T, G, F> {
    fn width(&self) -> usize {
        self.x.width()
    }

    fn parts(&self) -> usize {
        self.windows.lines()
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, part: usize, strip: Strip<T, S, SOME>) {
        let (simd, channels) = (strip.simd, self.channels.of(strip));
        let x = strip.rows(self.x);
        let mut y = strip.rows_mut(&mut self.out.y);
        let mut winners = strip.rows_mut(&mut self.out.winners);
        let mut bests = strip.rows_mut(&mut self.out.best);
        each_window!(self.windows, part, |window, corners| {
            let x = each_corner!(|k| x.load(corners[k]));
            let [given, _] = self.before.both(simd, x);
            let line = each!(given, |k| channels.line(given[k]));
            let [value, _] = self.after.both(simd, line);
            let (mut winner, mut largest, mut best) = (T::splat(simd, T::ZERO), value[0], given[0]);
            for corner in 1..4 {
                // Written so that a NaN on either side is kept, not skipped.
                let keep = T::either(
                    simd,
                    T::at_least(simd, largest, value[corner]),
                    T::not_a_number(simd, largest),
                );
                let number = T::splat(simd, T::of(corner as f64));
                winner = T::choose_each(simd, keep, winner, number);
                largest = T::choose_each(simd, keep, largest, value[corner]);
                best = T::choose_each(simd, keep, best, given[corner]);
            }
            y.store(window, largest);
            winners.store(window, winner);
            bests.store(window, best);
        });
    }
}
