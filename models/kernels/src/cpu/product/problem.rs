//! The operands of a dense product, and the blocks into which its inner dimension is divided.

use super::operands::{Addend, LeftOperand};
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::real::Real;

/// `out = left right + addend`.
pub(super) struct Product<'a, 'b, T> {
    pub(super) out: &'a mut ColumnsMut<'b, T>,
    pub(super) left: LeftOperand<'a, T>,
    pub(super) right: Columns<'a, T>,
    pub(super) addend: Addend<'a, T>,
}

/// A part of the inner dimension: some elements of the only segment, or some whole segments.
#[derive(Clone, Copy)]
pub(super) struct InnerBlock {
    pub(super) first_segment: usize,
    pub(super) segments: usize,
    pub(super) first_element: usize,
    /// Elements per segment.
    pub(super) elements: usize,
    /// First row of the right operand.
    pub(super) row: usize,
    /// Whether the sums start at zero, and not at the output.
    pub(super) is_first: bool,
    /// Whether the sums are complete, so that the addend is added.
    pub(super) is_last: bool,
}

impl InnerBlock {
    pub(super) fn len(&self) -> usize {
        self.segments * self.elements
    }
}

impl<T: Real> Product<'_, '_, T> {
    /// Pointer to the addend of row `row`, from column `from` on, and the stride to the next row.
    #[inline(always)]
    pub(super) fn addend(&self, row: usize, from: usize) -> Option<(*const T, usize)> {
        match self.addend {
            Addend::None => None,
            Addend::Output => {
                let out = self.out.read();
                Some((out.row(row)[from..].as_ptr(), out.stride()))
            }
            Addend::Row(values) => Some((values[from..].as_ptr(), 0)),
        }
    }

    /// Whether copying panels of the right operand to adjacent rows takes less time than it saves.
    pub(super) fn packs_right(&self) -> bool {
        let (rows, stride) = (self.left.rows(), self.right.stride());
        rows >= 64 || rows >= 16 && stride >= 256
    }
}
