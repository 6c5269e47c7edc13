//! Matrix products on slices, one thread each: threads are spent on replicas and tiles instead.

use super::real::Real;
use gemm::Parallelism;

/// A matrix in row-major order, or the transpose of one.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a, T> Matrix<'a, T> {
    /// `values` as `rows` by `columns`.
    pub(crate) fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns);
        Self {
            values,
            rows,
            columns,
            transposed: false,
        }
    }

    /// The transpose.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            transposed: !self.transposed,
            ..self
        }
    }

    /// Strides of a row and of a column.
    fn strides(&self) -> (isize, isize) {
        if self.transposed {
            (1, self.rows as isize)
        } else {
            (self.columns as isize, 1)
        }
    }
}

/// `out = a b`, or `out += a b` with `add`; `out` is row-major.
///
/// # Panics
/// If the sizes do not fit.
pub(crate) fn multiply<T: Real>(out: &mut [T], a: Matrix<T>, b: Matrix<T>, add: bool) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!(k, b.rows);
    assert_eq!(out.len(), m * n);
    let ((a_row, a_column), (b_row, b_column)) = (a.strides(), b.strides());
    // SAFETY: each pointer comes from a slice whose length the asserts above and `Matrix::new`
    // tie to the sizes and strides given, `out` is borrowed exclusively, and T is f32 or f64,
    // which `gemm` handles.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            add,
            a.values.as_ptr(),
            a_column,
            a_row,
            b.values.as_ptr(),
            b_column,
            b_row,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_all_orientations_agree_with_the_sum() {
        let (m, k, n) = (3, 5, 4);
        let a: Vec<f64> = (0..m * k).map(|i| (i as f64).sin()).collect();
        let b: Vec<f64> = (0..k * n).map(|i| (i as f64).cos()).collect();
        let transpose = |v: &[f64], rows: usize, columns: usize| -> Vec<f64> {
            (0..rows * columns)
                .map(|i| v[(i % rows) * columns + i / rows])
                .collect()
        };
        let (at, bt) = (transpose(&a, m, k), transpose(&b, k, n));
        let left = [Matrix::new(&a, m, k), Matrix::new(&at, k, m).t()];
        let right = [Matrix::new(&b, k, n), Matrix::new(&bt, n, k).t()];
        for l in left {
            for r in right {
                let mut out = vec![1.0; m * n];
                multiply(&mut out, l, r, true);
                for (i, value) in out.iter().enumerate() {
                    let term = |j: usize| a[(i / n) * k + j] * b[j * n + i % n];
                    let sum: f64 = 1.0 + (0..k).map(term).sum::<f64>();
                    assert!((value - sum).abs() < 1e-12);
                }
            }
        }
    }
}
