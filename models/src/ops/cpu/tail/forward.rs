//! The forward pass: moments, then norm, activation and pooling.

use super::maps::{Channels, Map};
use super::pooling::{Windows, each_corner, each_window};
use super::strips::{Strip, in_blocks, strips};
use super::{Pooled, Real};
use crate::ops::cpu::columns::{Columns, ColumnsMut};
use crate::ops::cpu::vector::Kernel;

/// The mean of each channel over the rows, and the sum of squared differences from it.
pub(super) struct Moments<'a, T> {
    pub(super) x: Columns<'a, T>,
    pub(super) mean: &'a mut [T],
    pub(super) squares: &'a mut [T],
}

impl<T: Real> Kernel for Moments<'_, T> {
    #[inline(always)]
    fn run(mut self) {
        strips(self.x.width(), &mut self);
    }
}

impl<T: Real> Strip for Moments<'_, T> {
    #[inline(always)]
    fn run<const L: usize>(&mut self, from: usize) {
        let x = self.x;
        let share = T::of(1.0 / x.rows() as f64);
        let [mut mean] = in_blocks!(x.rows(), |row, sums: [[T; L]; 1]| {
            let x = x.lanes::<L>(row, from);
            for i in 0..L {
                sums[0][i] += x[i];
            }
        });
        for m in &mut mean {
            *m *= share;
        }
        let [squares] = in_blocks!(x.rows(), |row, sums: [[T; L]; 1]| {
            let x = x.lanes::<L>(row, from);
            for i in 0..L {
                let d = x[i] - mean[i];
                sums[0][i] += d * d;
            }
        });
        self.mean[from..from + L].copy_from_slice(&mean);
        self.squares[from..from + L].copy_from_slice(&squares);
    }
}

/// Norm and activation of every row.
pub(super) struct Apply<'a, 'b, T, M> {
    pub(super) map: M,
    pub(super) channels: &'a Channels<T>,
    pub(super) x: Columns<'a, T>,
    pub(super) y: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, M: Map<T>> Kernel for Apply<'_, '_, T, M> {
    #[inline(always)]
    fn run(mut self) {
        strips(self.x.width(), &mut self);
    }
}

impl<T: Real, M: Map<T>> Strip for Apply<'_, '_, T, M> {
    #[inline(always)]
    fn run<const L: usize>(&mut self, from: usize) {
        let channels = self.channels.lanes::<L>(from);
        for row in 0..self.x.rows() {
            let x = self.x.lanes::<L>(row, from);
            let y = self.y.lanes_mut::<L>(row, from);
            for i in 0..L {
                y[i] = self.map.value(x[i], channels.at(i));
            }
        }
    }
}

/// Norm, activation and 2x2 max pooling.
pub(super) struct ApplyPooled<'a, 'b, T, M> {
    pub(super) map: M,
    pub(super) channels: &'a Channels<T>,
    pub(super) windows: Windows,
    pub(super) x: Columns<'a, T>,
    pub(super) out: Pooled<'a, 'b, T>,
}

impl<T: Real, M: Map<T>> Kernel for ApplyPooled<'_, '_, T, M> {
    #[inline(always)]
    fn run(mut self) {
        strips(self.x.width(), &mut self);
    }
}

impl<T: Real, M: Map<T>> Strip for ApplyPooled<'_, '_, T, M> {
    #[inline(always)]
    fn run<const L: usize>(&mut self, from: usize) {
        let channels = self.channels.lanes::<L>(from);
        each_window!(self.windows, |window, corners| {
            let x = each_corner!(|k| self.x.lanes::<L>(corners[k], from));
            let [mut y, mut winners, mut best] = [[T::ZERO; L]; 3];
            // All corners of a channel at once: what is chosen by then stays in registers.
            for i in 0..L {
                let (mut winner, mut from_x) = (T::ZERO, x[0][i]);
                let mut largest = self.map.value(from_x, channels.at(i));
                for corner in 1..4 {
                    let x = x[corner][i];
                    let value = self.map.value(x, channels.at(i));
                    // Written so that a NaN on either side is kept, not skipped.
                    let keep = (largest >= value) | largest.is_nan();
                    winner = T::choose(keep, winner, T::of(corner as f64));
                    largest = T::choose(keep, largest, value);
                    from_x = T::choose(keep, from_x, x);
                }
                y[i] = largest;
                winners[i] = winner;
                best[i] = from_x;
            }
            *self.out.y.lanes_mut::<L>(window, from) = y;
            *self.out.winners.lanes_mut::<L>(window, from) = winners;
            *self.out.best.lanes_mut::<L>(window, from) = best;
        });
    }
}
