//! The product with a left factor of which most numbers are the same: only the others are
//! multiplied.
//!
//! With `c` the number that most of them are, `left right = (left - c) right + c 1 right`, whose last
//! summand is the same row for all rows. A row of the product is the sum of the rows of `right`
//! whose numbers differ; these lie in the cache nearest to the core, [`WORD`] of them at a time.

use super::super::buffers::Buffer;
use super::super::epilogue::sum_rows;
use super::pattern::{Pattern, WORD};
use super::{Columns, ColumnsMut, Left, Real};
use pulp::{Arch, Simd, WithSimd};

/// Bytes of the cache nearest to a core.
const NEAR: usize = 32 << 10;

/// `out = left right + row`, where `pattern` is that of `left`.
///
/// Where it passes over zeros, every number is the same sum in the same order as that of
/// [`product`](super::product), for finite factors; a number of `right` that is not finite spreads to
/// the rows of `out` alone whose numbers of `left` for it are not zero.
///
/// # Panics
/// If the sizes do not fit or `left` has several groups or segments.
// Not inlined, so that profiles show it.
#[inline(never)]
pub(crate) fn sparse<T: Real>(
    out: &mut ColumnsMut<T>,
    left: Left<T>,
    pattern: &Pattern<T>,
    right: Columns<T>,
    row: Option<&[T]>,
) {
    assert_eq!((left.groups.count, left.segments.count), (1, 1));
    assert_eq!(
        (left.rows.count, left.numbers.count),
        (pattern.rows(), pattern.columns())
    );
    assert_eq!((out.rows(), out.width()), (left.rows(), right.width()));
    assert_eq!(left.inner(), right.rows());
    assert!(row.is_none_or(|row| row.len() == out.width()));
    let everywhere = of_background(pattern.background(), right, row);
    Arch::new().dispatch(Sparse {
        out,
        left,
        pattern,
        right,
        row: everywhere.as_deref().or(row),
    });
}

/// `c 1 right + row` where `c` is not zero.
fn of_background<T: Real>(c: T, right: Columns<T>, row: Option<&[T]>) -> Option<Vec<T>> {
    if c == T::ZERO {
        return None;
    }
    let mut sums = sum_rows(right);
    for (j, sum) in sums.iter_mut().enumerate() {
        *sum = c * *sum + row.map_or(T::ZERO, |row| row[j]);
    }
    Some(sums)
}

struct Sparse<'a, 'b, T> {
    out: &'a mut ColumnsMut<'b, T>,
    left: Left<'a, T>,
    pattern: &'a Pattern<T>,
    right: Columns<'a, T>,
    row: Option<&'a [T]>,
}

impl<T: Real> WithSimd for Sparse<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (lanes, all) = (T::lanes::<S>(), T::first(simd, T::lanes::<S>()));
        let (mut from, width) = (0, self.out.width());
        while from < width {
            from += lanes
                * match (width - from) / lanes {
                    0 => {
                        let some = T::first(simd, width - from);
                        self.panel::<S, 1, true>(simd, from, some);
                        1
                    }
                    1 => {
                        self.panel::<S, 1, false>(simd, from, all);
                        1
                    }
                    2 | 3 => {
                        self.panel::<S, 2, false>(simd, from, all);
                        2
                    }
                    4..=7 => {
                        self.panel::<S, 4, false>(simd, from, all);
                        4
                    }
                    _ => {
                        self.panel::<S, 8, false>(simd, from, all);
                        8
                    }
                };
        }
    }
}

/// Rows of the right factor that are multiplied before the next ones, in the columns of a panel.
#[derive(Clone, Copy)]
struct Near<T> {
    /// The first number of the first row.
    start: *const T,
    stride: usize,
    /// The word of the pattern that speaks of them.
    word: usize,
}

impl<T: Real> Sparse<'_, '_, T> {
    /// All rows of `V` vectors of columns from `from` on; with `SOME`, of the lanes in `mask`.
    #[inline(always)]
    fn panel<S: Simd, const V: usize, const SOME: bool>(
        &mut self,
        simd: S,
        from: usize,
        mask: T::Mask<S>,
    ) {
        let (stride, width) = (self.right.stride(), V * T::lanes::<S>());
        // Rows that are far apart fall onto each other in the cache; side by side they do not.
        let far = WORD * stride * size_of::<T>() > NEAR;
        let mut side_by_side = Buffer::unspecified(if far { WORD * width } else { 0 });
        for word in 0..self.pattern.words() {
            let first = word * WORD;
            let start = self.right.as_ptr().wrapping_add(first * stride + from);
            let mut near = Near {
                start,
                stride,
                word,
            };
            if far {
                let rows = (self.right.rows() - first).min(WORD);
                let to: &mut [T] = &mut side_by_side;
                for k in 0..rows {
                    let to = to[k * width..][..width].as_mut_ptr();
                    for v in 0..V {
                        // SAFETY: row `first + k` of the right factor has the panel's columns (see
                        // `load!` in `row`), and `to` has room for its vectors.
                        unsafe {
                            let there = start.wrapping_add(k * stride + v * T::lanes::<S>());
                            let vector = if SOME {
                                T::load_some(simd, mask, there)
                            } else {
                                T::load(simd, there)
                            };
                            T::store(simd, to.add(v * T::lanes::<S>()), vector);
                        }
                    }
                }
                (near.start, near.stride) = (to.as_ptr(), width);
            }
            for i in 0..self.out.rows() {
                self.row::<S, V, SOME>(simd, i, from, near, mask);
            }
        }
    }

