//! The dense matrix product, in register tiles.
//!
//! No operand is packed: the left one is read in its strided layout, and the right one row by row.
//! Every element of the result is one sum in the order of the inner index, whichever tile, vector
//! width or thread computes it. So results do not depend on any of them.

use super::operands::{Addend, LeftOperand};
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::real::Real;
use crate::cpu::simd::VectorFacts;
use pulp::{Simd, WithSimd};

/// `out = left right + addend`.
///
/// # Panics
/// If the shapes do not match.
// Not inlined, so that profiles show it.
#[inline(never)]
pub(crate) fn product<T: Real>(
    out: &mut ColumnsMut<T>,
    left: LeftOperand<T>,
    right: Columns<T>,
    addend: Addend<T>,
) {
    assert_eq!((out.rows(), out.width()), (left.rows(), right.width()));
    assert_eq!(left.inner(), right.rows());
    if let Addend::Row(row) = addend {
        assert_eq!(row.len(), out.width());
    }
    T::dispatch(Product {
        out,
        left,
        right,
        addend,
    });
}

struct Product<'a, 'b, T> {
    out: &'a mut ColumnsMut<'b, T>,
    left: LeftOperand<'a, T>,
    right: Columns<'a, T>,
    addend: Addend<'a, T>,
}

/// Largest number of rows of a register tile that is `V` vectors wide.
///
/// Some registers stay free for the operands. Tiles of four vectors have four rows: those are enough
/// independent sums to hide the latency of a multiply-add.
const fn max_tile_rows<T: Real, S: Simd, const V: usize>() -> usize {
    if VectorFacts::<T, S>::HAS_32_REGISTERS && V < 4 {
        8
    } else {
        4
    }
}

impl<T: Real> WithSimd for Product<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = T::lanes::<S>();
        let all = T::first_lanes(simd, lanes);
        let (mut from, width) = (0, self.out.width());
        while from < width {
            let vectors = (width - from) / lanes;
            from += lanes
                * match vectors {
                    // Without vectors, wider panels only take longer to compile.
                    _ if const { VectorFacts::<T, S>::IS_SCALAR } => {
                        self.panel::<S, 1, false>(simd, from, all);
                        1
                    }
                    0 => {
                        let mask = T::first_lanes(simd, width - from);
                        self.panel::<S, 1, true>(simd, from, mask);
                        1
                    }
                    4 if const { VectorFacts::<T, S>::HAS_32_REGISTERS } => {
                        self.panel::<S, 4, false>(simd, from, all);
                        4
                    }
                    // Two panels of two are faster than one of three and one of one.
                    2 | 4 => {
                        self.panel::<S, 2, false>(simd, from, all);
                        2
                    }
                    1 => {
                        self.panel::<S, 1, false>(simd, from, all);
                        1
                    }
                    _ => {
                        self.panel::<S, 3, false>(simd, from, all);
                        3
                    }
                };
        }
    }
}

impl<T: Real> Product<'_, '_, T> {
    /// All rows of a panel: `V` vectors of columns, starting at column `from`. With `PARTIAL`, the
    /// last vector has only the lanes of `mask`.
    #[inline(always)]
    fn panel<S: Simd, const V: usize, const PARTIAL: bool>(
        &mut self,
        simd: S,
        from: usize,
        mask: T::Mask<S>,
    ) {
        let LeftOperand { groups, rows, .. } = self.left;
        let tiles = rows.count.div_ceil(const { max_tile_rows::<T, S, V>() });
        for group in 0..groups.count {
            let mut row = 0;
            for tile in 0..tiles {
                let at = TilePosition { group, row, from };
                let count = (rows.count - row).div_ceil(tiles - tile);
                macro_rules! tile {
                    ($($m:literal)*) => {
                        match count {
                            $($m if const { $m <= max_tile_rows::<T, S, V>() } => {
                                self.tile::<S, $m, V, PARTIAL>(simd, at, mask);
                            })*
                            _ => unreachable!("no tile has more rows"),
                        }
                    };
                }
                tile!(1 2 3 4 5 6 7 8);
                row += count;
            }
        }
    }

