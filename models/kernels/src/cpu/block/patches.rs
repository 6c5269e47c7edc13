//! Patches of a convolution. They are never copied (im2col is implicit): in a zero-padded image a
//! patch is a few contiguous segments, and patches have a constant stride.

use super::shape::ImageShape;
use crate::cpu::kernel::Kernel;
use crate::cpu::product::{LeftOperand, Strided};
use crate::cpu::real::Real;
use crate::cpu::transpose::transpose;

/// A kernel that moves over zero-padded images of `height` by `width` pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patches {
    height: usize,
    width: usize,
    channels: usize,
    kernel: usize,
    stride: usize,
    /// Zeros before the first and after the last pixel, in each direction.
    padding: (usize, usize),
}

impl Patches {
    /// The patches of a convolution over `channels` channels.
    pub(super) fn new(image: ImageShape, channels: usize) -> Self {
        Self {
            height: image.height,
            width: image.width,
            channels,
            kernel: image.geometry.kernel,
            stride: image.geometry.stride,
            padding: image.geometry.around(),
        }
    }

    /// The patches of the output gradient, of `outputs` channels. Their product with the
    /// [flipped](flip) weights is the gradient of the input. `None` if the stride is not 1.
    pub(super) fn of_gradient(&self, outputs: usize) -> Option<Self> {
        let (before, after) = self.padding;
        let (height, width) = self.output();
        (self.stride == 1).then(|| Self {
            height,
            width,
            channels: outputs,
            padding: (self.kernel - 1 - before, self.kernel - 1 - after),
            ..*self
        })
    }

    /// The same patches with enough padding for an even output, in whole 2x2 tiles. `None` unless the
    /// kernel is 3x3 with stride 1.
    pub(super) fn with_whole_tiles(&self) -> Option<Self> {
        let (height, width) = self.output();
        let (before, after) = self.padding;
        let more = (height % 2).max(width % 2);
        (self.kernel == 3 && self.stride == 1).then_some(Self {
            padding: (before, after + more),
            ..*self
        })
    }

    /// Number of patches per image, down and across.
    pub(super) fn output(&self) -> (usize, usize) {
        let (before, after) = self.padding;
        let size = |n: usize| match (before + n + after).checked_sub(self.kernel) {
            Some(rest) => rest / self.stride + 1,
            None => 0,
        };
        (size(self.height), size(self.width))
    }

    /// Number of patches per image.
    pub(super) fn count(&self) -> usize {
        let (height, width) = self.output();
        height * width
    }

    /// Values in an image.
    pub(super) fn image(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values in a patch.
    pub(super) fn patch(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    /// Width of a padded image, in pixels.
    pub(super) fn padded_width(&self) -> usize {
        self.padding.0 + self.width + self.padding.1
    }

    /// Values in a padded image; 0 without padding.
    pub(super) fn padded_image(&self) -> usize {
        let (before, after) = self.padding;
        match before + after {
            0 => 0,
            padding => (self.height + padding) * self.padded_width() * self.channels,
        }
    }

    /// The image `x` with zero padding. `workspace` has [`Self::padded_image`] values, which are zeros or
    /// an image padded before.
    pub(super) fn pad<'a, T: Real>(&self, x: &'a [T], workspace: &'a mut [T]) -> &'a [T] {
        if workspace.is_empty() {
            return x;
        }
        let row = self.width * self.channels;
        let (before, _) = self.padding;
        let padded = workspace.chunks_exact_mut(self.padded_width() * self.channels);
        for (x, padded) in x.chunks_exact(row).zip(padded.skip(before)) {
            padded[before * self.channels..][..row].copy_from_slice(x);
        }
        workspace
    }

    /// [`Self::pad`] for several images. `workspace` has memory for at least as many padded images.
    pub(super) fn pad_all<'a, T: Real>(&self, x: &'a [T], workspace: &'a mut [T]) -> &'a [T] {
        let size = self.padded_image();
        if size == 0 {
            return x;
        }
        let images = x.chunks_exact(self.image());
        let count = images.len();
        for (x, padded) in images.zip(workspace.chunks_exact_mut(size)) {
            self.pad(x, padded);
        }
        &workspace[..count * size]
    }

    /// Number of images whose patches are multiplied at a time, so that small images share the
    /// overhead of a product and their padded copies stay in the L1 cache.
    pub(super) fn images_per_product<T>(&self) -> usize {
        const BYTES: usize = 16 << 10;
        const MOST: usize = 16;
        let image = self.image().max(self.padded_image()) * size_of::<T>();
        (BYTES / image.max(1)).clamp(1, MOST)
    }

    /// The patches of padded images as a matrix `[images * patches, patch]`.
    pub(super) fn rows<'a, T>(&self, padded: &'a [T]) -> LeftOperand<'a, T> {
        let [patches, values] = self.strides();
        let image = match self.padded_image() {
            0 => self.image(),
            size => size,
        };
        let images = Strided::new(padded.len() / image, image);
        LeftOperand::of_images(padded, images, patches, values)
    }

    /// The transpose of [`Self::rows`], `[patch, patches]`.
    pub(super) fn columns<'a, T>(&self, padded: &'a [T]) -> LeftOperand<'a, T> {
        let [patches, values] = self.strides();
        LeftOperand::new(padded, values, patches)
    }

    /// Dimensions of the patches (rows of patches, patches of a row) and of the values of a patch (rows
    /// of the kernel, contiguous values of a row).
    fn strides(&self) -> [[Strided; 2]; 2] {
        let (height, width) = self.output();
        let row = self.padded_width() * self.channels;
        [
            [
                Strided::new(height, self.stride * row),
                Strided::new(width, self.stride * self.channels),
            ],
            [
                Strided::new(self.kernel, row),
                Strided::new(self.kernel * self.channels, 1),
            ],
        ]
    }

    /// Adds the values of `patches`, `[patches, patch]`, to their pixels in the image `dx` (col2im).
    pub(super) fn scatter<T: Real>(&self, patches: &[T], dx: &mut [T]) {
        T::run(Scatter {
            patches: *self,
            from: patches,
            dx,
        });
    }

    /// The range of the kernel that lies inside an image of `size` at output position `at`, along one
    /// direction: start and end in the kernel, and the image position of the start.
    #[inline(always)]
    fn inside(&self, at: usize, size: usize) -> (usize, usize, usize) {
        let before = self.padding.0;
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
                    let row = rows.next().expect("a patch has all rows of the kernel");
                    if ky < top || ky >= bottom || left == right {
                        continue;
                    }
                    let start = ((first + ky - top) * patches.width + column) * c;
                    let row = &row[left * c..right * c];
                    for (d, &p) in dx[start..start + row.len()].iter_mut().zip(row) {
                        *d += p;
                    }
                }
            }
        }
    }
}

/// Flips weights `[patch, outputs]` to the kernel `[kernel * kernel * outputs, inputs]` that maps the
/// output gradient to the input gradient: positions reversed, inputs and outputs exchanged.
pub(super) fn flip<T: Real>(weight: &[T], inputs: usize, outputs: usize, out: &mut [T]) {
    let size = inputs * outputs;
    let positions = weight.chunks_exact(size).rev();
    for (from, to) in positions.zip(out.chunks_exact_mut(size)) {
        transpose(from, outputs, to);
    }
}
