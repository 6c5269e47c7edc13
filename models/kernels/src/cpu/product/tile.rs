//! Register tiles of the dense product.

use super::pack::{LeftTile, RightPanel};
use super::problem::{InnerBlock, Product};
use crate::cpu::real::Real;
use crate::cpu::simd::VectorFacts;
use pulp::Simd;

/// Largest number of rows of a register tile that is `V` vectors wide.
///
/// The sums, a row of the right operand and an element of the left operand fit the registers, and
/// there are enough independent sums to hide the latency of a multiply-add.
pub(super) const fn max_tile_rows<T: Real, S: Simd, const V: usize>() -> usize {
    match (VectorFacts::<T, S>::HAS_32_REGISTERS, V) {
        (true, 4) => 4,
        (true, _) | (false, 1) => 8,
        (false, _) => 6,
    }
}

/// Some rows of a panel of columns.
#[derive(Clone, Copy)]
pub(super) struct Tile<T: Real, S: Simd> {
    pub(super) left: LeftTile<T>,
    pub(super) right: RightPanel<T, S>,
    /// First row of the output.
    pub(super) row: usize,
    /// First column of the output.
    pub(super) from: usize,
    pub(super) block: InnerBlock,
}

impl<T: Real, S: Simd> Tile<T, S> {
    /// Computes `M` rows of `V` vectors.
    #[inline(always)]
    pub(super) fn run<const M: usize, const V: usize>(
        self,
        simd: S,
        product: &mut Product<'_, '_, T>,
    ) {
        let lanes = T::lanes::<S>();
        let Self {
            left,
            right,
            row,
            from,
            block,
        } = self;
        // A macro: a closure might not be inlined, and then is not compiled for the instruction set.
        macro_rules! load {
            ($v:ident, $from:expr) => {
                // SAFETY: `$from` points to the panel's first column in a row of `addend` or of `out`.
                // Each has all columns of the panel: `V` vectors, of which the last has only the lanes
                // of the mask, if there is one.
                unsafe {
                    match right.mask {
                        Some(mask) if $v == V - 1 => {
                            T::load_partial(simd, mask, $from.add($v * lanes))
                        }
                        _ => T::load(simd, $from.add($v * lanes)),
                    }
                }
            };
        }
        let mut sums = [[T::splat(simd, T::ZERO); V]; M];
        if !block.is_first {
            for i in 0..M {
                let out = product.out.row_mut(row + i)[from..].as_mut_ptr();
                for v in 0..V {
                    sums[i][v] = load!(v, out);
                }
            }
        }
        let mut b = right.start;
        for segment in 0..block.segments {
            let mut a = (left.start).wrapping_add(segment * left.segment_stride);
            for _ in 0..block.elements {
                let mut vectors = [T::splat(simd, T::ZERO); V];
                for v in 0..V {
                    // SAFETY: a row of the panel; see `RightPanel`.
                    vectors[v] = unsafe { T::load(simd, b.add(v * lanes)) };
                }
                for i in 0..M {
                    // SAFETY: an element of row `i` of the tile; see `LeftTile`.
                    let x = T::splat(simd, unsafe { *a.wrapping_add(i * left.row_stride) });
                    for v in 0..V {
                        sums[i][v] = T::mul_add(simd, x, vectors[v], sums[i][v]);
                    }
                }
                // May point past the last element, but is not read there.
                a = a.wrapping_add(left.element_stride);
                b = b.wrapping_add(right.stride);
            }
        }
        // Separate small loops, so that they are unrolled and the sums stay in registers.
        if block.is_last
            && let Some((addend, stride)) = product.addend(row, from)
        {
            for i in 0..M {
                for v in 0..V {
                    let old = load!(v, addend.wrapping_add(i * stride));
                    sums[i][v] = T::plus(simd, sums[i][v], old);
                }
            }
        }
        for i in 0..M {
            let out = product.out.row_mut(row + i)[from..].as_mut_ptr();
            for v in 0..V {
                // SAFETY: as for `load!`; the row of `out` is borrowed exclusively.
                unsafe {
                    match right.mask {
                        Some(mask) if v == V - 1 => {
                            T::store_partial(simd, mask, out.add(v * lanes), sums[i][v]);
                        }
                        _ => T::store(simd, out.add(v * lanes), sums[i][v]),
                    }
                }
            }
        }
    }
}
