//! The backward pass through a norm, and the activation before it, if any.

use super::channels::Channels;
use super::functions::Function;
use super::pooling::{Windows, each_corner, each_window};
use super::strips::{Strip, Striped, by_fours, parts, rows_of};
use super::{Real, Sums};
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::elementary::each;
use pulp::Simd;

/// Turns the gradient of the norm's output into that of `x`, in place.
pub(super) struct Through<'a, 'b, T, G> {
    pub(super) before: G,
    pub(super) channels: &'a Channels<T>,
    pub(super) x: Columns<'a, T>,
    pub(super) means: &'a Sums<T>,
    pub(super) d: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, G: Function<T>> Striped<T> for Through<'_, '_, T, G> {
    fn width(&self) -> usize {
        self.x.width()
    }

    fn parts(&self) -> usize {
        parts(self.x.rows())
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, part: usize, strip: Strip<T, S, SOME>) {
        let (simd, channels) = (strip.simd, self.channels.of(strip));
        let sums = strip.load(&self.means.plain);
        let products = strip.load(&self.means.products);
        let (x_rows, mut d_rows) = (strip.rows(self.x), strip.rows_mut(self.d));
        by_fours!(rows_of(part, self.x.rows()), |row, N| {
            let mut x = [sums; N];
            for i in 0..N {
                x[i] = x_rows.load(row + i);
            }
            let [given, slopes] = self.before.both(simd, x);
            for i in 0..N {
                let centred = T::minus(simd, d_rows.load(row + i), sums);
                let mut d = channels.back(given[i], centred, products);
                if !G::IDENTITY {
                    d = T::times(simd, d, slopes[i]);
                }
                d_rows.store(row + i, d);
            }
        });
    }
}

/// [`Through`] behind 2x2 max pooling: from the gradients of the windows to those of all places.
pub(super) struct ThroughPooled<'a, 'b, T, G> {
    pub(super) before: G,
    pub(super) channels: &'a Channels<T>,
    pub(super) windows: Windows,
    pub(super) x: Columns<'a, T>,
    pub(super) best: Columns<'a, T>,
    pub(super) d: Columns<'a, T>,
    pub(super) means: &'a Sums<T>,
    pub(super) dx: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, G: Function<T>> Striped<T> for ThroughPooled<'_, '_, T, G> {
    fn width(&self) -> usize {
        self.x.width()
    }

    fn parts(&self) -> usize {
        // One more for what is in no window.
        self.windows.lines() + 1
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, part: usize, strip: Strip<T, S, SOME>) {
        let (simd, channels) = (strip.simd, self.channels.of(strip));
        let sums = strip.load(&self.means.plain);
        let products = strip.load(&self.means.products);
        let zero = T::splat(simd, T::ZERO);
        let (x_rows, bests) = (strip.rows(self.x), strip.rows(self.best));
        let (d, mut dx) = (strip.rows(self.d), strip.rows_mut(self.dx));
        if part == self.windows.lines() {
            let outside = T::negative(simd, sums);
            for place in self.windows.outside() {
                let x = [x_rows.load(place)];
                let [given, slopes] = self.before.both(simd, x);
                let gradient = channels.back(given[0], outside, products);
                let gradient = T::times(simd, gradient, slopes[0]);
                dx.store(place, gradient);
            }
            return;
        }
        // What loses a window has no gradient of its own.
        let lost = T::minus(simd, zero, sums);
        each_window!(self.windows, part, |window, corners| {
            let mut won = T::minus(simd, d.load(window), sums);
            let best = bests.load(window);
            let x = each_corner!(|k| x_rows.load(corners[k]));
            let [given, slopes] = self.before.both(simd, x);
            let gradients = each!(given, |k| {
                // The first corner that is the best wins, and no other.
                let wins = T::equal(simd, given[k], best);
                let centred = T::choose_each(simd, wins, won, lost);
                won = T::choose_each(simd, wins, lost, won);
                channels.back(given[k], centred, products)
            });
            for k in 0..4 {
                let gradient = if G::IDENTITY {
                    gradients[k]
                } else {
                    T::times(simd, gradients[k], slopes[k])
                };
                dx.store(corners[k], gradient);
            }
        });
    }
}
