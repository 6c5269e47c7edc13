//! The dense matrix product: blocks of the inner dimension, panels of columns, register tiles.
//!
//! Every element of the result is one sum in the order of the inner index, whichever tile, block,
//! vector width or thread computes it. A block of the inner dimension continues the sums of the block
//! before it from the output. So results do not depend on the blocking.

use super::operands::{Addend, LeftOperand};
use super::pack::{PackedLeft, RightPanel};
use super::problem::{InnerBlock, Product};
use super::tile::{Tile, max_tile_rows};
use crate::cpu::buffers::Scratch;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::real::Real;
use crate::cpu::simd::VectorFacts;
use pulp::{Simd, WithSimd};

/// Bytes of a panel of the right operand, which stays in the L1 cache (32 KiB or more) together with
/// the rows of a tile.
const PANEL: usize = 24 << 10;

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
    let product = Product {
        out,
        left,
        right,
        addend,
    };
    if product.right.width() <= T::NARROW {
        T::dispatch_narrow(product);
    } else {
        T::dispatch(product);
    }
}

impl<T: Real> WithSimd for Product<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let panel = panel_vectors::<T, S>(self.out.width().div_ceil(T::lanes::<S>()));
        let longest = PANEL / (panel * size_of::<T::Vector<S>>());
        let [mut left, mut right] = [Scratch::new(), Scratch::new()];
        let mut row = 0;
        let count = self.blocks(longest);
        for i in 0..count {
            let block = self.block(i, count, row);
            row += block.len();
            let packed = PackedLeft::pack::<S>(&mut left, &self.left, block, self.out.width());
            self.columns(simd, block, packed, &mut right);
        }
    }
}

/// Vectors in the first of the panels into which `remaining` vectors of columns are divided.
///
/// A tile holds about three quarters of the registers as sums; panels of two vectors with 16
/// registers, and of three or four with 32, need the fewest loads per multiply-add.
#[inline(always)]
fn panel_vectors<T: Real, S: Simd>(remaining: usize) -> usize {
    if const { VectorFacts::<T, S>::IS_SCALAR } {
        1
    } else if const { VectorFacts::<T, S>::HAS_32_REGISTERS } {
        match remaining {
            1 | 2 => remaining,
            4 | 8 => 4,
            _ => 3,
        }
    } else {
        remaining.min(2)
    }
}

impl<T: Real> Product<'_, '_, T> {
    /// Number of blocks of about `longest` rows of the right operand at most.
    fn blocks(&self, longest: usize) -> usize {
        let LeftOperand {
            segments, elements, ..
        } = self.left;
        // The old output is the addend, so it cannot hold partial sums. Few rows, or short ones, gain
        // nothing from blocks.
        let is_whole = matches!(self.addend, Addend::Output) || !self.packs_right();
        if is_whole {
            1
        } else if segments.count == 1 {
            elements.count.div_ceil(longest).max(1)
        } else {
            let in_block = (longest / elements.count.max(1)).max(1);
            segments.count.div_ceil(in_block).max(1)
        }
    }

    /// Block `i` of `count`, which starts at row `row` of the right operand.
    fn block(&self, i: usize, count: usize, row: usize) -> InnerBlock {
        let LeftOperand {
            segments, elements, ..
        } = self.left;
        let part = |all: usize| (all * i / count, all * (i + 1) / count - all * i / count);
        let ((first_segment, segments), (first_element, elements)) = match segments.count {
            1 => ((0, 1), part(elements.count)),
            count => (part(count), (0, elements.count)),
        };
        InnerBlock {
            first_segment,
            segments,
            first_element,
            elements,
            row,
            is_first: i == 0,
            is_last: i + 1 == count,
        }
    }

    /// All columns, for a block of the inner dimension.
    #[inline(always)]
    fn columns<S: Simd>(
        &mut self,
        simd: S,
        block: InnerBlock,
        left: Option<PackedLeft<T>>,
        scratch: &mut Scratch,
    ) {
        let (lanes, width) = (T::lanes::<S>(), self.out.width());
        let mut from = 0;
        while from < width {
            let vectors = panel_vectors::<T, S>((width - from).div_ceil(lanes));
            macro_rules! panel {
                ($v:literal) => {
                    self.panel::<S, $v>(simd, from, block, left, scratch)
                };
            }
            match vectors {
                1 => panel!(1),
                2 if const { !VectorFacts::<T, S>::IS_SCALAR } => panel!(2),
                3 if const { VectorFacts::<T, S>::HAS_32_REGISTERS } => panel!(3),
                4 if const { VectorFacts::<T, S>::HAS_32_REGISTERS } => panel!(4),
                _ => unreachable!("no panel is wider"),
            }
            from += vectors * lanes;
        }
    }

    /// All rows of a panel: `V` vectors of columns, starting at column `from`.
    #[inline(always)]
    fn panel<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        from: usize,
        block: InnerBlock,
        packed: Option<PackedLeft<T>>,
        scratch: &mut Scratch,
    ) {
        let right = RightPanel::new::<V>(simd, self, from, block, scratch);
        let LeftOperand {
            images,
            groups,
            rows,
            ..
        } = self.left;
        let most = const { max_tile_rows::<T, S, V>() };
        let tiles = rows.count.div_ceil(most);
        for index in 0..images.count * groups.count {
            let (image, group) = (index / groups.count, index % groups.count);
            let (mut row, mut done) = (0, 0);
            while row < rows.count {
                let (left, count) = match packed {
                    Some(packed) => packed.tile(row, most),
                    None => {
                        let count = (rows.count - row).div_ceil(tiles - done);
                        (self.left.tile(image, group, row, block), count)
                    }
                };
                let tile = Tile {
                    left,
                    right,
                    row: index * rows.count + row,
                    from,
                    block,
                };
                macro_rules! run {
                    ($($m:literal)*) => {
                        match count {
                            $($m if const { $m <= max_tile_rows::<T, S, V>() } => {
                                tile.run::<$m, V>(simd, self);
                            })*
                            _ => unreachable!("no tile has more rows"),
                        }
                    };
                }
                run!(1 2 3 4 5 6 7 8);
                (row, done) = (row + count, done + 1);
            }
        }
    }
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
    fn blocks_and_packing_keep_the_order_of_every_sum() {
        let wave = |i: usize| (i as f32 * 0.37).sin();
        // The transposed operands have elements 4 KiB apart.
        for (rows, inner, width) in [(64, 900, 17), (70, 700, 64), (1024, 150, 60), (65, 400, 9)] {
            let values: Vec<f32> = (0..rows * inner).map(wave).collect();
            let right: Vec<f32> = (0..inner * 300).map(|i| wave(i + 5)).collect();
            let right = Columns::of(&right, 300, 1, width);
            for left in [
                LeftOperand::row_major(&values, rows, inner),
                LeftOperand::transposed(&values, inner, rows),
            ] {
                let mut out = vec![0.0; rows * width];
                let bias: Vec<f32> = (0..width).map(wave).collect();
                let columns = &mut ColumnsMut::whole(&mut out, width);
                product(columns, left, right, Addend::Row(&bias));
                for (i, out) in out.chunks(width).enumerate() {
                    for (j, out) in out.iter().enumerate() {
                        let element = |k: usize| {
                            let at = i * left.rows.stride + k * left.elements.stride;
                            (left.values[at], right.row(k)[j])
                        };
                        let sum = (0..inner).map(element);
                        let sum = sum.fold(0.0, |sum: f32, (a, b)| a.mul_add(b, sum));
                        assert_eq!(*out, sum + bias[j], "row {i}, column {j}");
                    }
                }
            }
        }
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
