//! Blocks of values into another basis and back, channels side by side in vectors.

use crate::cpu::real::Real;
use pulp::{Arch, Simd, WithSimd};

/// A linear map of `I` values in a line to `O`; a square of values is mapped along both directions.
pub(super) trait Basis<const I: usize, const O: usize>: Copy {
    fn map<T: Real, S: Simd>(self, simd: S, x: [T::Vector<S>; I]) -> [T::Vector<S>; O];
}

/// Four neighbours of an image, into the planes.
#[derive(Clone, Copy)]
pub(super) struct Windows;
/// From the planes to two neighbours of the output.
#[derive(Clone, Copy)]
pub(super) struct Join;
/// The transpose of [`Join`].
#[derive(Clone, Copy)]
pub(super) struct Spread;
/// Three weights, into the planes.
#[derive(Clone, Copy)]
pub(super) struct Weights;
/// The transpose of [`Weights`].
#[derive(Clone, Copy)]
pub(super) struct Collect;

impl Basis<4, 4> for Windows {
    #[inline(always)]
    fn map<T: Real, S: Simd>(self, s: S, [a, b, c, d]: [T::Vector<S>; 4]) -> [T::Vector<S>; 4] {
        [
            T::minus(s, a, c),
            T::plus(s, b, c),
            T::minus(s, c, b),
            T::minus(s, b, d),
        ]
    }
}

impl Basis<4, 2> for Join {
    #[inline(always)]
    fn map<T: Real, S: Simd>(self, s: S, [a, b, c, d]: [T::Vector<S>; 4]) -> [T::Vector<S>; 2] {
        let (sum, apart) = (T::plus(s, b, c), T::minus(s, b, c));
        [T::plus(s, a, sum), T::minus(s, apart, d)]
    }
}

impl Basis<2, 4> for Spread {
    #[inline(always)]
    fn map<T: Real, S: Simd>(self, s: S, [a, b]: [T::Vector<S>; 2]) -> [T::Vector<S>; 4] {
        let none = T::splat(s, T::ZERO);
        [a, T::plus(s, a, b), T::minus(s, a, b), T::minus(s, none, b)]
    }
}

impl Basis<3, 4> for Weights {
    #[inline(always)]
    fn map<T: Real, S: Simd>(self, s: S, [a, b, c]: [T::Vector<S>; 3]) -> [T::Vector<S>; 4] {
        let (ends, middle) = (halved::<T, S>(s, T::plus(s, a, c)), halved::<T, S>(s, b));
        [a, T::plus(s, ends, middle), T::minus(s, ends, middle), c]
    }
}

impl Basis<4, 3> for Collect {
    #[inline(always)]
    fn map<T: Real, S: Simd>(self, s: S, [a, b, c, d]: [T::Vector<S>; 4]) -> [T::Vector<S>; 3] {
        let sum = halved::<T, S>(s, T::plus(s, b, c));
        let apart = halved::<T, S>(s, T::minus(s, b, c));
        [T::plus(s, a, sum), apart, T::plus(s, sum, d)]
    }
}

#[inline(always)]
fn halved<T: Real, S: Simd>(s: S, x: T::Vector<S>) -> T::Vector<S> {
    T::mul_add(s, x, T::splat(s, T::of(0.5)), T::splat(s, T::ZERO))
}

/// Where the squares of a matrix of squares lie. Every value is a row of channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Numbers from one square to the next, down and across.
    pub(super) squares: [usize; 2],
    /// Numbers from one value of a square to the next, down and across.
    pub(super) values: [usize; 2],
    /// Values that are there, down and across, squares side by side; the others count as zero and
    /// are not written.
    pub(super) there: [usize; 2],
}

impl Grid {
    /// Rows of channels on which nothing is left out.
    pub(super) fn whole(squares: [usize; 2], values: [usize; 2]) -> Self {
        Self {
            squares,
            values,
            there: [usize::MAX; 2],
        }
    }

    /// How many of the `side` values of square `i` are there, along one direction.
    #[inline(always)]
    fn inside(&self, direction: usize, i: usize, side: usize) -> usize {
        self.there[direction].saturating_sub(i * side).min(side)
    }

    /// Numbers from the first to the end of the last one that is there, in `count` squares down and
    /// across.
    fn reach(&self, count: [usize; 2], side: usize, channels: usize) -> usize {
        let along = |direction: usize| {
            let last = |i| {
                let values = self.inside(direction, i, side).max(1);
                i * self.squares[direction] + (values - 1) * self.values[direction]
            };
            (0..count[direction]).map(last).max().unwrap_or(0)
        };
        along(0) + along(1) + channels
    }
}

