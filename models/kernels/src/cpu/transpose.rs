//! Matrix transpose, for products that need the rows of a transposed matrix.

use super::kernel::Kernel;
use super::real::Real;

/// `out = from^T`, for a row-major `from` of `columns` columns.
///
/// # Panics
/// If the lengths differ, or `from` is not a whole number of rows.
// Not inlined, so that profiles show it.
#[inline(never)]
pub(crate) fn transpose<T: Real>(from: &[T], columns: usize, out: &mut [T]) {
    assert!(columns > 0 && from.len().is_multiple_of(columns) && from.len() == out.len());
    T::run(Transpose { from, columns, out });
}

/// Side of the squares that are transposed in registers.
const SIDE: usize = 4;

/// Side of a block that stays in the cache: every cache line that it touches is used completely.
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
                        // SAFETY: `from` has `SIDE` rows from row `i` on and `SIDE` columns from
                        // column `j` on, and `out` has them with rows and columns exchanged; the
                        // lengths of both are asserted.
                        unsafe {
                            let from = from.as_ptr().add(i * columns + j);
                            let out = out.as_mut_ptr().add(j * rows + i);
                            transpose_square(from, columns, out, rows);
                        }
                    }
                }
            }
        }
        for i in 0..rows {
            let remaining = if i < whole_rows { whole_columns } else { 0 };
            for j in remaining..columns {
                out[j * rows + i] = from[i * columns + j];
            }
        }
    }
}

/// Transposes a square of `SIDE` rows with stride `stride` to one with stride `to`.
///
/// # Safety
/// The square must be readable, and its transpose writable.
#[inline(always)]
unsafe fn transpose_square<T: Real>(from: *const T, stride: usize, out: *mut T, to: usize) {
    // SAFETY: as the caller guarantees.
    unsafe {
        let row = |k: usize| from.add(k * stride).cast::<[T; SIDE]>().read_unaligned();
        let columns = T::transpose_4x4([row(0), row(1), row(2), row(3)]);
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
    fn transpose_exchanges_rows_and_columns() {
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
