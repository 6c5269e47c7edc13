//! The matrix product, in tiles that stay in registers.
//!
//! Nothing is packed. [`Left`] says where its numbers lie, so that the patches of a convolution are
//! never written out, and the rows of the right factor are read where they are. Each number of the
//! result is one sum in the order of the inner index, whatever the tile, the vector or the thread
//! that computes it, and depends on none of them.

mod pattern;
mod sparse;

use super::columns::{Columns, ColumnsMut};
use super::real::Real;
pub(crate) use pattern::Pattern;
use pulp::{Arch, Simd, WithSimd};
pub(crate) use sparse::sparse;

/// Evenly spaced things: how many, and how far apart in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spaced {
    pub(crate) count: usize,
    pub(crate) step: usize,
}

impl Spaced {
    /// `count` things, `step` numbers apart.
    pub(crate) const fn new(count: usize, step: usize) -> Self {
        Self { count, step }
    }

    /// The last one's distance from the first.
    fn reach(self) -> usize {
        self.count.saturating_sub(1) * self.step
    }
}

/// The left factor. Its rows come in groups and the numbers of a row in segments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'a, T> {
    values: &'a [T],
    groups: Spaced,
    /// Rows of a group.
    rows: Spaced,
    segments: Spaced,
    /// Numbers of a segment.
    numbers: Spaced,
}

impl<'a, T> Left<'a, T> {
    /// Row `(g, r)`'s number `(s, n)` is the value at `g * groups.step + r * rows.step +
    /// s * segments.step + n * numbers.step`.
    ///
    /// # Panics
    /// If one of them is not in `values`.
    pub(crate) fn new(
        values: &'a [T],
        [groups, rows]: [Spaced; 2],
        [segments, numbers]: [Spaced; 2],
    ) -> Self {
        let all = [groups, rows, segments, numbers];
        let reach: usize = all.iter().map(|spaced| spaced.reach()).sum();
        let none = all.iter().any(|spaced| spaced.count == 0);
        assert!(none || reach < values.len(), "{reach} of {}", values.len());
        Self {
            values,
            groups,
            rows,
            segments,
            numbers,
        }
    }

    /// `rows` by `columns`, row-major.
    ///
    /// # Panics
    /// If the values are fewer.
    pub(crate) fn row_major(values: &'a [T], rows: usize, columns: usize) -> Self {
        let [once, rows, numbers] = [(1, 0), (rows, columns), (columns, 1)].map(spaced);
        Self::new(values, [once, rows], [once, numbers])
    }

    /// The transpose of `rows` by `columns`, row-major.
    ///
    /// # Panics
    /// If the values are fewer.
    pub(crate) fn transposed(values: &'a [T], rows: usize, columns: usize) -> Self {
        let [once, rows, numbers] = [(1, 0), (columns, 1), (rows, columns)].map(spaced);
        Self::new(values, [once, rows], [once, numbers])
    }

    fn rows(&self) -> usize {
        self.groups.count * self.rows.count
    }

    fn inner(&self) -> usize {
        self.segments.count * self.numbers.count
    }
}

fn spaced((count, step): (usize, usize)) -> Spaced {
    Spaced::new(count, step)
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Onto<'a, T> {
    Nothing,
    /// What is there.
    Itself,
    /// One row, the same for all.
    Row(&'a [T]),
}

/// `out = left right + onto`.
///
/// # Panics
/// If the sizes do not fit.
// Not inlined, so that profiles show it.
#[inline(never)]
pub(crate) fn product<T: Real>(
    out: &mut ColumnsMut<T>,
    left: Left<T>,
    right: Columns<T>,
    onto: Onto<T>,
) {
    assert_eq!((out.rows(), out.width()), (left.rows(), right.width()));
    assert_eq!(left.inner(), right.rows());
    if let Onto::Row(row) = onto {
        assert_eq!(row.len(), out.width());
    }
    Arch::new().dispatch(Product {
        out,
        left,
        right,
        onto,
    });
}

struct Product<'a, 'b, T> {
    out: &'a mut ColumnsMut<'b, T>,
    left: Left<'a, T>,
    right: Columns<'a, T>,
    onto: Onto<'a, T>,
}

/// Rows of a tile of `V` vectors a row, at most: registers are left for the factors, and of four
/// vectors a row four rows have enough sums in the making to be stored beside the next ones.
#[inline(always)]
fn most_rows<S: Simd, const V: usize>() -> usize {
    if many_registers::<S>() && V < 4 { 8 } else { 4 }
}

#[inline(always)]
fn many_registers<S: Simd>() -> bool {
    S::REGISTER_COUNT >= 32
}

impl<T: Real> WithSimd for Product<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = T::lanes::<S>();
        let (mut from, width) = (0, self.out.width());
        while from < width {
            let vectors = (width - from) / lanes;
            from += lanes
                * match vectors {
                    0 => {
                        let mask = T::first(simd, width - from);
                        self.panel::<S, 1, true>(simd, from, mask);
                        1
                    }
                    4 if many_registers::<S>() => {
                        self.panel::<S, 4, false>(simd, from, T::first(simd, lanes));
                        4
                    }
                    // Four are better cut in the middle than into three and one.
                    2 | 4 => {
                        self.panel::<S, 2, false>(simd, from, T::first(simd, lanes));
                        2
                    }
                    1 => {
                        self.panel::<S, 1, false>(simd, from, T::first(simd, lanes));
                        1
                    }
                    _ => {
                        self.panel::<S, 3, false>(simd, from, T::first(simd, lanes));
                        3
                    }
                };
        }
    }
}

