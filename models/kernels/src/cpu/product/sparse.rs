//! Matrix product with a left operand in which most elements have the same value.
//!
//! With `c` that value, `left right = (left - c) right + c 1 right`. The last term is the same row
//! for all rows, and only elements that differ from `c` are multiplied. A row of the product is a sum
//! of rows of `right`; they are taken [`WORD`] at a time, so that they stay in the L1 cache.

use super::operands::LeftOperand;
use super::pattern::{SparsityPattern, WORD};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::epilogue::sum_rows;
use crate::cpu::real::Real;
use crate::cpu::simd::VectorFacts;
use pulp::{Simd, WithSimd};

/// Size of the L1 data cache, in bytes.
const L1_CACHE: usize = 32 << 10;

/// `out = left right + row`, with the pattern of `left`.
///
/// If the background is zero, every element is the same sum in the same order as in
/// [`product`](super::dense::product), for finite operands. A non-finite element of `right` reaches
/// only rows of `out` in which `left` has a nonzero element for it.
///
/// # Panics
/// If the shapes do not match, or `left` has several groups or segments.
// Not inlined, so that profiles show it.
#[inline(never)]
pub(crate) fn sparse_product<T: Real>(
    out: &mut ColumnsMut<T>,
    left: LeftOperand<T>,
    pattern: &SparsityPattern<T>,
    right: Columns<T>,
    row: Option<&[T]>,
) {
    assert_eq!(
        (left.images.count, left.groups.count, left.segments.count),
        (1, 1, 1)
    );
    assert_eq!(
        (left.rows.count, left.elements.count),
        (pattern.rows(), pattern.columns())
    );
    assert_eq!((out.rows(), out.width()), (left.rows(), right.width()));
    assert_eq!(left.inner(), right.rows());
    assert!(row.is_none_or(|row| row.len() == out.width()));
    let background = background_row(pattern.background(), right, row);
    T::dispatch(Sparse {
        out,
        left,
        pattern,
        right,
        row: background.as_deref().or(row),
    });
}

/// `c 1 right + row`; `None` if `c` is zero.
fn background_row<T: Real>(c: T, right: Columns<T>, row: Option<&[T]>) -> Option<Vec<T>> {
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
    left: LeftOperand<'a, T>,
    pattern: &'a SparsityPattern<T>,
    right: Columns<'a, T>,
    row: Option<&'a [T]>,
}

