//! Matrix products on slices, one thread each: threads are spent on replicas and tiles instead.

use super::columns::{Columns, ColumnsMut};
use super::real::Real;
use gemm::Parallelism;
use std::marker::PhantomData;

/// A borrowed matrix, or the transpose of one.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    start: *const T,
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
    of: PhantomData<&'a [T]>,
}

impl<'a, T> Matrix<'a, T> {
    /// `values` as `rows` by `columns`, row-major.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub(crate) fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns);
        Self {
            start: values.as_ptr(),
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
            of: PhantomData,
        }
    }

    /// A block of columns.
    pub(crate) fn of(block: Columns<'a, T>) -> Self {
        Self {
            start: block.as_ptr(),
            rows: block.rows(),
            columns: block.width(),
            row_stride: block.stride(),
            column_stride: 1,
            of: PhantomData,
        }
    }

    /// The transpose.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// `out = a b`, or `out += a b` with `add`.
///
/// # Panics
/// If the sizes do not fit.
pub(crate) fn multiply<T: Real>(out: &mut ColumnsMut<T>, a: Matrix<T>, b: Matrix<T>, add: bool) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!((k, out.rows(), out.width()), (b.rows, m, n));
    // SAFETY: `Matrix` and `ColumnsMut` are borrows of as many rows and columns as they say, at
    // their strides, which fit each other by the assert above; `out` is borrowed exclusively; and
    // T is f32 or f64, which `gemm` handles.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out.stride() as isize,
            add,
            a.start,
            a.column_stride as isize,
            a.row_stride as isize,
            b.start,
            b.column_stride as isize,
            b.row_stride as isize,
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
                multiply(&mut ColumnsMut::whole(&mut out, n), l, r, true);
                for (i, value) in out.iter().enumerate() {
                    let term = |j: usize| a[(i / n) * k + j] * b[j * n + i % n];
                    let sum: f64 = 1.0 + (0..k).map(term).sum::<f64>();
                    assert!((value - sum).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn blocks_of_columns_multiply_as_the_whole_does() {
        let (m, k, n) = (4, 6, 7);
        let a: Vec<f32> = (0..m * k).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i % 5) as f32).collect();
        let mut whole = vec![0.0; m * n];
        let left = Matrix::new(&a, m, k);
        multiply(
            &mut ColumnsMut::whole(&mut whole, n),
            left,
            Matrix::new(&b, k, n),
            false,
        );
        let mut parts = vec![0.0; m * n];
        for (i, mut out) in ColumnsMut::split(&mut parts, n, 3).into_iter().enumerate() {
            let columns = Columns::of(&b, n, 3 * i, out.width());
            multiply(&mut out, left, Matrix::of(columns), false);
        }
        assert_eq!(whole, parts);
    }
}