impl<T: Real> Product<'_, '_, T> {
    /// All rows of `V` vectors of columns from `from` on; with `SOME`, of the lanes in `mask`.
    #[inline(always)]
    fn panel<S: Simd, const V: usize, const SOME: bool>(
        &mut self,
        simd: S,
        from: usize,
        mask: T::Mask<S>,
    ) {
        let Left { groups, rows, .. } = self.left;
        let parts = rows.count.div_ceil(most_rows::<S, V>());
        for group in 0..groups.count {
            let mut row = 0;
            for part in 0..parts {
                let at = Place { group, row, from };
                let count = (rows.count - row).div_ceil(parts - part);
                macro_rules! tile {
                    ($($m:literal)*) => {
                        match count {
                            $($m => self.tile::<S, $m, V, SOME>(simd, at, mask),)*
                            _ => unreachable!("parts are no larger"),
                        }
                    };
                }
                tile!(1 2 3 4 5 6 7 8);
                row += count;
            }
        }
    }

    /// `M` rows of a panel.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize, const SOME: bool>(
        &mut self,
        simd: S,
        at: Place,
        mask: T::Mask<S>,
    ) {
        let (left, lanes) = (&self.left, T::lanes::<S>());
        // A macro, because what is not inlined is not compiled for the machine's vectors, and no
        // attribute makes closures inline.
        macro_rules! load {
            ($v:ident, $from:expr) => {
                // SAFETY: `$from` is the place of the panel's first column in a row of the right
                // factor, of `onto` or of `out`. Each has the columns of the panel, which are `V`
                // vectors, or with `SOME` one less and the lanes of `mask`.
                unsafe {
                    if SOME && $v == V - 1 {
                        T::load_some(simd, mask, $from.add($v * lanes))
                    } else {
                        T::load(simd, $from.add($v * lanes))
                    }
                }
            };
        }
        let mut sums = [[T::splat(simd, T::ZERO); V]; M];
        let first = at.group * left.groups.step + at.row * left.rows.step;
        let mut b = self.right.as_ptr().wrapping_add(at.from);
        for segment in 0..left.segments.count {
            let start = first + segment * left.segments.step;
            let mut a = left.values.as_ptr().wrapping_add(start);
            for _ in 0..left.numbers.count {
                let mut right = [T::splat(simd, T::ZERO); V];
                for v in 0..V {
                    right[v] = load!(v, b);
                }
                for i in 0..M {
                    // SAFETY: a number of row `at.row + i` of the group, all of which `Left::new`
                    // has seen to be in `values`.
                    let x = T::splat(simd, unsafe { *a.wrapping_add(i * left.rows.step) });
                    for v in 0..V {
                        sums[i][v] = T::mul_add(simd, x, right[v], sums[i][v]);
                    }
                }
                // May end up behind the last number, where it is not read.
                a = a.wrapping_add(left.numbers.step);
                b = b.wrapping_add(self.right.stride());
            }
        }
        // Loops so small that they are unrolled; otherwise the sums would have to lie in memory.
        let row = at.group * left.rows.count + at.row;
        if let Some((onto, stride)) = self.onto(row, at.from) {
            for i in 0..M {
                for v in 0..V {
                    let there = load!(v, onto.wrapping_add(i * stride));
                    sums[i][v] = T::plus(simd, sums[i][v], there);
                }
            }
        }
        for i in 0..M {
            let out = self.out.row_mut(row + i)[at.from..].as_mut_ptr();
            for v in 0..V {
                // SAFETY: as for `load!`; the row of `out` is borrowed exclusively.
                unsafe {
                    if SOME && v == V - 1 {
                        T::store_some(simd, mask, out.add(v * lanes), sums[i][v]);
                    } else {
                        T::store(simd, out.add(v * lanes), sums[i][v]);
                    }
                }
            }
        }
    }

    /// Where the numbers are to which row `row` is added, from column `from` on, and how far it is
    /// from there to those of the next row.
    #[inline(always)]
    fn onto(&self, row: usize, from: usize) -> Option<(*const T, usize)> {
        match self.onto {
            Onto::Nothing => None,
            Onto::Itself => {
                let out = self.out.read();
                Some((out.row(row)[from..].as_ptr(), out.stride()))
            }
            Onto::Row(values) => Some((values[from..].as_ptr(), 0)),
        }
    }
}

