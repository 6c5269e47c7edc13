//! 2x2 max pooling with stride 2 that remembers which corner won.

use super::buffers::Buffer;
use super::real::Real;
use super::vector::Kernel;
use rayon::prelude::*;

/// Sizes of a pooling: images of all replicas together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) images: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Sizes {
    fn output(&self) -> (usize, usize) {
        (self.height / 2, self.width / 2)
    }

    /// Offset in an image of corner `corner` (row-major) of the window at `(i, j)`.
    fn corner(&self, i: usize, j: usize, corner: usize) -> usize {
        ((2 * i + corner / 2) * self.width + 2 * j + corner % 2) * self.channels
    }
}

/// The maxima, and for each the corner (0 to 3, row-major) that first attains it.
pub(crate) fn forward<T: Real>(s: Sizes, x: &[T]) -> (Buffer<T>, Buffer<u8>) {
    let (h, w) = s.output();
    let (c, size) = (s.channels, h * w * s.channels);
    let mut y = Buffer::unspecified(s.images * size);
    let mut winners = Buffer::zeros(s.images * size);
    y.par_chunks_mut(size)
        .zip(winners.par_chunks_mut(size))
        .zip(x.par_chunks(s.height * s.width * c))
        .with_min_len(16)
        .for_each(|((y, winners), x)| T::run(Forward { s, x, y, winners }));
    (y, winners)
}

struct Forward<'a, T> {
    s: Sizes,
    x: &'a [T],
    y: &'a mut [T],
    winners: &'a mut [u8],
}

impl<T: Real> Kernel for Forward<'_, T> {
    #[inline(always)]
    fn run(self) {
        let (s, c, (_, w)) = (self.s, self.s.channels, self.s.output());
        let windows = self
            .y
            .chunks_exact_mut(c)
            .zip(self.winners.chunks_exact_mut(c));
        for (place, (y, winners)) in windows.enumerate() {
            let (i, j) = (place / w, place % w);
            y.copy_from_slice(&self.x[s.corner(i, j, 0)..][..c]);
            for corner in 1..4 {
                let x = &self.x[s.corner(i, j, corner)..][..c];
                keep_larger(y, winners, x, corner as u8);
            }
        }
    }
}

#[inline(always)]
fn keep_larger<T: Real>(y: &mut [T], winners: &mut [u8], x: &[T], corner: u8) {
    for ((y, winner), &x) in y.iter_mut().zip(winners).zip(x) {
        // Written so that a NaN on either side is kept, not skipped.
        let keep = *y >= x || y.is_nan();
        *winner = if keep { *winner } else { corner };
        *y = if keep { *y } else { x };
    }
}

/// The gradient of the input: each output's goes to the corner that won.
pub(crate) fn backward<T: Real>(s: Sizes, dy: &[T], winners: &[u8]) -> Buffer<T> {
    let (h, w) = s.output();
    let (c, size) = (s.channels, h * w * s.channels);
    let mut dx = Buffer::zeros(s.images * s.height * s.width * c);
    dx.par_chunks_mut(s.height * s.width * c)
        .zip(dy.par_chunks(size))
        .zip(winners.par_chunks(size))
        .with_min_len(16)
        .for_each(|((dx, dy), winners)| T::run(Backward { s, dy, winners, dx }));
    dx
}

struct Backward<'a, T> {
    s: Sizes,
    dy: &'a [T],
    winners: &'a [u8],
    dx: &'a mut [T],
}

impl<T: Real> Kernel for Backward<'_, T> {
    #[inline(always)]
    fn run(self) {
        let (s, c, (_, w)) = (self.s, self.s.channels, self.s.output());
        let windows = self.dy.chunks_exact(c).zip(self.winners.chunks_exact(c));
        for (place, (dy, winners)) in windows.enumerate() {
            let (i, j) = (place / w, place % w);
            for corner in 0..4 {
                let to = &mut self.dx[s.corner(i, j, corner)..][..c];
                for ((d, &g), &winner) in to.iter_mut().zip(dy).zip(winners) {
                    *d = if winner == corner as u8 { g } else { T::ZERO };
                }
            }
        }
    }
}
