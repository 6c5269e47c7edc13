//! Tiles: parts of a replica's rows that fit in the cache, and sums over them.

use crate::cpu::columns::Columns;
use crate::cpu::epilogue;
use crate::cpu::real::Real;

/// Largest number of values in a tile, unless its smallest part has more.
pub(super) const TILE: usize = 48 * 1024;

/// `count` equal parts of `values`, which are empty if `values` is.
pub(super) fn equal_parts<T>(values: &mut [T], count: usize) -> impl Iterator<Item = &mut [T]> {
    let size = values.len().checked_div(count).unwrap_or(0);
    let mut rest = values;
    (0..count).map(move |_| {
        rest.split_off_mut(..size)
            .expect("`count` parts of this size")
    })
}

/// Chunk `i` of `values` in chunks of `size`; the last may be smaller.
pub(super) fn chunk<T>(values: &[T], i: usize, size: usize) -> &[T] {
    let from = (i * size).min(values.len());
    &values[from..(from + size).min(values.len())]
}

/// Mean and squared deviations of each channel over the rows of one tile.
#[derive(Clone)]
pub(super) struct TileMoments<T> {
    rows: usize,
    mean: Vec<T>,
    /// Sums of squared differences from the mean.
    squares: Vec<T>,
}

impl<T: Real> TileMoments<T> {
    pub(super) fn zeros(channels: usize) -> Self {
        Self {
            rows: 0,
            mean: vec![T::ZERO; channels],
            squares: vec![T::ZERO; channels],
        }
    }

    /// Computes the moments of the rows `x`.
    pub(super) fn measure(&mut self, x: Columns<T>) {
        self.rows = x.rows();
        epilogue::moments(x, &mut self.mean, &mut self.squares);
    }

    /// Mean and biased variance of all tiles together (Chan, Golub and LeVeque 1983, section 2).
    pub(super) fn combine(tiles: &[Self], mean: &mut [T], variance: &mut [T]) {
        let rows: usize = tiles.iter().map(|tile| tile.rows).sum();
        let share = |n: usize| T::from_f64(n as f64 / rows as f64);
        mean.fill(T::ZERO);
        for tile in tiles {
            let share = share(tile.rows);
            for (total, &mean) in mean.iter_mut().zip(&tile.mean) {
                *total += mean * share;
            }
        }
        variance.fill(T::ZERO);
        for tile in tiles {
            let (one, all) = (share(1), share(tile.rows));
            for (i, total) in variance.iter_mut().enumerate() {
                let difference = tile.mean[i] - mean[i];
                *total += tile.squares[i] * one + difference * difference * all;
            }
        }
    }
}
