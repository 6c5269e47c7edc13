//! Batched linear maps with bias.

use super::matmul::{Matrix, multiply};
use super::real::Real;
use super::vector::Kernel;
use rayon::prelude::*;

/// Sizes of a batched linear map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) replicas: usize,
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// `y = x W + b`, row-major, one block a replica.
pub(crate) fn forward<T: Real>(s: Sizes, x: &[T], w: &[T], b: Option<&[T]>) -> Vec<T> {
    let mut y = vec![T::ZERO; s.replicas * s.rows * s.outputs];
    y.par_chunks_mut(s.rows * s.outputs)
        .zip(x.par_chunks(s.rows * s.inputs))
        .zip(w.par_chunks(s.inputs * s.outputs))
        .enumerate()
        .for_each(|(r, ((y, x), w))| {
            if let Some(b) = b {
                fill_rows(y, &b[r * s.outputs..(r + 1) * s.outputs]);
            }
            let x = Matrix::new(x, s.rows, s.inputs);
            let w = Matrix::new(w, s.inputs, s.outputs);
            multiply(y, x, w, b.is_some());
        });
    y
}

/// Copies `row` into every row of `y`.
pub(crate) fn fill_rows<T: Real>(y: &mut [T], row: &[T]) {
    for out in y.chunks_exact_mut(row.len()) {
        out.copy_from_slice(row);
    }
}

/// The gradient of the input: `dx = dy W^T`.
pub(crate) fn input_gradient<T: Real>(s: Sizes, dy: &[T], w: &[T]) -> Vec<T> {
    let mut dx = vec![T::ZERO; s.replicas * s.rows * s.inputs];
    dx.par_chunks_mut(s.rows * s.inputs)
        .zip(dy.par_chunks(s.rows * s.outputs))
        .zip(w.par_chunks(s.inputs * s.outputs))
        .for_each(|((dx, dy), w)| {
            let dy = Matrix::new(dy, s.rows, s.outputs);
            let w = Matrix::new(w, s.inputs, s.outputs);
            multiply(dx, dy, w.t(), false);
        });
    dx
}

/// The gradient of the weights: `dW = x^T dy`.
pub(crate) fn weight_gradient<T: Real>(s: Sizes, x: &[T], dy: &[T]) -> Vec<T> {
    let mut dw = vec![T::ZERO; s.replicas * s.inputs * s.outputs];
    dw.par_chunks_mut(s.inputs * s.outputs)
        .zip(x.par_chunks(s.rows * s.inputs))
        .zip(dy.par_chunks(s.rows * s.outputs))
        .for_each(|((dw, x), dy)| {
            let x = Matrix::new(x, s.rows, s.inputs);
            let dy = Matrix::new(dy, s.rows, s.outputs);
            multiply(dw, x.t(), dy, false);
        });
    dw
}

/// The gradient of the bias: the sum of `dy` over the rows.
pub(crate) fn bias_gradient<T: Real>(s: Sizes, dy: &[T]) -> Vec<T> {
    let mut db = vec![T::ZERO; s.replicas * s.outputs];
    db.par_chunks_mut(s.outputs)
        .zip(dy.par_chunks(s.rows * s.outputs))
        .for_each(|(sum, rows)| T::run(AddRows { sum, rows }));
    db
}

struct AddRows<'a, T> {
    sum: &'a mut [T],
    rows: &'a [T],
}

impl<T: Real> Kernel for AddRows<'_, T> {
    #[inline(always)]
    fn run(self) {
        for row in self.rows.chunks_exact(self.sum.len()) {
            for (s, &v) in self.sum.iter_mut().zip(row) {
                *s += v;
            }
        }
    }
}
