//! Convolutions with stride 1 that keep the size, as matrix products over tiles of patches.
//!
//! A tile is a run of whole image rows whose patches fit the second-level cache. Its size depends
//! on the shapes alone, so that the result does not depend on the number of threads.

use super::linear::fill_rows;
use super::matmul::{Matrix, multiply};
use super::real::Real;
use rayon::prelude::*;

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) replicas: usize,
    pub(crate) batch: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
}

/// Numbers in the patches of a tile, at most (unless one image row alone has more).
const TILE: usize = 48 * 1024;

impl Sizes {
    /// Numbers in one patch.
    fn patch(&self) -> usize {
        self.kernel * self.kernel * self.inputs
    }

    /// Image rows of a replica, over all images.
    fn lines(&self) -> usize {
        self.batch * self.height
    }

    /// Image rows in a tile.
    fn tile(&self) -> usize {
        (TILE / (self.width * self.patch())).clamp(1, self.lines())
    }

    fn input(&self) -> usize {
        self.lines() * self.width * self.inputs
    }

    fn output(&self) -> usize {
        self.lines() * self.width * self.outputs
    }

    fn weights(&self) -> usize {
        self.patch() * self.outputs
    }

    /// Calls `f` for every run of a patch that lies inside the image: a kernel row's columns are
    /// neighbours in the patch and in the image alike. `f` gets where the run starts in the tile
    /// of `count` image rows from `line` on, where it starts in the replica, and its length.
    #[inline(always)]
    fn runs(&self, line: usize, count: usize, mut f: impl FnMut(usize, usize, usize)) {
        let (k, c, patch) = (self.kernel, self.inputs, self.patch());
        let before = (k - 1) / 2;
        for l in line..line + count {
            let y = l % self.height;
            for ky in 0..k {
                let Some(row) = (y + ky)
                    .checked_sub(before)
                    .filter(|&row| row < self.height)
                else {
                    continue;
                };
                let source = (l - y + row) * self.width;
                for column in 0..self.width {
                    let from = before.saturating_sub(column);
                    let to = (self.width + before - column).min(k);
                    let place = (l - line) * self.width + column;
                    f(
                        place * patch + (ky * k + from) * c,
                        (source + column + from - before) * c,
                        (to - from) * c,
                    );
                }
            }
        }
    }

    /// Writes the patches of `count` image rows from `line` on, one patch a row.
    #[inline(always)]
    fn gather<T: Real>(&self, x: &[T], line: usize, count: usize, patches: &mut [T]) {
        if self.kernel > 1 {
            patches.fill(T::ZERO);
        }
        self.runs(line, count, |to, from, n| {
            for (p, &x) in patches[to..to + n].iter_mut().zip(&x[from..from + n]) {
                *p = x;
            }
        });
    }

    /// The transpose of [`gather`](Self::gather): adds the patches to where they came from.
    #[inline(always)]
    fn scatter<T: Real>(&self, patches: &[T], line: usize, count: usize, dx: &mut [T]) {
        self.runs(line, count, |from, to, n| {
            for (d, &p) in dx[to..to + n].iter_mut().zip(&patches[from..from + n]) {
                *d += p;
            }
        });
    }
}

/// `y = conv(x, w) + b`.
pub(crate) fn forward<T: Real>(s: Sizes, x: &[T], w: &[T], b: Option<&[T]>) -> Vec<T> {
    let mut y = vec![T::ZERO; s.replicas * s.output()];
    let line = s.width * s.outputs;
    let tiles = y.chunks_mut(s.output()).enumerate().flat_map(|(r, y)| {
        let tiles = y.chunks_mut(s.tile() * line).enumerate();
        tiles.map(move |(i, y)| (r, i * s.tile(), y))
    });
    let tiles: Vec<_> = tiles.collect();
    tiles
        .into_par_iter()
        .for_each_init(Vec::new, |patches, (r, first, y)| {
            let count = y.len() / line;
            let places = count * s.width;
            patches.resize(places * s.patch(), T::ZERO);
            let x = &x[r * s.input()..(r + 1) * s.input()];
            pulp::Arch::new().dispatch(|| s.gather(x, first, count, patches));
            if let Some(b) = b {
                fill_rows(y, &b[r * s.outputs..(r + 1) * s.outputs]);
            }
            let w = &w[r * s.weights()..(r + 1) * s.weights()];
            let patches = Matrix::new(patches, places, s.patch());
            multiply(
                y,
                patches,
                Matrix::new(w, s.patch(), s.outputs),
                b.is_some(),
            );
        });
    y
}

/// The gradient of the input.
pub(crate) fn input_gradient<T: Real>(s: Sizes, dy: &[T], w: &[T]) -> Vec<T> {
    let mut dx = vec![T::ZERO; s.replicas * s.input()];
    dx.par_chunks_mut(s.input())
        .zip(dy.par_chunks(s.output()))
        .zip(w.par_chunks(s.weights()))
        .for_each_init(Vec::new, |patches, ((dx, dy), w)| {
            let line = s.width * s.outputs;
            for (i, dy) in dy.chunks(s.tile() * line).enumerate() {
                let count = dy.len() / line;
                let places = count * s.width;
                patches.resize(places * s.patch(), T::ZERO);
                let dy = Matrix::new(dy, places, s.outputs);
                let w = Matrix::new(w, s.patch(), s.outputs);
                multiply(patches, dy, w.t(), false);
                let scatter = || s.scatter(patches, i * s.tile(), count, dx);
                pulp::Arch::new().dispatch(scatter);
            }
        });
    dx
}

/// The gradient of the weights.
pub(crate) fn weight_gradient<T: Real>(s: Sizes, x: &[T], dy: &[T]) -> Vec<T> {
    let mut dw = vec![T::ZERO; s.replicas * s.weights()];
    dw.par_chunks_mut(s.weights())
        .zip(x.par_chunks(s.input()))
        .zip(dy.par_chunks(s.output()))
        .for_each_init(Vec::new, |patches, ((dw, x), dy)| {
            let line = s.width * s.outputs;
            for (i, dy) in dy.chunks(s.tile() * line).enumerate() {
                let count = dy.len() / line;
                let places = count * s.width;
                patches.resize(places * s.patch(), T::ZERO);
                let gather = || s.gather(x, i * s.tile(), count, patches);
                pulp::Arch::new().dispatch(gather);
                let patches = Matrix::new(patches, places, s.patch());
                multiply(dw, patches.t(), Matrix::new(dy, places, s.outputs), i > 0);
            }
        });
    dw
}
