//! Operands of the dense product as its tiles read them: in place, or packed into adjacent memory.
//!
//! Rows that are a large power of two apart share few cache sets, and each needs a page of its own.

use super::operands::LeftOperand;
use super::problem::{InnerBlock, Product};
use crate::cpu::buffers::Scratch;
use crate::cpu::real::Real;
use crate::cpu::simd::VectorFacts;
use pulp::Simd;

/// A panel of the right operand: the rows of a block, `V` vectors of columns each.
///
/// All `V` vectors of each row are readable. If the panel has fewer columns, it is packed, and the
/// other lanes have unspecified values.
#[derive(Clone, Copy)]
pub(super) struct RightPanel<T: Real, S: Simd> {
    pub(super) start: *const T,
    /// Elements from one row to the next.
    pub(super) stride: usize,
    /// Lanes of the last vector that are columns; `None` if all are.
    pub(super) mask: Option<T::Mask<S>>,
}

impl<T: Real, S: Simd> RightPanel<T, S> {
    /// The panel that starts at column `from`, packed into `scratch` if that pays.
    #[inline(always)]
    pub(super) fn new<const V: usize>(
        simd: S,
        product: &Product<'_, '_, T>,
        from: usize,
        block: InnerBlock,
        scratch: &mut Scratch,
    ) -> Self {
        let lanes = T::lanes::<S>();
        let (right, columns) = (product.right, product.right.width() - from);
        let mask = (columns < V * lanes).then(|| T::first_lanes(simd, columns - (V - 1) * lanes));
        let start = right
            .as_ptr()
            .wrapping_add(block.row * right.stride() + from);
        let (rows, width) = (block.len(), V * lanes);
        if mask.is_none() && (right.stride() == width || !product.packs_right()) {
            let stride = right.stride();
            return Self {
                start,
                stride,
                mask,
            };
        }
        let to: &mut [T] = scratch.unspecified(rows * width);
        for (i, to) in to.chunks_exact_mut(width).enumerate() {
            let from = start.wrapping_add(i * right.stride());
            for v in 0..V {
                // SAFETY: row `block.row + i` of the right operand has the columns of the panel, `V`
                // vectors or in the last one only those of the mask; `to` holds `V` vectors.
                unsafe {
                    let from = from.wrapping_add(v * lanes);
                    let vector = match mask {
                        Some(mask) if v == V - 1 => T::load_partial(simd, mask, from),
                        _ => T::load(simd, from),
                    };
                    T::store(simd, to.as_mut_ptr().add(v * lanes), vector);
                }
            }
        }
        Self {
            start: to.as_ptr(),
            stride: width,
            mask,
        }
    }
}

/// The left operand of a tile, for a block of the inner dimension.
///
/// All elements of the tile's rows in the block are readable.
#[derive(Clone, Copy)]
pub(super) struct LeftTile<T> {
    pub(super) start: *const T,
    pub(super) row_stride: usize,
    pub(super) segment_stride: usize,
    pub(super) element_stride: usize,
}

impl<T> LeftOperand<'_, T> {
    /// The tile that starts at row `row` of group `group` of image `image`, in place.
    /// `LeftOperand::of_images` has checked that all elements lie in `values`.
    #[inline(always)]
    pub(super) fn tile(
        &self,
        image: usize,
        group: usize,
        row: usize,
        block: InnerBlock,
    ) -> LeftTile<T> {
        let start = image * self.images.stride
            + group * self.groups.stride
            + row * self.rows.stride
            + block.first_segment * self.segments.stride
            + block.first_element * self.elements.stride;
        LeftTile {
            start: self.values.as_ptr().wrapping_add(start),
            row_stride: self.rows.stride,
            segment_stride: self.segments.stride,
            element_stride: self.elements.stride,
        }
    }
}

/// Distance in bytes at which elements share a set of the L1 cache.
const SAME_SET: usize = 4096;

/// Fewest elements of a block that share a set, from which on packing them saves time.
const MIN_PACKED: usize = 64;

/// Rows of a panel of the left operand: two tiles of four rows, or one of any other height.
const fn left_rows<T: Real, S: Simd>() -> usize {
    if VectorFacts::<T, S>::HAS_32_REGISTERS {
        8
    } else {
        6
    }
}

/// A block of the left operand, packed into panels: some rows, of which all elements of one inner
/// index are adjacent.
#[derive(Clone, Copy)]
pub(super) struct PackedLeft<'a, T> {
    values: &'a [T],
    rows: usize,
    /// Rows per panel.
    panel: usize,
    /// Elements per row.
    inner: usize,
}

impl<'a, T: Real> PackedLeft<'a, T> {
    /// Packs `left` into `scratch` if its elements share a set of the cache and are read by several
    /// panels of the right operand.
    #[inline(always)]
    pub(super) fn pack<S: Simd>(
        scratch: &'a mut Scratch,
        left: &LeftOperand<T>,
        block: InnerBlock,
        columns: usize,
    ) -> Option<Self> {
        let LeftOperand {
            images,
            groups,
            rows,
            segments,
            elements,
            ..
        } = *left;
        let pays = (elements.stride * size_of::<T>()).is_multiple_of(SAME_SET)
            && block.len() >= MIN_PACKED
            && columns > 3 * T::lanes::<S>();
        if !pays || images.count * groups.count * segments.count > 1 {
            return None;
        }
        let (panel, inner) = (left_rows::<T, S>(), block.len());
        let size = rows.count.next_multiple_of(panel) * inner;
        let values: &mut [T] = scratch.unspecified(size);
        for (p, to) in values.chunks_exact_mut(panel * inner).enumerate() {
            let count = (rows.count - p * panel).min(panel);
            for (e, to) in to.chunks_exact_mut(panel).enumerate() {
                let start = p * panel * rows.stride + (block.first_element + e) * elements.stride;
                for i in 0..count {
                    to[i] = left.values[start + i * rows.stride];
                }
            }
        }
        Some(Self {
            values,
            rows: rows.count,
            panel,
            inner,
        })
    }

    /// The tile of up to `most` rows that starts at row `row`, and its number of rows.
    #[inline(always)]
    pub(super) fn tile(&self, row: usize, most: usize) -> (LeftTile<T>, usize) {
        let (panel, in_panel) = (row / self.panel, row % self.panel);
        let start = &self.values[panel * self.panel * self.inner + in_panel..];
        let count = (self.rows - row).min(most).min(self.panel - in_panel);
        let tile = LeftTile {
            start: start.as_ptr(),
            row_stride: 1,
            segment_stride: 0,
            element_stride: self.panel,
        };
        (tile, count)
    }
}