/// Squares of `I` by `I` values, into squares of `O` by `O`.
pub(super) struct Transform<'a, T, B, const I: usize, const O: usize> {
    pub(super) basis: B,
    /// Squares, down and across.
    pub(super) count: [usize; 2],
    pub(super) channels: usize,
    pub(super) from: (&'a [T], Grid),
    pub(super) to: (&'a mut [T], Grid),
    /// Added to every value.
    pub(super) onto: Option<&'a [T]>,
}

impl<T: Real, B: Basis<I, O>, const I: usize, const O: usize> Transform<'_, T, B, I, O> {
    /// # Panics
    /// If something would lie outside of what is read or written.
    pub(super) fn run(self) {
        let reach = |grid: &Grid, side| grid.reach(self.count, side, self.channels);
        assert!(reach(&self.from.1, I) <= self.from.0.len());
        assert!(reach(&self.to.1, O) <= self.to.0.len());
        assert!(self.onto.is_none_or(|onto| onto.len() == self.channels));
        Arch::new().dispatch(self);
    }

    /// All squares, for one vector of channels; with `SOME`, for the lanes in `mask`.
    ///
    /// # Safety
    /// What [`Self::run`] asserts holds, and the lanes are those of channels from `channel` on.
    #[inline(always)]
    unsafe fn lanes<S: Simd, const SOME: bool>(
        &mut self,
        simd: S,
        mask: T::Mask<S>,
        channel: usize,
    ) {
        let none = T::splat(simd, T::ZERO);
        let onto = match self.onto {
            // SAFETY: `onto` has all channels.
            Some(onto) => unsafe { load::<T, S, SOME>(simd, mask, onto.as_ptr().add(channel)) },
            None => none,
        };
        let (from_grid, to_grid) = (self.from.1, self.to.1);
        for i in 0..self.count[0] {
            for j in 0..self.count[1] {
                let start = |grid: &Grid| i * grid.squares[0] + j * grid.squares[1] + channel;
                let from = self.from.0.as_ptr().wrapping_add(start(&from_grid));
                let to = self.to.0.as_mut_ptr().wrapping_add(start(&to_grid));
                let there = [from_grid.inside(0, i, I), from_grid.inside(1, j, I)];
                let mut x = [[none; I]; I];
                for a in 0..I {
                    for b in 0..I {
                        if a < there[0] && b < there[1] {
                            let at = a * from_grid.values[0] + b * from_grid.values[1];
                            // SAFETY: the value is there, so it ends within `reach`.
                            x[a][b] = unsafe { load::<T, S, SOME>(simd, mask, from.add(at)) };
                        }
                    }
                }
                let y = both::<T, S, B, I, O>(self.basis, simd, x);
                let there = [to_grid.inside(0, i, O), to_grid.inside(1, j, O)];
                for a in 0..O {
                    for b in 0..O {
                        if a < there[0] && b < there[1] {
                            let at = a * to_grid.values[0] + b * to_grid.values[1];
                            let y = T::plus(simd, y[a][b], onto);
                            // SAFETY: as above; `to` is borrowed exclusively.
                            unsafe { store::<T, S, SOME>(simd, mask, to.add(at), y) };
                        }
                    }
                }
            }
        }
    }
}

impl<T: Real, B: Basis<I, O>, const I: usize, const O: usize> WithSimd
    for Transform<'_, T, B, I, O>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (lanes, channels) = (T::lanes::<S>(), self.channels);
        let whole = channels / lanes * lanes;
        for channel in (0..whole).step_by(lanes) {
            // SAFETY: `run` has asserted it, and a whole vector of channels is left.
            unsafe { self.lanes::<S, false>(simd, T::first(simd, lanes), channel) };
        }
        if whole < channels {
            // SAFETY: as above, with a mask for the channels that are left.
            unsafe { self.lanes::<S, true>(simd, T::first(simd, channels - whole), whole) };
        }
    }
}

/// The map along both directions.
#[inline(always)]
fn both<T: Real, S: Simd, B: Basis<I, O>, const I: usize, const O: usize>(
    basis: B,
    simd: S,
    x: [[T::Vector<S>; I]; I],
) -> [[T::Vector<S>; O]; O] {
    let none = T::splat(simd, T::ZERO);
    let mut down = [[none; I]; O];
    for b in 0..I {
        let mut column = [none; I];
        for a in 0..I {
            column[a] = x[a][b];
        }
        let column = basis.map::<T, S>(simd, column);
        for a in 0..O {
            down[a][b] = column[a];
        }
    }
    let mut y = [[none; O]; O];
    for a in 0..O {
        y[a] = basis.map::<T, S>(simd, down[a]);
    }
    y
}

/// # Safety
/// The lanes of `mask`, or without `SOME` a whole vector, can be read from `from` on.
#[inline(always)]
unsafe fn load<T: Real, S: Simd, const SOME: bool>(
    simd: S,
    mask: T::Mask<S>,
    from: *const T,
) -> T::Vector<S> {
    // SAFETY: the caller's promise.
    unsafe {
        if SOME {
            T::load_some(simd, mask, from)
        } else {
            T::load(simd, from)
        }
    }
}

/// # Safety
/// The lanes of `mask`, or without `SOME` a whole vector, can be written from `to` on.
#[inline(always)]
unsafe fn store<T: Real, S: Simd, const SOME: bool>(
    simd: S,
    mask: T::Mask<S>,
    to: *mut T,
    value: T::Vector<S>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if SOME {
            T::store_some(simd, mask, to, value);
        } else {
            T::store(simd, to, value);
        }
    }
}
