//! Transforms of tiles to and from the Winograd domain, vectorized over channels.

use crate::cpu::real::Real;
use crate::cpu::simd::VectorFacts;
use pulp::{Simd, WithSimd};

/// A linear map of `I` values to `O`. A tile of values is mapped along both directions.
pub(super) trait LinearMap<const I: usize, const O: usize>: Copy {
    fn map<T: Real, S: Simd>(self, simd: S, x: [T::Vector<S>; I]) -> [T::Vector<S>; O];
}

/// Input transform: four pixels to the Winograd domain (`B^T` of Lavin and Gray 2016).
#[derive(Clone, Copy)]
pub(super) struct InputTransform;
/// Output transform: from the Winograd domain to two pixels (`A^T`).
#[derive(Clone, Copy)]
pub(super) struct OutputTransform;
/// Transpose of the [output transform](OutputTransform), for output gradients.
#[derive(Clone, Copy)]
pub(super) struct OutputGradientTransform;
/// Kernel transform: three weights to the Winograd domain (`G`).
#[derive(Clone, Copy)]
pub(super) struct KernelTransform;
/// Transpose of the [kernel transform](KernelTransform), for weight gradients.
#[derive(Clone, Copy)]
pub(super) struct KernelGradientTransform;

impl LinearMap<4, 4> for InputTransform {
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

impl LinearMap<4, 2> for OutputTransform {
    #[inline(always)]
    fn map<T: Real, S: Simd>(self, s: S, [a, b, c, d]: [T::Vector<S>; 4]) -> [T::Vector<S>; 2] {
        let (sum, difference) = (T::plus(s, b, c), T::minus(s, b, c));
        [T::plus(s, a, sum), T::minus(s, difference, d)]
    }
}

impl LinearMap<2, 4> for OutputGradientTransform {
    #[inline(always)]
    fn map<T: Real, S: Simd>(self, s: S, [a, b]: [T::Vector<S>; 2]) -> [T::Vector<S>; 4] {
        let zero = T::splat(s, T::ZERO);
        [a, T::plus(s, a, b), T::minus(s, a, b), T::minus(s, zero, b)]
    }
}

impl LinearMap<3, 4> for KernelTransform {
    #[inline(always)]
    fn map<T: Real, S: Simd>(self, s: S, [a, b, c]: [T::Vector<S>; 3]) -> [T::Vector<S>; 4] {
        let (ends, middle) = (halved::<T, S>(s, T::plus(s, a, c)), halved::<T, S>(s, b));
        [a, T::plus(s, ends, middle), T::minus(s, ends, middle), c]
    }
}

impl LinearMap<4, 3> for KernelGradientTransform {
    #[inline(always)]
    fn map<T: Real, S: Simd>(self, s: S, [a, b, c, d]: [T::Vector<S>; 4]) -> [T::Vector<S>; 3] {
        let sum = halved::<T, S>(s, T::plus(s, b, c));
        let difference = halved::<T, S>(s, T::minus(s, b, c));
        [T::plus(s, a, sum), difference, T::plus(s, sum, d)]
    }
}

#[inline(always)]
fn halved<T: Real, S: Simd>(s: S, x: T::Vector<S>) -> T::Vector<S> {
    T::mul_add(s, x, T::splat(s, T::from_f64(0.5)), T::splat(s, T::ZERO))
}

/// Memory layout of a grid of tiles. Every value of a tile is a row of channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileGrid {
    /// Strides from one tile to the next, down and across.
    pub(super) tiles: [usize; 2],
    /// Strides from one value of a tile to the next, down and across.
    pub(super) values: [usize; 2],
    /// Number of values of the grid that exist, down and across. Values beyond are read as zero and not
    /// written.
    pub(super) extent: [usize; 2],
}

impl TileGrid {
    /// A grid in which all values exist.
    pub(super) fn whole(tiles: [usize; 2], values: [usize; 2]) -> Self {
        Self {
            tiles,
            values,
            extent: [usize::MAX; 2],
        }
    }

    /// How many of the `side` values of tile `i` exist, along one direction.
    #[inline(always)]
    fn inside(&self, direction: usize, i: usize, side: usize) -> usize {
        self.extent[direction].saturating_sub(i * side).min(side)
    }

    /// Length in memory of a grid of `count` tiles, down and across.
    fn len(&self, count: [usize; 2], side: usize, channels: usize) -> usize {
        let along = |direction: usize| {
            let last = |i| {
                let values = self.inside(direction, i, side).max(1);
                i * self.tiles[direction] + (values - 1) * self.values[direction]
            };
            (0..count[direction]).map(last).max().unwrap_or(0)
        };
        along(0) + along(1) + channels
    }
}