    /// Adds to row `i` of a panel what the rows in `near` give.
    #[inline(always)]
    fn row<S: Simd, const V: usize, const SOME: bool>(
        &mut self,
        simd: S,
        i: usize,
        from: usize,
        near: Near<T>,
        mask: T::Mask<S>,
    ) {
        let (left, lanes) = (&self.left, T::lanes::<S>());
        macro_rules! load {
            ($v:ident, $from:expr) => {
                // SAFETY: `$from` is the place of the panel's first column in a row of the right
                // factor, of its copy, of `row` or of `out`. Each has the columns of the panel,
                // which are `V` vectors, or with `SOME` the lanes of `mask`.
                unsafe {
                    if SOME {
                        T::load_some(simd, mask, $from.add($v * lanes))
                    } else {
                        T::load(simd, $from.add($v * lanes))
                    }
                }
            };
        }
        let (mut bits, last) = (
            self.pattern.row(i)[near.word],
            near.word + 1 == self.pattern.words(),
        );
        let out = self.out.row_mut(i)[from..].as_mut_ptr();
        let mut sums = [T::splat(simd, T::ZERO); V];
        if near.word > 0 {
            for v in 0..V {
                sums[v] = load!(v, out);
            }
        }
        let numbers = (left.values.as_ptr())
            .wrapping_add(i * left.rows.step + near.word * WORD * left.numbers.step);
        while bits != 0 {
            let k = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            // SAFETY: `k` is a column of the pattern, so this is a number of row `i`, all of which
            // `Left::new` has seen to be in `values`.
            let x = unsafe { *numbers.wrapping_add(k * left.numbers.step) };
            let x = T::splat(simd, x - self.pattern.background());
            let right = near.start.wrapping_add(k * near.stride);
            for v in 0..V {
                sums[v] = T::mul_add(simd, x, load!(v, right), sums[v]);
            }
        }
        if let (true, Some(row)) = (last, self.row) {
            let row = row[from..].as_ptr();
            for v in 0..V {
                sums[v] = T::plus(simd, sums[v], load!(v, row));
            }
        }
        for v in 0..V {
            // SAFETY: as for `load!`; the row of `out` is borrowed exclusively.
            unsafe {
                if SOME {
                    T::store_some(simd, mask, out.add(v * lanes), sums[v]);
                } else {
                    T::store(simd, out.add(v * lanes), sums[v]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Onto, product};
    use super::*;

    /// Of a wave, what differs from `background` at every fourth place or so.
    fn mostly<T: Real>(background: f64, count: usize) -> Vec<T> {
        let number = |i: usize| match (i * 7919) % 37 {
            k @ 1..10 => background + (k as f64 * 0.37).sin(),
            _ => background,
        };
        (0..count).map(|i| T::of(number(i))).collect()
    }

    fn wave<T: Real>(count: usize) -> Vec<T> {
        (0..count).map(|i| T::of((i as f64 * 0.61).cos())).collect()
    }

    /// `left right + row` both ways, into a block of columns in the middle.
    fn both<T: Real>(
        left: Left<T>,
        pattern: &Pattern<T>,
        width: usize,
        row: Option<&[T]>,
    ) -> [Vec<T>; 2] {
        let stride = width + 5;
        let values = wave(left.inner() * stride);
        let right = Columns::of(&values, stride, 3, width);
        let start = vec![T::of(7.0); left.rows() * stride];
        let [mut ours, mut dense] = [start.clone(), start];
        let ours_block = &mut ColumnsMut::split(&mut ours, stride, width)[0];
        sparse(ours_block, left, pattern, right, row);
        let dense_block = &mut ColumnsMut::split(&mut dense, stride, width)[0];
        product(
            dense_block,
            left,
            right,
            row.map_or(Onto::Nothing, Onto::Row),
        );
        [ours, dense]
    }

    /// Calls `check` with both products for odd sizes, of a factor and of its transpose.
    fn for_sizes<T: Real>(background: f64, mut check: impl FnMut([Vec<T>; 2])) {
        for (rows, columns) in [(1, 40), (7, 64), (33, 65), (70, 130), (12, 200)] {
            let values = mostly::<T>(background, rows * columns);
            let pattern = Pattern::of(&values, columns).expect("most are the same");
            let turned = pattern.transposed();
            for width in [1, 7, 16, 31, 64, 100, 128, 145, 600] {
                let row = wave(width);
                for row in [None, Some(&row[..])] {
                    let left = Left::row_major(&values, rows, columns);
                    check(both(left, &pattern, width, row));
                    let left = Left::transposed(&values, rows, columns);
                    check(both(left, &turned, width, row));
                }
            }
        }
    }

    #[test]
    fn without_its_zeros_every_sum_is_the_same_to_the_bit() {
        for_sizes::<f32>(0.0, |[ours, dense]| assert_eq!(ours, dense));
        for_sizes::<f64>(0.0, |[ours, dense]| assert_eq!(ours, dense));
    }

    #[test]
    fn without_another_number_sums_differ_by_rounding() {
        for_sizes::<f32>(-0.42, |[ours, dense]| {
            for (a, b) in ours.iter().zip(dense) {
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} and {b}");
            }
        });
        for_sizes::<f64>(-0.42, |[ours, dense]| {
            for (a, b) in ours.iter().zip(dense) {
                assert!((a - b).abs() <= 1e-13 * b.abs().max(1.0), "{a} and {b}");
            }
        });
    }

    #[test]
    fn nan_on_either_side_shows() {
        let mut values = mostly::<f32>(0.0, 4 * 64);
        values[70] = f32::NAN;
        let pattern = Pattern::of(&values, 64).expect("most are zeros");
        let [ours, _] = both(Left::row_major(&values, 4, 64), &pattern, 8, None);
        let nan: Vec<bool> = ours.chunks(13).map(|row| row[0].is_nan()).collect();
        assert_eq!(nan, [false, true, false, false]);
    }
}
