//! Pooling before the statistics are known.
//!
//! A norm keeps the order of a channel's numbers, or turns it round where the scale is negative: in
//! exact numbers, the corner of a window that wins is known as soon as what the norm is given. So
//! the pass that takes the moments chooses it, and what comes later works on windows alone.
//!
//! Rounding keeps order too, but may make equal what was not, and of equals the first corner wins.
//! So the choice keeps the largest of the corners before the winner, its rival. Where both come out
//! equal, or not as numbers, the window is in doubt and has to be taken anew.

use super::channels::Channels;
use super::functions::Function;
use super::pooling::{Windows, each_corner, each_window};
use super::strips::{Strip, Striped};
use super::{Pooled, Real};
use crate::ops::cpu::columns::Columns;
use pulp::Simd;

/// The winner of every window, what the norm is given there (`best`) and at its rival (in `y`).
pub(super) struct Choose<'a, 'b, T> {
    /// 1, or -1 where the scale of a channel is negative.
    pub(super) signs: &'a [T],
    pub(super) windows: Windows,
    pub(super) x: Columns<'a, T>,
    pub(super) out: &'a mut Pooled<'b, T>,
}

impl<T: Real> Striped<T> for Choose<'_, '_, T> {
    fn width(&self) -> usize {
        self.x.width()
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, strip: Strip<T, S, SOME>) {
        let (simd, sign) = (strip.simd, strip.load(self.signs));
        let x = strip.rows(self.x);
        let mut rivals = strip.rows_mut(&mut self.out.y);
        let mut winners = strip.rows_mut(&mut self.out.winners);
        let mut bests = strip.rows_mut(&mut self.out.best);
        let none = T::splat(simd, -T::INFINITY);
        each_window!(self.windows, |window, corners| {
            let keys = each_corner!(|k| T::times(simd, x.load(corners[k]), sign));
            let (mut winner, mut best, mut rival) = (T::splat(simd, T::ZERO), keys[0], none);
            for corner in 1..4 {
                let wins = T::above(simd, keys[corner], best);
                let number = T::splat(simd, T::of(corner as f64));
                winner = T::choose_each(simd, wins, number, winner);
                rival = T::choose_each(simd, wins, best, rival);
                best = T::choose_each(simd, wins, keys[corner], best);
            }
            rivals.store(window, T::times(simd, rival, sign));
            winners.store(window, winner);
            bests.store(window, T::times(simd, best, sign));
        });
    }
}

/// The output of every window that [`Choose`] chose from, in `y` in place of the rivals.
pub(super) struct Settle<'a, 'b, T, F> {
    /// Keeps order.
    pub(super) after: F,
    pub(super) channels: &'a Channels<T>,
    pub(super) out: &'a mut Pooled<'b, T>,
    /// Set where a window is in doubt.
    pub(super) doubts: &'a mut [bool],
}

impl<T: Real, F: Function<T>> Striped<T> for Settle<'_, '_, T, F> {
    fn width(&self) -> usize {
        self.out.y.width()
    }

    #[inline(always)]
    fn strip<S: Simd, const SOME: bool>(&mut self, strip: Strip<T, S, SOME>) {
        let (simd, channels) = (strip.simd, self.channels.of(strip));
        let best = strip.rows(self.out.best.read());
        let mut y = strip.rows_mut(&mut self.out.y);
        for (window, doubt) in self.doubts.iter_mut().enumerate() {
            let lines = [
                channels.line(best.load(window)),
                channels.line(y.load(window)),
            ];
            let [[value, rival], _] = self.after.both(simd, lines);
            *doubt |= !strip.all(T::above(simd, value, rival));
            y.store(window, value);
        }
    }
}
