//! The patches of a convolution. They are never written out: once there are zeros around an image,
//! a patch is a few stretches of it, and patches are evenly spaced.

use super::Image;
use crate::cpu::product::{Left, Spaced};
use crate::cpu::real::Real;
use crate::cpu::transpose::transpose;
use crate::cpu::vector::Kernel;

/// A kernel that moves over images of `height` by `width` places with zeros around them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patches {
    height: usize,
    width: usize,
    channels: usize,
    kernel: usize,
    stride: usize,
    /// Zeros before the first and after the last place, in each direction.
    around: (usize, usize),
}

impl Patches {
    /// The patches of the images that a convolution takes.
    pub(super) fn new(image: Image, channels: usize) -> Self {
        Self {
            height: image.height,
            width: image.width,
            channels,
            kernel: image.geometry.kernel,
            stride: image.geometry.stride,
            around: image.geometry.around(),
        }
    }

    /// The patches of the gradient of the output, of `outputs` channels, whose product with the
    /// [turned](turn) weights is the gradient of the input; none where patches skip places.
    pub(super) fn of_gradient(&self, outputs: usize) -> Option<Self> {
        let (before, after) = self.around;
        let (height, width) = self.output();
        let whole = self.stride == 1;
        whole.then(|| Self {
            height,
            width,
            channels: outputs,
            around: (self.kernel - 1 - before, self.kernel - 1 - after),
            ..*self
        })
    }

    /// The same with zeros on for as long as it takes for 2x2 patches side by side to have all of
    /// theirs; none unless the kernel is one of 3x3 that skips no place.
    pub(super) fn with_whole_tiles(&self) -> Option<Self> {
        let (height, width) = self.output();
        let (before, after) = self.around;
        let more = (height % 2).max(width % 2);
        (self.kernel == 3 && self.stride == 1).then_some(Self {
            around: (before, after + more),
            ..*self
        })
    }

    /// Patches of one image, in each direction.
    pub(super) fn output(&self) -> (usize, usize) {
        let (before, after) = self.around;
        let size = |n: usize| match (before + n + after).checked_sub(self.kernel) {
            Some(rest) => rest / self.stride + 1,
            None => 0,
        };
        (size(self.height), size(self.width))
    }

    /// Patches of one image.
    pub(super) fn places(&self) -> usize {
        let (height, width) = self.output();
        height * width
    }

    /// Numbers in one image.
    pub(super) fn pixels(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Numbers in one patch.
    pub(super) fn patch(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    /// Places in a line of an image with the zeros around it.
    pub(super) fn framed_width(&self) -> usize {
        self.around.0 + self.width + self.around.1
    }

    /// Numbers that [`Self::frame`] needs room for; none where nothing is around the images.
    pub(super) fn room(&self) -> usize {
        let (before, after) = self.around;
        match before + after {
            0 => 0,
            around => (self.height + around) * self.framed_width() * self.channels,
        }
    }

    /// The image `x` with zeros around it. The room has the size of [`Self::room`] and holds zeros,
    /// or an image framed before.
    pub(super) fn frame<'a, T: Real>(&self, x: &'a [T], room: &'a mut [T]) -> &'a [T] {
        if room.is_empty() {
            return x;
        }
        let line = self.width * self.channels;
        let (before, _) = self.around;
        let framed = room.chunks_exact_mut(self.framed_width() * self.channels);
        for (x, framed) in x.chunks_exact(line).zip(framed.skip(before)) {
            framed[before * self.channels..][..line].copy_from_slice(x);
        }
        room
    }

    /// The patches of a framed image, `[places, patch]`.
    pub(super) fn rows<'a, T>(&self, framed: &'a [T]) -> Left<'a, T> {
        let [places, numbers] = self.spacing();
        Left::new(framed, places, numbers)
    }

    /// The patches of a framed image, `[patch, places]`.
    pub(super) fn columns<'a, T>(&self, framed: &'a [T]) -> Left<'a, T> {
        let [places, numbers] = self.spacing();
        Left::new(framed, numbers, places)
    }

    /// Lines of patches and the patches of a line; rows of the kernel and the numbers of a row,
    /// which are neighbours in the image.
    fn spacing(&self) -> [[Spaced; 2]; 2] {
        let (height, width) = self.output();
        let line = self.framed_width() * self.channels;
        [
            [
                Spaced::new(height, self.stride * line),
                Spaced::new(width, self.stride * self.channels),
            ],
            [
                Spaced::new(self.kernel, line),
                Spaced::new(self.kernel * self.channels, 1),
            ],
        ]
    }

    /// Adds `patches`, `[places, patch]` row by row, to where they come from in the image `dx`.
    pub(super) fn scatter<T: Real>(&self, patches: &[T], dx: &mut [T]) {
        T::run(Scatter {
            patches: *self,
            from: patches,
            dx,
        });
    }

    /// The part of a kernel's row at output place `at` (along one direction) that is inside an
    /// image of `size`: the first and the end in the kernel, and where the first is in the image.
    #[inline(always)]
    fn inside(&self, at: usize, size: usize) -> (usize, usize, usize) {
        let before = self.around.0;
        let start = at * self.stride;
        let from = before.saturating_sub(start).min(self.kernel);
        let to = (size + before).saturating_sub(start).min(self.kernel);
        (from, to.max(from), (start + from).saturating_sub(before))
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
        let c = patches.channels;
        let mut rows = from.chunks_exact(patches.kernel * c);
        let (height, width) = patches.output();
        for i in 0..height {
            let (top, bottom, first) = patches.inside(i, patches.height);
            for j in 0..width {
                let (left, right, column) = patches.inside(j, patches.width);
                for ky in 0..patches.kernel {
                    let row = rows
                        .next()
                        .expect("a row of patches for each of the kernel");
                    if ky < top || ky >= bottom || left == right {
                        continue;
                    }
                    let at = ((first + ky - top) * patches.width + column) * c;
                    let row = &row[left * c..right * c];
                    for (d, &p) in dx[at..at + row.len()].iter_mut().zip(row) {
                        *d += p;
                    }
                }
            }
        }
    }
}

/// The weights, `[patch, outputs]`, as the kernel that leads from the gradient of the output back
/// to that of the input, `[kernel * kernel * outputs, inputs]`: its places in the opposite order,
/// and inputs and outputs exchanged.
pub(super) fn turn<T: Real>(weight: &[T], inputs: usize, outputs: usize, out: &mut [T]) {
    let size = inputs * outputs;
    let places = weight.chunks_exact(size).rev();
    for (from, to) in places.zip(out.chunks_exact_mut(size)) {
        transpose(from, outputs, to);
    }
}
