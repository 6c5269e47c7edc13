//! Patches of images side by side, so that a convolution is a matrix product.

use super::Image;
use crate::ops::cpu::matmul::Matrix;
use crate::ops::cpu::real::Real;
use crate::ops::cpu::vector::Kernel;

/// How the patches of one image lie in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patches {
    image: Image,
    channels: usize,
    layout: Layout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// The patches are the image: one place each, at every place.
    Image,
    /// One patch a row. A kernel row's columns are neighbours in the patch and in the image alike.
    Rows,
    /// One patch a column, for images of one channel: the same corner of neighbouring patches are
    /// neighbours in the image.
    Columns,
}

impl Patches {
    pub(super) fn new(image: Image, channels: usize) -> Self {
        let geometry = image.geometry;
        let layout = match (geometry.kernel, geometry.stride, channels) {
            (1, 1, _) => Layout::Image,
            (_, _, 1) => Layout::Columns,
            _ => Layout::Rows,
        };
        Self {
            image,
            channels,
            layout,
        }
    }

    /// Numbers in one patch.
    fn patch(&self) -> usize {
        self.image.geometry.kernel.pow(2) * self.channels
    }

    /// Patches of one image.
    pub(super) fn places(&self) -> usize {
        let (height, width) = self.image.output();
        height * width
    }

    /// Numbers in one image.
    pub(super) fn pixels(&self) -> usize {
        self.image.height * self.image.width * self.channels
    }

    /// Numbers that [`Self::gather`] needs room for; none where the images themselves will do.
    pub(super) fn room(&self, images: usize) -> usize {
        match self.layout {
            Layout::Image => 0,
            Layout::Rows | Layout::Columns => images * self.places() * self.patch(),
        }
    }

    /// The patches of the images `x`, `[places, patch]`, for which there is `room`.
    pub(super) fn gather<'a, T: Real>(&self, x: &'a [T], room: &'a mut [T]) -> Matrix<'a, T> {
        let places = x.len() / self.pixels() * self.places();
        match self.layout {
            Layout::Image => return Matrix::new(x, places, self.patch()),
            Layout::Rows => T::run(GatherRows {
                patches: *self,
                x,
                out: &mut *room,
            }),
            Layout::Columns => T::run(GatherColumns {
                patches: *self,
                x,
                out: &mut *room,
            }),
        }
        self.matrix(room, places)
    }

    fn matrix<'a, T>(&self, values: &'a [T], places: usize) -> Matrix<'a, T> {
        match self.layout {
            Layout::Image | Layout::Rows => Matrix::new(values, places, self.patch()),
            Layout::Columns => Matrix::new(values, self.patch(), places).t(),
        }
    }

    /// The transpose of [`Self::gather`]: adds `patches`, `[places, patch]` row by row, to where
    /// they came from.
    pub(super) fn scatter<T: Real>(&self, patches: &[T], dx: &mut [T]) {
        T::run(Scatter {
            patches: *self,
            from: patches,
            dx,
        });
    }

    /// The part of a kernel row at output place `at` (along one direction) that is inside an image
    /// of `size`: the first and the end in the kernel, and where the first is in the image.
    #[inline(always)]
    fn inside(&self, at: usize, size: usize) -> (usize, usize, usize) {
        let geometry = self.image.geometry;
        let (before, _) = geometry.around();
        let start = at * geometry.stride;
        let from = before.saturating_sub(start).min(geometry.kernel);
        let to = (size + before).saturating_sub(start).min(geometry.kernel);
        (from, to.max(from), (start + from).saturating_sub(before))
    }
}

/// Runs `$body` for every row of every patch of `$images` images: `$row`, where it starts in the
/// patches; `$from` and `$to`, the part of it that is inside the image; and `$at`, where that part
/// starts in the images.
macro_rules! each_row {
    ($patches:expr, $images:expr, |$row:ident, $from:ident, $to:ident, $at:ident| $body:block) => {{
        let patches: Patches = $patches;
        let (k, c) = (patches.image.geometry.kernel, patches.channels);
        let (height, width) = patches.image.output();
        let mut $row = 0;
        for image in 0..$images {
            for i in 0..height {
                let (top, bottom, first) = patches.inside(i, patches.image.height);
                for j in 0..width {
                    let (left, right, column) = patches.inside(j, patches.image.width);
                    for ky in 0..k {
                        let there = ky >= top && ky < bottom;
                        let $from = left * c;
                        let $to = if there { right * c } else { left * c };
                        let line = image * patches.image.height + (first + ky).saturating_sub(top);
                        let $at = (line * patches.image.width + column) * c;
                        $body
                        $row += k * c;
                    }
                }
            }
        }
    }};
}

struct GatherRows<'a, T> {
    patches: Patches,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Kernel for GatherRows<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Self { patches, x, out } = self;
        let length = patches.image.geometry.kernel * patches.channels;
        each_row!(patches, x.len() / patches.pixels(), |row, from, to, at| {
            let out = &mut out[row..row + length];
            out[..from].fill(T::ZERO);
            let inside = &mut out[from..to];
            let n = inside.len();
            if n > 0 {
                for (o, &x) in inside.iter_mut().zip(&x[at..at + n]) {
                    *o = x;
                }
            }
            out[to..].fill(T::ZERO);
        });
    }
}

struct Scatter<'a, T> {
    patches: Patches,
    from: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> Kernel for Scatter<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Self { patches, from, dx } = self;
        each_row!(
            patches,
            dx.len() / patches.pixels(),
            |row, first, to, at| {
                let n = to - first;
                if n > 0 {
                    let p = &from[row + first..row + to];
                    for (d, &p) in dx[at..at + n].iter_mut().zip(p) {
                        *d += p;
                    }
                }
            }
        );
    }
}

/// Patches of one channel, one a column.
struct GatherColumns<'a, T> {
    patches: Patches,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Kernel for GatherColumns<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Self { patches, x, out } = self;
        let image = patches.image;
        let (k, stride) = (image.geometry.kernel, image.geometry.stride);
        let (before, _) = image.geometry.around();
        let (_, width) = image.output();
        let mut lines = out.chunks_exact_mut(width.max(1));
        for corner in 0..k * k {
            let (ky, kx) = (corner / k, corner % k);
            // Output columns whose input column, `column * stride + kx - before`, is inside.
            let from = before.saturating_sub(kx).div_ceil(stride).min(width);
            let to = (image.width + before).saturating_sub(kx).div_ceil(stride);
            let to = to.clamp(from, width);
            for pixels in x.chunks_exact(patches.pixels()) {
                for i in 0..image.output().0 {
                    let out = lines.next().expect("a line of patches for each line");
                    let line = (i * stride + ky).checked_sub(before);
                    let Some(line) = line.filter(|&line| line < image.height) else {
                        out.fill(T::ZERO);
                        continue;
                    };
                    out[..from].fill(T::ZERO);
                    out[to..].fill(T::ZERO);
                    if from < to {
                        let first = line * image.width + from * stride + kx - before;
                        let inside = pixels[first..].iter().step_by(stride);
                        for (o, &x) in out[from..to].iter_mut().zip(inside) {
                            *o = x;
                        }
                    }
                }
            }
        }
    }
}