/// Transform of tiles of `I` by `I` values to tiles of `O` by `O`.
pub(super) struct Transform<'a, T, B, const I: usize, const O: usize> {
    pub(super) map: B,
    /// Number of tiles, down and across.
    pub(super) count: [usize; 2],
    pub(super) channels: usize,
    pub(super) from: (&'a [T], TileGrid),
    pub(super) to: (&'a mut [T], TileGrid),
    /// A row of channels that is added to every value, such as a bias.
    pub(super) addend: Option<&'a [T]>,
}

impl<T: Real, B: LinearMap<I, O>, const I: usize, const O: usize> Transform<'_, T, B, I, O> {
    /// Runs the transform.
    ///
    /// # Panics
    /// If a grid is larger than its slice.
    pub(super) fn run(self) {
        let len = |grid: &TileGrid, side| grid.len(self.count, side, self.channels);
        assert!(len(&self.from.1, I) <= self.from.0.len());
        assert!(len(&self.to.1, O) <= self.to.0.len());
        assert!(
            self.addend
                .is_none_or(|addend| addend.len() == self.channels)
        );
        T::dispatch(self);
    }

    /// All tiles, for one vector of channels; with `PARTIAL`, for the lanes of `mask`.
    ///
    /// # Safety
    /// The assertions of [`Self::run`] must hold, and the lanes must be channels from `channel` on.
    #[inline(always)]
    unsafe fn run_lanes<S: Simd, const PARTIAL: bool>(
        &mut self,
        simd: S,
        mask: T::Mask<S>,
        channel: usize,
    ) {
        let zero = T::splat(simd, T::ZERO);
        let addend = match self.addend {
            // SAFETY: `addend` has all channels.
            Some(addend) => unsafe {
                load::<T, S, PARTIAL>(simd, mask, addend.as_ptr().add(channel))
            },
            None => zero,
        };
        let (from_grid, to_grid) = (self.from.1, self.to.1);
        for i in 0..self.count[0] {
            for j in 0..self.count[1] {
                let start = |grid: &TileGrid| i * grid.tiles[0] + j * grid.tiles[1] + channel;
                let from = self.from.0.as_ptr().wrapping_add(start(&from_grid));
                let to = self.to.0.as_mut_ptr().wrapping_add(start(&to_grid));
                let exists = [from_grid.inside(0, i, I), from_grid.inside(1, j, I)];
                let mut x = [[zero; I]; I];
                for a in 0..I {
                    for b in 0..I {
                        if a < exists[0] && b < exists[1] {
                            let offset = a * from_grid.values[0] + b * from_grid.values[1];
                            // SAFETY: the value exists, so it ends within `len`.
                            x[a][b] =
                                unsafe { load::<T, S, PARTIAL>(simd, mask, from.add(offset)) };
                        }
                    }
                }
                let y = along_both::<T, S, B, I, O>(self.map, simd, x);
                let exists = [to_grid.inside(0, i, O), to_grid.inside(1, j, O)];
                for a in 0..O {
                    for b in 0..O {
                        if a < exists[0] && b < exists[1] {
                            let offset = a * to_grid.values[0] + b * to_grid.values[1];
                            let y = T::plus(simd, y[a][b], addend);
                            // SAFETY: as above; `to` is borrowed exclusively.
                            unsafe { store::<T, S, PARTIAL>(simd, mask, to.add(offset), y) };
                        }
                    }
                }
            }
        }
    }
}

impl<T: Real, B: LinearMap<I, O>, const I: usize, const O: usize> WithSimd
    for Transform<'_, T, B, I, O>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (lanes, channels) = (T::lanes::<S>(), self.channels);
        let whole = channels / lanes * lanes;
        for channel in (0..whole).step_by(lanes) {
            // SAFETY: `run` has checked the grids, and a whole vector of channels remains.
            unsafe { self.run_lanes::<S, false>(simd, T::first_lanes(simd, lanes), channel) };
        }
        // A vector of one element is never partial.
        if const { !VectorFacts::<T, S>::IS_SCALAR } && whole < channels {
            // SAFETY: as above, with a mask for the remaining channels.
            unsafe {
                self.run_lanes::<S, true>(simd, T::first_lanes(simd, channels - whole), whole)
            };
        }
    }
}

/// Applies the map along both directions.
#[inline(always)]
fn along_both<T: Real, S: Simd, B: LinearMap<I, O>, const I: usize, const O: usize>(
    map: B,
    simd: S,
    x: [[T::Vector<S>; I]; I],
) -> [[T::Vector<S>; O]; O] {
    let zero = T::splat(simd, T::ZERO);
    let mut down = [[zero; I]; O];
    for b in 0..I {
        let mut column = [zero; I];
        for a in 0..I {
            column[a] = x[a][b];
        }
        let column = map.map::<T, S>(simd, column);
        for a in 0..O {
            down[a][b] = column[a];
        }
    }
    let mut y = [[zero; O]; O];
    for a in 0..O {
        y[a] = map.map::<T, S>(simd, down[a]);
    }
    y
}

/// Loads a vector.
///
/// # Safety
/// The lanes of `mask`, or without `PARTIAL` a whole vector, must be readable from `from` on.
#[inline(always)]
unsafe fn load<T: Real, S: Simd, const PARTIAL: bool>(
    simd: S,
    mask: T::Mask<S>,
    from: *const T,
) -> T::Vector<S> {
    // SAFETY: as the caller guarantees.
    unsafe {
        if PARTIAL {
            T::load_partial(simd, mask, from)
        } else {
            T::load(simd, from)
        }
    }
}

/// Stores a vector.
///
/// # Safety
/// The lanes of `mask`, or without `PARTIAL` a whole vector, must be writable from `to` on.
#[inline(always)]
unsafe fn store<T: Real, S: Simd, const PARTIAL: bool>(
    simd: S,
    mask: T::Mask<S>,
    to: *mut T,
    value: T::Vector<S>,
) {
    // SAFETY: as the caller guarantees.
    unsafe {
        if PARTIAL {
            T::store_partial(simd, mask, to, value);
        } else {
            T::store(simd, to, value);
        }
    }
}
