//! Matrices turned over, where a product needs the rows of a transpose.

use super::real::Real;
use super::vector::Kernel;

/// `out = from^T` for `from` of `columns` columns, row-major.
///
/// # Panics
/// If the sizes differ or the values are not whole rows.
// Not inlined, so that profiles show it.
#[inline(never)]
pub(crate) fn transpose<T: Real>(from: &[T], columns: usize, out: &mut [T]) {
    assert!(columns > 0 && from.len().is_multiple_of(columns) && from.len() == out.len());
    T::run(Transpose { from, columns, out });
}

/// Rows and columns that are turned over at one time.
const SIDE: usize = 4;

/// Rows and columns of a block: every line of the cache that it touches is used up, where blocks
/// below each other write on at `BLOCK` places.
const BLOCK: usize = 16;

struct Transpose<'a, T> {
    from: &'a [T],
    columns: usize,
    out: &'a mut [T],
}

impl<T: Real> Kernel for Transpose<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Self { from, columns, out } = self;
        let rows = from.len() / columns;
        let (whole_rows, whole_columns) = (rows / SIDE * SIDE, columns / SIDE * SIDE);
        for left in (0..whole_columns).step_by(BLOCK) {
            for top in (0..whole_rows).step_by(BLOCK) {
                for i in (top..whole_rows.min(top + BLOCK)).step_by(SIDE) {
                    for j in (left..whole_columns.min(left + BLOCK)).step_by(SIDE) {
                        // SAFETY: `SIDE` whole rows from row `i` on have `SIDE` numbers from
                        // column `j` on, in `from`, and so has its transpose, `out`, with rows and
                        // columns exchanged; the sizes of both are asserted.
                        unsafe {
                            let from = from.as_ptr().add(i * columns + j);
                            let out = out.as_mut_ptr().add(j * rows + i);
                            turn_square(from, columns, out, rows);
                        }
                    }
                }
            }
        }
        for i in 0..rows {
            let left_over = if i < whole_rows { whole_columns } else { 0 };
            for j in left_over..columns {
                out[j * rows + i] = from[i * columns + j];
            }
        }
    }
}

/// A square of `SIDE` rows and columns, rows `stride` apart, into one whose rows are `to` apart.
///
/// # Safety
/// The square can be read and its transpose written.
#[inline(always)]
unsafe fn turn_square<T: Real>(from: *const T, stride: usize, out: *mut T, to: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let row = |k: usize| from.add(k * stride).cast::<[T; SIDE]>().read_unaligned();
        let columns = T::turned([row(0), row(1), row(2), row(3)]);
        for l in 0..SIDE {
            out.add(l * to)
                .cast::<[T; SIDE]>()
                .write_unaligned(columns[l]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(1, 1), (8, 8), (3, 20), (17, 9), (16, 24), (40, 37)] {
            let from: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let mut out = vec![-1.0; from.len()];
            transpose(&from, columns, &mut out);
            for (at, value) in out.iter().enumerate() {
                assert_eq!(*value, from[at % rows * columns + at / rows]);
            }
        }
    }
}
