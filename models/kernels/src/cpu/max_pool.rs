//! 2x2 max pooling with stride 2 that records which corner of each window holds the maximum.

use super::buffers::Buffer;
use super::kernel::Kernel;
use super::parallel::for_each;
use super::real::Real;

/// Dimensions of the images of all replicas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolShape {
    pub(crate) images: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

/// Images per task.
pub(super) const TASK: usize = 16;

impl PoolShape {
    /// Values in an image.
    pub(super) fn input(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values in the output of an image.
    pub(super) fn output(&self) -> usize {
        (self.height / 2) * (self.width / 2) * self.channels
    }

    /// Offset in an image of corner `corner` (0 to 3, row-major) of the window at `(i, j)`.
    pub(super) fn corner(&self, i: usize, j: usize, corner: usize) -> usize {
        ((2 * i + corner / 2) * self.width + 2 * j + corner % 2) * self.channels
    }
}

/// The maximum of every window, and the first corner (0 to 3, row-major) that holds it.
///
/// # Shapes
/// `[images, height, width, channels]` to the same with height and width halved, rounded down.
pub(crate) fn forward<T: Real>(s: PoolShape, x: &[T]) -> (Buffer<T>, Buffer<u8>) {
    let (input, output) = (s.input().max(1), s.output().max(1));
    let mut y = Buffer::unspecified(s.images * s.output());
    let mut corners = Buffer::zeros(s.images * s.output());
    let tasks = y
        .chunks_mut(TASK * output)
        .zip(corners.chunks_mut(TASK * output))
        .zip(x.chunks(TASK * input));
    for_each(tasks.collect(), |((y, corners), x)| {
        let images = y
            .chunks_exact_mut(output)
            .zip(corners.chunks_exact_mut(output))
            .zip(x.chunks_exact(input));
        for ((y, corners), x) in images {
            T::run(Forward { s, x, y, corners });
        }
    });
    (y, corners)
}

struct Forward<'a, T> {
    s: PoolShape,
    x: &'a [T],
    y: &'a mut [T],
    corners: &'a mut [u8],
}

impl<T: Real> Kernel for Forward<'_, T> {
    #[inline(always)]
    fn run(self) {
        let (s, c, w) = (self.s, self.s.channels, self.s.width / 2);
        let windows = self
            .y
            .chunks_exact_mut(c)
            .zip(self.corners.chunks_exact_mut(c));
        for (window, (y, corners)) in windows.enumerate() {
            let (i, j) = (window / w, window % w);
            y.copy_from_slice(&self.x[s.corner(i, j, 0)..][..c]);
            for corner in 1..4 {
                let x = &self.x[s.corner(i, j, corner)..][..c];
                keep_larger(y, corners, x, corner as u8);
            }
        }
    }
}

#[inline(always)]
fn keep_larger<T: Real>(y: &mut [T], corners: &mut [u8], x: &[T], corner: u8) {
    for ((y, best), &x) in y.iter_mut().zip(corners).zip(x) {
        // Keeps a NaN on either side.
        let keep = *y >= x || y.is_nan();
        *best = if keep { *best } else { corner };
        *y = if keep { *y } else { x };
    }
}

/// The gradient of the input: the corner that holds the maximum gets the output's gradient, the
/// others get zero.
pub(crate) fn backward<T: Real>(s: PoolShape, dy: &[T], corners: &[u8]) -> Buffer<T> {
    let (input, output) = (s.input().max(1), s.output().max(1));
    let mut dx = Buffer::zeros(s.images * s.input());
    let tasks = dx
        .chunks_mut(TASK * input)
        .zip(dy.chunks(TASK * output))
        .zip(corners.chunks(TASK * output));
    for_each(tasks.collect(), |((dx, dy), corners)| {
        let images = dx
            .chunks_exact_mut(input)
            .zip(dy.chunks_exact(output))
            .zip(corners.chunks_exact(output));
        for ((dx, dy), corners) in images {
            T::run(Backward { s, dy, corners, dx });
        }
    });
    dx
}

struct Backward<'a, T> {
    s: PoolShape,
    dy: &'a [T],
    corners: &'a [u8],
    dx: &'a mut [T],
}

impl<T: Real> Kernel for Backward<'_, T> {
    #[inline(always)]
    fn run(self) {
        let (s, c, w) = (self.s, self.s.channels, self.s.width / 2);
        let windows = self.dy.chunks_exact(c).zip(self.corners.chunks_exact(c));
        for (window, (dy, corners)) in windows.enumerate() {
            let (i, j) = (window / w, window % w);
            for corner in 0..4 {
                let to = &mut self.dx[s.corner(i, j, corner)..][..c];
                for ((d, &g), &best) in to.iter_mut().zip(dy).zip(corners) {
                    *d = if best == corner as u8 { g } else { T::ZERO };
                }
            }
        }
    }
}
