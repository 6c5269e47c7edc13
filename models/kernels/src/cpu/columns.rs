//! Blocks of columns of a row-major matrix, on which tasks work in parallel.

use std::marker::PhantomData;

/// A block of adjacent columns of a row-major matrix.
#[derive(Debug)]
pub(crate) struct Columns<'a, T> {
    /// The first element of the first row.
    start: *const T,
    rows: usize,
    stride: usize,
    width: usize,
    of: PhantomData<&'a [T]>,
}

impl<T> Clone for Columns<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Columns<'_, T> {}

impl<'a, T> Columns<'a, T> {
    /// All `width` columns of a matrix.
    pub(crate) fn whole(values: &'a [T], width: usize) -> Self {
        Self::of(values, width, 0, width)
    }

    /// `width` columns from column `from` on, of a matrix of `stride` columns.
    ///
    /// # Panics
    /// If the matrix has fewer columns, or `values` is not a whole number of rows.
    pub(crate) fn of(values: &'a [T], stride: usize, from: usize, width: usize) -> Self {
        assert!(from + width <= stride && values.len().is_multiple_of(stride));
        Self {
            // May lie outside of `values` if there are no rows; then it is not dereferenced.
            start: values.as_ptr().wrapping_add(from),
            rows: values.len() / stride,
            stride,
            width,
            of: PhantomData,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Pointer to the first element of the first row.
    pub(crate) fn as_ptr(&self) -> *const T {
        self.start
    }

    /// The block's part of row `i`.
    #[inline(always)]
    pub(crate) fn row(&self, i: usize) -> &'a [T] {
        assert!(i < self.rows);
        // SAFETY: the block lies inside a shared borrow of `rows` whole rows of `stride` elements
        // (`of`), or is all of an exclusive block (`ColumnsMut::read`). So for `i < rows`, elements
        // `i * stride .. i * stride + width` from `start` on are borrowed.
        unsafe { std::slice::from_raw_parts(self.start.add(i * self.stride), self.width) }
    }
}

/// A mutable block of adjacent columns of a row-major matrix.
#[derive(Debug)]
pub(crate) struct ColumnsMut<'a, T> {
    /// The first element of the first row.
    start: *mut T,
    rows: usize,
    stride: usize,
    width: usize,
    of: PhantomData<&'a mut [T]>,
}

// SAFETY: a block is an exclusive borrow of its elements (see `split`), which may be sent to another
// thread if the elements may.
unsafe impl<T: Send> Send for ColumnsMut<'_, T> {}

impl<'a, T> ColumnsMut<'a, T> {
    /// All `width` columns of a matrix.
    ///
    /// # Panics
    /// If `width` is zero, or `values` is not a whole number of rows.
    pub(crate) fn whole(values: &'a mut [T], width: usize) -> Self {
        assert!(width > 0 && values.len().is_multiple_of(width));
        Self {
            start: values.as_mut_ptr(),
            rows: values.len() / width,
            stride: width,
            width,
            of: PhantomData,
        }
    }

    /// Disjoint blocks of `block` columns (the last may be narrower) of a matrix of `stride` columns.
    ///
    /// # Panics
    /// If `stride` or `block` is zero, or `values` is not a whole number of rows.
    pub(crate) fn split(values: &'a mut [T], stride: usize, block: usize) -> Vec<Self> {
        assert!(stride > 0 && block > 0 && values.len().is_multiple_of(stride));
        let (rows, start) = (values.len() / stride, values.as_mut_ptr());
        let part = |from: usize| Self {
            // May lie outside of `values` if there are no rows; then it is not dereferenced.
            start: start.wrapping_add(from),
            rows,
            stride,
            width: block.min(stride - from),
            of: PhantomData,
        };
        (0..stride).step_by(block).map(part).collect()
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Pointer to the first element of the first row.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut T {
        self.start
    }

    /// The block's part of row `i`, mutable.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, i: usize) -> &mut [T] {
        assert!(i < self.rows);
        // SAFETY: `split` borrowed whole rows of `stride` elements exclusively, and its blocks share no
        // column. So for `i < rows`, elements `i * stride .. i * stride + width` from `start` on lie
        // inside that borrow and belong to this block alone. The result borrows `self` exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(i * self.stride), self.width) }
    }

    /// A shared view of the block.
    pub(crate) fn read(&self) -> Columns<'_, T> {
        Columns {
            start: self.start,
            rows: self.rows,
            stride: self.stride,
            width: self.width,
            of: PhantomData,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_written_in_parallel_fill_the_matrix() {
        let (rows, stride) = (7, 10);
        let mut values = vec![0; rows * stride];
        let blocks = ColumnsMut::split(&mut values, stride, 4);
        std::thread::scope(|scope| {
            for (b, mut block) in blocks.into_iter().enumerate() {
                scope.spawn(move || {
                    for i in 0..block.rows() {
                        for (j, value) in block.row_mut(i).iter_mut().enumerate() {
                            *value += i * stride + 4 * b + j;
                        }
                    }
                });
            }
        });
        let expected: Vec<_> = (0..rows * stride).collect();
        assert_eq!(values, expected);
        let right = Columns::of(&values, stride, 8, 2);
        assert_eq!(right.row(3), [38, 39]);
        assert_eq!((right.rows(), right.width()), (7, 2));
    }

    #[test]
    fn empty_matrix_has_blocks_without_rows() {
        let blocks = ColumnsMut::<f32>::split(&mut [], 5, 2);
        let widths: Vec<_> = blocks.iter().map(|b| (b.rows(), b.width())).collect();
        assert_eq!(widths, [(0, 2), (0, 2), (0, 1)]);
    }
}
