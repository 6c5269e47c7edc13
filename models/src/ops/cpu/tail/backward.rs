//! The backward pass: first to the norm's output, with the sums that the norm's gradient needs of
//! all rows, then through the norm.

use super::maps::{Channels, Map, lanes};
use super::pooling::{Windows, each_corner, each_window};
use super::strips::{Strip, in_blocks, strips};
use super::{Real, Sums};
use crate::ops::cpu::columns::{Columns, ColumnsMut};
use crate::ops::cpu::vector::Kernel;

/// Turns the gradient of the output into that of the norm's output, in place, and sums over the
/// rows: it, and its product with the normalized value.
pub(super) struct First<'a, 'b, T, M> {
    pub(super) map: M,
    pub(super) channels: &'a Channels<T>,
    pub(super) x: Columns<'a, T>,
    pub(super) d: &'a mut ColumnsMut<'b, T>,
    pub(super) sums: &'a mut [T],
    pub(super) products: &'a mut [T],
}

impl<T: Real, M: Map<T>> Kernel for First<'_, '_, T, M> {
    #[inline(always)]
    fn run(mut self) {
        strips(self.x.width(), &mut self);
    }
}

impl<T: Real, M: Map<T>> Strip for First<'_, '_, T, M> {
    #[inline(always)]
    fn run<const L: usize>(&mut self, from: usize) {
        let (map, channels) = (self.map, self.channels.lanes::<L>(from));
        let [sums, products] = in_blocks!(self.x.rows(), |row, sums: [[T; L]; 2]| {
            let x = self.x.lanes::<L>(row, from);
            let d = self.d.lanes_mut::<L>(row, from);
            for i in 0..L {
                d[i] = map.after_norm(x[i], d[i], channels.at(i));
                sums[0][i] += d[i];
                sums[1][i] += d[i] * map.normal(x[i], channels.at(i));
            }
        });
        self.sums[from..from + L].copy_from_slice(&sums);
        self.products[from..from + L].copy_from_slice(&products);
    }
}

/// Turns the gradient of the norm's output into that of `x`, in place.
pub(super) struct Second<'a, 'b, T, M> {
    pub(super) map: M,
    pub(super) channels: &'a Channels<T>,
    pub(super) x: Columns<'a, T>,
    pub(super) means: &'a Sums<T>,
    pub(super) d: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, M: Map<T>> Kernel for Second<'_, '_, T, M> {
    #[inline(always)]
    fn run(mut self) {
        strips(self.x.width(), &mut self);
    }
}

impl<T: Real, M: Map<T>> Strip for Second<'_, '_, T, M> {
    #[inline(always)]
    fn run<const L: usize>(&mut self, from: usize) {
        let (map, channels) = (self.map, self.channels.lanes::<L>(from));
        let sums: &[T; L] = lanes(&self.means.plain, from);
        let products: &[T; L] = lanes(&self.means.products, from);
        for row in 0..self.x.rows() {
            let x = self.x.lanes::<L>(row, from);
            let d = self.d.lanes_mut::<L>(row, from);
            for i in 0..L {
                let normal = map.normal(x[i], channels.at(i));
                let gradient = (d[i] - sums[i] - normal * products[i]) * channels.at(i).slope;
                d[i] = gradient * map.before_norm(x[i]);
            }
        }
    }
}

/// [`Second`] behind 2x2 max pooling: from the gradients of the windows to those of all places.
pub(super) struct SecondPooled<'a, 'b, T, M> {
    pub(super) map: M,
    pub(super) channels: &'a Channels<T>,
    pub(super) windows: Windows,
    pub(super) x: Columns<'a, T>,
    pub(super) winners: Columns<'a, T>,
    pub(super) d: Columns<'a, T>,
    pub(super) means: &'a Sums<T>,
    pub(super) dx: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real, M: Map<T>> Kernel for SecondPooled<'_, '_, T, M> {
    #[inline(always)]
    fn run(mut self) {
        strips(self.x.width(), &mut self);
    }
}

impl<T: Real, M: Map<T>> Strip for SecondPooled<'_, '_, T, M> {
    #[inline(always)]
    fn run<const L: usize>(&mut self, from: usize) {
        let (map, channels) = (self.map, self.channels.lanes::<L>(from));
        let sums: &[T; L] = lanes(&self.means.plain, from);
        let products: &[T; L] = lanes(&self.means.products, from);
        each_window!(self.windows, |window, corners| {
            let d = self.d.lanes::<L>(window, from);
            let winner = self.winners.lanes::<L>(window, from);
            let x = each_corner!(|k| self.x.lanes::<L>(corners[k], from));
            let mut dx = [[T::ZERO; L]; 4];
            for i in 0..L {
                for corner in 0..4 {
                    let own = T::choose(winner[i] == T::of(corner as f64), d[i], T::ZERO);
                    let normal = map.normal(x[corner][i], channels.at(i));
                    let gradient = (own - sums[i] - normal * products[i]) * channels.at(i).slope;
                    dx[corner][i] = gradient * map.before_norm(x[corner][i]);
                }
            }
            for corner in 0..4 {
                *self.dx.lanes_mut::<L>(corners[corner], from) = dx[corner];
            }
        });
        for place in self.windows.outside() {
            let x = self.x.lanes::<L>(place, from);
            let dx = self.dx.lanes_mut::<L>(place, from);
            for i in 0..L {
                let normal = map.normal(x[i], channels.at(i));
                let gradient = (-sums[i] - normal * products[i]) * channels.at(i).slope;
                dx[i] = gradient * map.before_norm(x[i]);
            }
        }
    }
}

/// The sum of each channel over the rows.
pub(super) struct SumRows<'a, T> {
    pub(super) x: Columns<'a, T>,
    pub(super) sums: &'a mut [T],
}

impl<T: Real> Kernel for SumRows<'_, T> {
    #[inline(always)]
    fn run(mut self) {
        strips(self.x.width(), &mut self);
    }
}

impl<T: Real> Strip for SumRows<'_, T> {
    #[inline(always)]
    fn run<const L: usize>(&mut self, from: usize) {
        let x = self.x;
        let [sums] = in_blocks!(x.rows(), |row, sums: [[T; L]; 1]| {
            let x = x.lanes::<L>(row, from);
            for i in 0..L {
                sums[0][i] += x[i];
            }
        });
        self.sums[from..from + L].copy_from_slice(&sums);
    }
}
