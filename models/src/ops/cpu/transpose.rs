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
        for j in (0..whole_columns).step_by(SIDE) {
            for i in (0..whole_rows).step_by(SIDE) {
                let mut block = [[T::ZERO; SIDE]; SIDE];
                for k in 0..SIDE {
                    let row = &from[(i + k) * columns + j..][..SIDE];
                    for l in 0..SIDE {
                        block[l][k] = row[l];
                    }
                }
                for l in 0..SIDE {
                    out[(j + l) * rows + i..][..SIDE].copy_from_slice(&block[l]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(1, 1), (8, 8), (3, 20), (17, 9), (16, 24)] {
            let from: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let mut out = vec![-1.0; from.len()];
            transpose(&from, columns, &mut out);
            for (at, value) in out.iter().enumerate() {
                assert_eq!(*value, from[at % rows * columns + at / rows]);
            }
        }
    }
}
