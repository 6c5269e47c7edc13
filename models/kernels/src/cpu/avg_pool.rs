//! 2x2 average pooling with stride 2.

use super::buffers::Buffer;
use super::kernel::Kernel;
use super::max_pool::{PoolShape, TASK};
use super::parallel::for_each;
use super::real::Real;

/// The mean of every window, summed as the plain version does.
///
/// # Shapes
/// `[images, height, width, channels]` to the same with height and width halved, rounded down.
pub(crate) fn forward<T: Real>(s: PoolShape, x: &[T]) -> Buffer<T> {
    let (input, output) = (s.input().max(1), s.output().max(1));
    let mut y = Buffer::unspecified(s.images * s.output());
    let tasks = y.chunks_mut(TASK * output).zip(x.chunks(TASK * input));
    for_each(tasks.collect(), |(y, x)| {
        for (y, x) in y.chunks_exact_mut(output).zip(x.chunks_exact(input)) {
            T::run(Forward { s, x, y });
        }
    });
    y
}

struct Forward<'a, T> {
    s: PoolShape,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel for Forward<'_, T> {
    #[inline(always)]
    fn run(self) {
        let (s, c, w) = (self.s, self.s.channels, self.s.width / 2);
        let quarter = T::from_f64(0.25);
        for (window, y) in self.y.chunks_exact_mut(c).enumerate() {
            let (i, j) = (window / w, window % w);
            let top = &self.x[s.corner(i, j, 0)..][..2 * c];
            let bottom = &self.x[s.corner(i, j, 2)..][..2 * c];
            let (a, b) = top.split_at(c);
            let (d, e) = bottom.split_at(c);
            for (k, y) in y.iter_mut().enumerate() {
                *y = ((a[k] + b[k]) + (d[k] + e[k])) * quarter;
            }
        }
    }
}

/// The gradient of the input: every corner of a window gets a quarter of its gradient.
pub(crate) fn backward<T: Real>(s: PoolShape, dy: &[T]) -> Buffer<T> {
    let (input, output) = (s.input().max(1), s.output().max(1));
    let mut dx = Buffer::zeros(s.images * s.input());
    let tasks = dx.chunks_mut(TASK * input).zip(dy.chunks(TASK * output));
    for_each(tasks.collect(), |(dx, dy)| {
        for (dx, dy) in dx.chunks_exact_mut(input).zip(dy.chunks_exact(output)) {
            T::run(Backward { s, dy, dx });
        }
    });
    dx
}

struct Backward<'a, T> {
    s: PoolShape,
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> Kernel for Backward<'_, T> {
    #[inline(always)]
    fn run(self) {
        let (s, c, w) = (self.s, self.s.channels, self.s.width / 2);
        let quarter = T::from_f64(0.25);
        for (window, dy) in self.dy.chunks_exact(c).enumerate() {
            let (i, j) = (window / w, window % w);
            for corner in 0..4 {
                let to = &mut self.dx[s.corner(i, j, corner)..][..c];
                for (d, &g) in to.iter_mut().zip(dy) {
                    *d = g * quarter;
                }
            }
        }
    }
}