impl<T: Real> WithSimd for Sparse<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (lanes, all) = (T::lanes::<S>(), T::first_lanes(simd, T::lanes::<S>()));
        let (mut from, width) = (0, self.out.width());
        while from < width {
            from += lanes
                * match (width - from) / lanes {
                    // Without vectors, wider panels only take longer to compile.
                    _ if const { VectorFacts::<T, S>::IS_SCALAR } => {
                        self.panel::<S, 1, false>(simd, from, all);
                        1
                    }
                    0 => {
                        let some = T::first_lanes(simd, width - from);
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

/// A block of [`WORD`] rows of the right operand, in the columns of a panel.
#[derive(Clone, Copy)]
struct RightBlock<T> {
    /// The first element of the first row.
    start: *const T,
    stride: usize,
    /// The word of the pattern that describes the block.
    word: usize,
}

impl<T: Real> Sparse<'_, '_, T> {
    /// All rows of a panel: `V` vectors of columns, starting at column `from`. With `PARTIAL`, only the
    /// lanes of `mask`.
    #[inline(always)]
    fn panel<S: Simd, const V: usize, const PARTIAL: bool>(
        &mut self,
        simd: S,
        from: usize,
        mask: T::Mask<S>,
    ) {
        let (stride, width) = (self.right.stride(), V * T::lanes::<S>());
        // Rows with a large stride map to few cache sets, so they are packed into a panel.
        let pack = WORD * stride * size_of::<T>() > L1_CACHE;
        let mut packed = Buffer::unspecified(if pack { WORD * width } else { 0 });
        for word in 0..self.pattern.words() {
            let first = word * WORD;
            let start = self.right.as_ptr().wrapping_add(first * stride + from);
            let mut block = RightBlock {
                start,
                stride,
                word,
            };
            if pack {
                let rows = (self.right.rows() - first).min(WORD);
                let to: &mut [T] = &mut packed;
                for k in 0..rows {
                    let to = to[k * width..][..width].as_mut_ptr();
                    for v in 0..V {
                        // SAFETY: row `first + k` of the right operand has the panel's columns (see
                        // `load!` in `row`), and `to` holds the panel's vectors.
                        unsafe {
                            let source = start.wrapping_add(k * stride + v * T::lanes::<S>());
                            let vector = if PARTIAL {
                                T::load_partial(simd, mask, source)
                            } else {
                                T::load(simd, source)
                            };
                            T::store(simd, to.add(v * T::lanes::<S>()), vector);
                        }
                    }
                }
                (block.start, block.stride) = (to.as_ptr(), width);
            }
            for i in 0..self.out.rows() {
                self.row::<S, V, PARTIAL>(simd, i, from, block, mask);
            }
        }
    }

    /// Adds the products with a block of the right operand to row `i` of a panel.
    #[inline(always)]
    fn row<S: Simd, const V: usize, const PARTIAL: bool>(
        &mut self,
        simd: S,
        i: usize,
        from: usize,
        block: RightBlock<T>,
        mask: T::Mask<S>,
    ) {
        let (left, lanes) = (&self.left, T::lanes::<S>());
        macro_rules! load {
            ($v:ident, $from:expr) => {
                // SAFETY: `$from` points to the panel's first column in a row of the right operand,
                // of its packed copy, of `row` or of `out`. Each has all columns of the panel: `V`
                // vectors, or with `PARTIAL` the lanes of `mask`.
                unsafe {
                    if PARTIAL {
                        T::load_partial(simd, mask, $from.add($v * lanes))
                    } else {
                        T::load(simd, $from.add($v * lanes))
                    }
                }
            };
        }
        let (mut bits, last) = (
            self.pattern.row(i)[block.word],
            block.word + 1 == self.pattern.words(),
        );
        let out = self.out.row_mut(i)[from..].as_mut_ptr();
        let mut sums = [T::splat(simd, T::ZERO); V];
        if block.word > 0 {
            for v in 0..V {
                sums[v] = load!(v, out);
            }
        }
        let elements = (left.values.as_ptr())
            .wrapping_add(i * left.rows.stride + block.word * WORD * left.elements.stride);
        while bits != 0 {
            let k = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            // SAFETY: `k` is a column of the pattern, so this is an element of row `i`;
            // `LeftOperand::new` has checked that all elements lie in `values`.
            let x = unsafe { *elements.wrapping_add(k * left.elements.stride) };
            let x = T::splat(simd, x - self.pattern.background());
            let right = block.start.wrapping_add(k * block.stride);
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
                if PARTIAL {
                    T::store_partial(simd, mask, out.add(v * lanes), sums[v]);
                } else {
                    T::store(simd, out.add(v * lanes), sums[v]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dense::product;
    use super::super::operands::Addend;
    use super::*;

    /// A matrix of which about a quarter differs from `background`.
    fn matrix<T: Real>(background: f64, count: usize) -> Vec<T> {
        let value = |i: usize| match (i * 7919) % 37 {
            k @ 1..10 => background + (k as f64 * 0.37).sin(),
            _ => background,
        };
        (0..count).map(|i| T::from_f64(value(i))).collect()
    }

    fn wave<T: Real>(count: usize) -> Vec<T> {
        (0..count)
            .map(|i| T::from_f64((i as f64 * 0.61).cos()))
            .collect()
    }

    /// `left right + row` by the sparse and the dense product, into a block of columns.
    fn both_products<T: Real>(
        left: LeftOperand<T>,
        pattern: &SparsityPattern<T>,
        width: usize,
        row: Option<&[T]>,
    ) -> [Vec<T>; 2] {
        let stride = width + 5;
        let values = wave(left.inner() * stride);
        let right = Columns::of(&values, stride, 3, width);
        let start = vec![T::from_f64(7.0); left.rows() * stride];
        let [mut sparse, mut dense] = [start.clone(), start];
        let sparse_block = &mut ColumnsMut::split(&mut sparse, stride, width)[0];
        sparse_product(sparse_block, left, pattern, right, row);
        let dense_block = &mut ColumnsMut::split(&mut dense, stride, width)[0];
        product(
            dense_block,
            left,
            right,
            row.map_or(Addend::None, Addend::Row),
        );
        [sparse, dense]
    }

    /// Calls `check` with both products for several shapes, of a matrix and of its transpose.
    fn for_sizes<T: Real>(background: f64, mut check: impl FnMut([Vec<T>; 2])) {
        for (rows, columns) in [(1, 40), (7, 64), (33, 65), (70, 130), (12, 200)] {
            let values = matrix::<T>(background, rows * columns);
            let pattern = SparsityPattern::of(&values, columns).expect("the matrix is sparse");
            let transposed = pattern.transposed();
            for width in [1, 7, 16, 31, 64, 100, 128, 145, 600] {
                let row = wave(width);
                for row in [None, Some(&row[..])] {
                    let left = LeftOperand::row_major(&values, rows, columns);
                    check(both_products(left, &pattern, width, row));
                    let left = LeftOperand::transposed(&values, rows, columns);
                    check(both_products(left, &transposed, width, row));
                }
            }
        }
    }

    #[test]
    fn skipping_zeros_gives_the_same_bits() {
        for_sizes::<f32>(0.0, |[sparse, dense]| assert_eq!(sparse, dense));
        for_sizes::<f64>(0.0, |[sparse, dense]| assert_eq!(sparse, dense));
    }

    #[test]
    fn skipping_other_values_differs_by_rounding() {
        for_sizes::<f32>(-0.42, |[sparse, dense]| {
            for (a, b) in sparse.iter().zip(dense) {
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} and {b}");
            }
        });
        for_sizes::<f64>(-0.42, |[sparse, dense]| {
            for (a, b) in sparse.iter().zip(dense) {
                assert!((a - b).abs() <= 1e-13 * b.abs().max(1.0), "{a} and {b}");
            }
        });
    }

    #[test]
    fn nan_reaches_only_its_row() {
        let mut values = matrix::<f32>(0.0, 4 * 64);
        values[70] = f32::NAN;
        let pattern = SparsityPattern::of(&values, 64).expect("the matrix is sparse");
        let [sparse, _] = both_products(LeftOperand::row_major(&values, 4, 64), &pattern, 8, None);
        let nan: Vec<bool> = sparse.chunks(13).map(|row| row[0].is_nan()).collect();
        assert_eq!(nan, [false, true, false, false]);
    }
}