    /// A register tile: `M` rows of a panel.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize, const PARTIAL: bool>(
        &mut self,
        simd: S,
        at: TilePosition,
        mask: T::Mask<S>,
    ) {
        let (left, lanes) = (&self.left, T::lanes::<S>());
        // A macro: a closure might not be inlined, and then is not compiled for the instruction set.
        macro_rules! load {
            ($v:ident, $from:expr) => {
                // SAFETY: `$from` points to the panel's first column in a row of the right operand,
                // of `addend` or of `out`. Each has all columns of the panel: `V` vectors, of which
                // with `PARTIAL` the last has only the lanes of `mask`.
                unsafe {
                    if PARTIAL && $v == V - 1 {
                        T::load_partial(simd, mask, $from.add($v * lanes))
                    } else {
                        T::load(simd, $from.add($v * lanes))
                    }
                }
            };
        }
        let mut sums = [[T::splat(simd, T::ZERO); V]; M];
        let first = at.group * left.groups.stride + at.row * left.rows.stride;
        let mut b = self.right.as_ptr().wrapping_add(at.from);
        for segment in 0..left.segments.count {
            let start = first + segment * left.segments.stride;
            let mut a = left.values.as_ptr().wrapping_add(start);
            for _ in 0..left.elements.count {
                let mut right = [T::splat(simd, T::ZERO); V];
                for v in 0..V {
                    right[v] = load!(v, b);
                }
                for i in 0..M {
                    // SAFETY: an element of row `at.row + i` of the group; `LeftOperand::new` has
                    // checked that all elements lie in `values`.
                    let x = T::splat(simd, unsafe { *a.wrapping_add(i * left.rows.stride) });
                    for v in 0..V {
                        sums[i][v] = T::mul_add(simd, x, right[v], sums[i][v]);
                    }
                }
                // May point past the last element, but is not read there.
                a = a.wrapping_add(left.elements.stride);
                b = b.wrapping_add(self.right.stride());
            }
        }
        // Separate small loops, so that they are unrolled and the sums stay in registers.
        let row = at.group * left.rows.count + at.row;
        if let Some((addend, stride)) = self.addend(row, at.from) {
            for i in 0..M {
                for v in 0..V {
                    let old = load!(v, addend.wrapping_add(i * stride));
                    sums[i][v] = T::plus(simd, sums[i][v], old);
                }
            }
        }
        for i in 0..M {
            let out = self.out.row_mut(row + i)[at.from..].as_mut_ptr();
            for v in 0..V {
                // SAFETY: as for `load!`; the row of `out` is borrowed exclusively.
                unsafe {
                    if PARTIAL && v == V - 1 {
                        T::store_partial(simd, mask, out.add(v * lanes), sums[i][v]);
                    } else {
                        T::store(simd, out.add(v * lanes), sums[i][v]);
                    }
                }
            }
        }
    }

    /// Pointer to the addend of row `row`, from column `from` on, and the stride to the next row.
    #[inline(always)]
    fn addend(&self, row: usize, from: usize) -> Option<(*const T, usize)> {
        match self.addend {
            Addend::None => None,
            Addend::Output => {
                let out = self.out.read();
                Some((out.row(row)[from..].as_ptr(), out.stride()))
            }
            Addend::Row(values) => Some((values[from..].as_ptr(), 0)),
        }
    }
}

/// Position of a register tile.
#[derive(Clone, Copy)]
struct TilePosition {
    group: usize,
    /// First row in the group.
    row: usize,
    /// First column.
    from: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::product::operands::Strided;

    /// Integers, so that sums are exact in any order.
    fn integers<T: Real>(count: usize) -> Vec<T> {
        let value = |i: usize| T::from_f64(((i * 7919) % 17) as f64 - 8.0);
        (0..count).map(value).collect()
    }