/// Where a tile lies.
#[derive(Clone, Copy)]
struct Place {
    group: usize,
    /// Its first row in the group.
    row: usize,
    /// Its first column.
    from: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers, so that sums are exact in any order.
    fn numbers<T: Real>(count: usize) -> Vec<T> {
        let number = |i: usize| T::of(((i * 7919) % 17) as f64 - 8.0);
        (0..count).map(number).collect()
    }

    /// `left right` number by number.
    fn expected<T: Real>(left: &Left<T>, right: Columns<T>) -> Vec<T> {
        let mut out = Vec::new();
        for row in 0..left.rows() {
            let (g, r) = (row / left.rows.count, row % left.rows.count);
            for column in 0..right.width() {
                let mut sum = T::ZERO;
                for k in 0..left.inner() {
                    let (s, n) = (k / left.numbers.count, k % left.numbers.count);
                    let at = [
                        g * left.groups.step,
                        r * left.rows.step,
                        s * left.segments.step,
                        n * left.numbers.step,
                    ];
                    sum += left.values[at.iter().sum::<usize>()] * right.row(k)[column];
                }
                out.push(sum);
            }
        }
        out
    }

    fn holds<T: Real + std::fmt::Debug>(left: Left<T>, width: usize) {
        // A block of columns in the middle, on both sides.
        let (inner, stride) = (left.inner(), width + 5);
        let values = numbers(inner * stride);
        let right = Columns::of(&values, stride, 3, width);
        let sums = expected(&left, right);
        let row = numbers::<T>(width);
        for onto in [Onto::Nothing, Onto::Itself, Onto::Row(&row)] {
            let start = numbers::<T>(left.rows() * stride);
            let mut out = start.clone();
            let mut blocks = ColumnsMut::split(&mut out, stride, 1.max(width));
            product(&mut blocks[0], left, right, onto);
            for (i, (out, start)) in out.chunks(stride).zip(start.chunks(stride)).enumerate() {
                for j in 0..width {
                    let onto = match onto {
                        Onto::Nothing => T::ZERO,
                        Onto::Itself => start[j],
                        Onto::Row(row) => row[j],
                    };
                    assert_eq!(out[j], sums[i * width + j] + onto, "row {i}, column {j}");
                }
                assert_eq!(out[width..], start[width..], "what is beside it stays");
            }
        }
    }

    #[test]
    fn every_number_is_its_sum_for_all_sizes_of_tiles() {
        for (rows, inner) in [(1, 1), (2, 5), (7, 3), (8, 1), (9, 4), (13, 2), (23, 6)] {
            for width in [1, 2, 7, 8, 15, 16, 17, 31, 33, 48, 64, 79] {
                let single = numbers::<f32>(rows * inner);
                holds(Left::row_major(&single, rows, inner), width);
                holds(Left::transposed(&single, inner, rows), width);
                let double = numbers::<f64>(rows * inner);
                holds(Left::row_major(&double, rows, inner), width);
                holds(Left::transposed(&double, inner, rows), width);
            }
        }
    }

    #[test]
    fn rows_in_groups_and_numbers_in_segments_are_found() {
        let values = numbers::<f32>(200);
        let (groups, rows) = (Spaced::new(3, 20), Spaced::new(9, 2));
        let (segments, row) = (Spaced::new(2, 50), Spaced::new(4, 1));
        holds(Left::new(&values, [groups, rows], [segments, row]), 20);
        holds(Left::new(&values, [segments, row], [groups, rows]), 20);
    }

    #[test]
    #[should_panic(expected = "of 11")]
    fn a_factor_that_reaches_beyond_its_values_is_refused() {
        Left::row_major(&[0.0f32; 11], 3, 4);
    }

    #[test]
    fn sums_do_not_depend_on_how_the_product_is_cut() {
        let (rows, inner, width) = (11, 37, 70);
        let wave = |i: usize| (i as f32 * 0.37).sin();
        let left: Vec<f32> = (0..rows * inner).map(wave).collect();
        let right: Vec<f32> = (0..inner * width).map(|i| wave(i + 5)).collect();
        let mut whole = vec![0.0; rows * width];
        product(
            &mut ColumnsMut::whole(&mut whole, width),
            Left::row_major(&left, rows, inner),
            Columns::whole(&right, width),
            Onto::Nothing,
        );
        let mut parts = vec![0.0; rows * width];
        for (b, mut out) in ColumnsMut::split(&mut parts, width, 9)
            .into_iter()
            .enumerate()
        {
            let columns = Columns::of(&right, width, 9 * b, out.width());
            let left = Left::row_major(&left, rows, inner);
            product(&mut out, left, columns, Onto::Nothing);
        }
        assert_eq!(whole, parts);
    }
}