    /// `left right`, element by element.
    fn expected<T: Real>(left: &LeftOperand<T>, right: Columns<T>) -> Vec<T> {
        let mut out = Vec::new();
        for row in 0..left.rows() {
            let (g, r) = (row / left.rows.count, row % left.rows.count);
            for column in 0..right.width() {
                let mut sum = T::ZERO;
                for k in 0..left.inner() {
                    let (s, n) = (k / left.elements.count, k % left.elements.count);
                    let at = [
                        g * left.groups.stride,
                        r * left.rows.stride,
                        s * left.segments.stride,
                        n * left.elements.stride,
                    ];
                    sum += left.values[at.iter().sum::<usize>()] * right.row(k)[column];
                }
                out.push(sum);
            }
        }
        out
    }

    fn check<T: Real + std::fmt::Debug>(left: LeftOperand<T>, width: usize) {
        // A block of columns from the middle of both matrices.
        let (inner, stride) = (left.inner(), width + 5);
        let values = integers(inner * stride);
        let right = Columns::of(&values, stride, 3, width);
        let sums = expected(&left, right);
        let row = integers::<T>(width);
        for addend in [Addend::None, Addend::Output, Addend::Row(&row)] {
            let start = integers::<T>(left.rows() * stride);
            let mut out = start.clone();
            let mut blocks = ColumnsMut::split(&mut out, stride, 1.max(width));
            product(&mut blocks[0], left, right, addend);
            for (i, (out, start)) in out.chunks(stride).zip(start.chunks(stride)).enumerate() {
                for j in 0..width {
                    let addend = match addend {
                        Addend::None => T::ZERO,
                        Addend::Output => start[j],
                        Addend::Row(row) => row[j],
                    };
                    assert_eq!(out[j], sums[i * width + j] + addend, "row {i}, column {j}");
                }
                assert_eq!(
                    out[width..],
                    start[width..],
                    "other columns are not written"
                );
            }
        }
    }

    #[test]
    fn product_is_exact_for_all_tile_sizes() {
        for (rows, inner) in [(1, 1), (2, 5), (7, 3), (8, 1), (9, 4), (13, 2), (23, 6)] {
            for width in [1, 2, 7, 8, 15, 16, 17, 31, 33, 48, 64, 79] {
                let single = integers::<f32>(rows * inner);
                check(LeftOperand::row_major(&single, rows, inner), width);
                check(LeftOperand::transposed(&single, inner, rows), width);
                let double = integers::<f64>(rows * inner);
                check(LeftOperand::row_major(&double, rows, inner), width);
                check(LeftOperand::transposed(&double, inner, rows), width);
            }
        }
    }

    #[test]
    fn product_is_exact_with_groups_and_segments() {
        let values = integers::<f32>(200);
        let (groups, rows) = (Strided::new(3, 20), Strided::new(9, 2));
        let (segments, row) = (Strided::new(2, 50), Strided::new(4, 1));
        check(
            LeftOperand::new(&values, [groups, rows], [segments, row]),
            20,
        );
        check(
            LeftOperand::new(&values, [segments, row], [groups, rows]),
            20,
        );
    }

    #[test]
    fn sums_do_not_depend_on_column_blocks() {
        let (rows, inner, width) = (11, 37, 70);
        let wave = |i: usize| (i as f32 * 0.37).sin();
        let left: Vec<f32> = (0..rows * inner).map(wave).collect();
        let right: Vec<f32> = (0..inner * width).map(|i| wave(i + 5)).collect();
        let mut whole = vec![0.0; rows * width];
        product(
            &mut ColumnsMut::whole(&mut whole, width),
            LeftOperand::row_major(&left, rows, inner),
            Columns::whole(&right, width),
            Addend::None,
        );
        let mut parts = vec![0.0; rows * width];
        for (b, mut out) in ColumnsMut::split(&mut parts, width, 9)
            .into_iter()
            .enumerate()
        {
            let columns = Columns::of(&right, width, 9 * b, out.width());
            let left = LeftOperand::row_major(&left, rows, inner);
            product(&mut out, left, columns, Addend::None);
        }
        assert_eq!(whole, parts);
    }
}
