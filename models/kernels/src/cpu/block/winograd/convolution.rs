//! Winograd convolution F(2x2, 3x3), for 3x3 kernels with stride 1: 16 multiplications for four output
//! pixels instead of 36 (Winograd 1980, chapter 5; Lavin and Gray 2016, section 4.1).
//!
//! A tile has 2x2 output pixels, and its window the 4x4 input pixels that they depend on. In the
//! Winograd domain windows, weights and tiles have 16 planes, and the convolution is one matrix
//! product per plane. Pixels of a tile beyond the output are left out. The weight gradient takes the
//! transposed steps: output gradients of tiles are transformed to the planes, and the sums of
//! products in the planes are transformed to 3x3 weights.

use super::transform::{
    InputTransform, KernelGradientTransform, KernelTransform, OutputGradientTransform,
    OutputTransform, TileGrid, Transform,
};
use crate::cpu::block::patches::Patches;
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::product::{Addend, LeftOperand, product};
use crate::cpu::real::Real;

/// Planes of the Winograd domain: values in a window.
const PLANES: usize = 16;

/// Smallest number of tiles per matrix product; several images are taken together if one has fewer.
const ROWS: usize = 48;

/// Smallest number of input and output channels. With fewer, the transforms take too long compared
/// with the products.
const MIN_CHANNELS: usize = 16;

/// A convolution by the Winograd algorithm.
#[derive(Clone, Copy, Debug)]
pub(in crate::cpu::block) struct WinogradConv {
    /// With enough zero padding for the windows of all tiles.
    patches: Patches,
    inputs: usize,
    outputs: usize,
    /// Output pixels, down and across.
    pixels: [usize; 2],
    /// Tiles per image, down and across.
    tiles: [usize; 2],
    /// Images per matrix product.
    images: usize,
}

/// Memory for intermediate results.
pub(in crate::cpu::block) struct WinogradWorkspace<T> {
    padded: Buffer<T>,
    windows: Buffer<T>,
    tiles: Buffer<T>,
}

impl WinogradConv {
    /// The algorithm for a convolution over `patches`, if it is faster than the direct product.
    pub(in crate::cpu::block) fn new(
        patches: Patches,
        [inputs, outputs]: [usize; 2],
    ) -> Option<Self> {
        let pixels = <[usize; 2]>::from(patches.output());
        let tiles = pixels.map(|n| n.div_ceil(2));
        let [winograd, direct] = [PLANES * tiles[0] * tiles[1], 9 * pixels[0] * pixels[1]];
        // Small outputs such as 3x3 waste too much of the tiles at the edge.
        let pays = inputs.min(outputs) >= MIN_CHANNELS && 4 * winograd <= 3 * direct;
        let patches = patches.with_whole_tiles()?;
        pays.then(|| Self {
            patches,
            inputs,
            outputs,
            pixels,
            tiles,
            images: ROWS.div_ceil(tiles[0] * tiles[1]),
        })
    }

    /// Number of tiles per image.
    fn count(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Values in the output of an image.
    fn output(&self) -> usize {
        self.pixels[0] * self.pixels[1] * self.outputs
    }

    /// Stride from one plane of windows or tiles to the next. An odd number of cache lines, because
    /// addresses a power of two apart map to the same few cache sets.
    fn plane(&self, channels: usize) -> usize {
        16 * ((self.images * self.count() * channels).div_ceil(16) | 1)
    }

    /// Memory for intermediate results.
    pub(in crate::cpu::block) fn workspace<T: Real>(&self) -> WinogradWorkspace<T> {
        WinogradWorkspace {
            padded: Buffer::zeros(self.patches.padded_image()),
            windows: Buffer::unspecified(PLANES * self.plane(self.inputs)),
            tiles: Buffer::unspecified(PLANES * self.plane(self.outputs)),
        }
    }

    /// Layout of windows or tiles in the planes.
    fn plane_grid(&self, channels: usize) -> TileGrid {
        let plane = self.plane(channels);
        TileGrid::whole([self.tiles[1] * channels, channels], [4 * plane, plane])
    }

    /// Layout of the tiles in the output.
    fn output_grid(&self) -> TileGrid {
        let row = self.pixels[1] * self.outputs;
        TileGrid {
            extent: self.pixels,
            ..TileGrid::whole([2 * row, 2 * self.outputs], [row, self.outputs])
        }
    }

    /// Transforms the windows of images to the planes.
    fn transform_input<T: Real>(&self, x: &[T], workspace: &mut WinogradWorkspace<T>) {
        let row = self.patches.padded_width() * self.inputs;
        let padded_grid = TileGrid::whole([2 * row, 2 * self.inputs], [row, self.inputs]);
        for (i, x) in x.chunks_exact(self.patches.image()).enumerate() {
            let windows = &mut workspace.windows[i * self.count() * self.inputs..];
            let transform = Transform {
                map: InputTransform,
                count: self.tiles,
                channels: self.inputs,
                from: (self.patches.pad(x, &mut workspace.padded), padded_grid),
                to: (windows, self.plane_grid(self.inputs)),
                addend: None,
            };
            transform.run();
        }
    }

    /// Transforms weights `[9, inputs, outputs]` to the planes, `[16, inputs, outputs]`.
    pub(in crate::cpu::block) fn transform_weights<T: Real>(&self, weight: &[T]) -> Buffer<T> {
        let channels = self.inputs * self.outputs;
        let mut planes = Buffer::unspecified(PLANES * channels);
        let transform = Transform {
            map: KernelTransform,
            count: [1, 1],
            channels,
            from: (weight, TileGrid::whole([0, 0], [3 * channels, channels])),
            to: (
                &mut planes,
                TileGrid::whole([0, 0], [4 * channels, channels]),
            ),
            addend: None,
        };
        transform.run();
        planes
    }

    /// `out = conv(x, W) + bias` for whole images, with [transformed](Self::transform_weights) weights.
    pub(in crate::cpu::block) fn apply<T: Real>(
        &self,
        x: &[T],
        weights: &[T],
        bias: Option<&[T]>,
        workspace: &mut WinogradWorkspace<T>,
        out: &mut [T],
    ) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let images = x.chunks(self.images * self.patches.image());
        for (x, out) in images.zip(out.chunks_mut(self.images * self.output())) {
            self.transform_input(x, workspace);
            let rows = x.len() / self.patches.image() * self.count();
            let windows = workspace.windows.chunks_exact(self.plane(inputs));
            let tiles = workspace.tiles.chunks_exact_mut(self.plane(outputs));
            let planes = weights.chunks_exact(inputs * outputs);
            for ((windows, weights), tiles) in windows.zip(planes).zip(tiles) {
                product(
                    &mut ColumnsMut::whole(&mut tiles[..rows * outputs], outputs),
                    LeftOperand::row_major(windows, rows, inputs),
                    Columns::whole(weights, outputs),
                    Addend::None,
                );
            }
            for (i, out) in out.chunks_exact_mut(self.output()).enumerate() {
                let transform = Transform {
                    map: OutputTransform,
                    count: self.tiles,
                    channels: outputs,
                    from: (
                        &workspace.tiles[i * self.count() * outputs..],
                        self.plane_grid(outputs),
                    ),
                    to: (out, self.output_grid()),
                    addend: bias,
                };
                transform.run();
            }
        }
    }

    /// Adds the weight gradient of whole images with output gradients `d` to `sums`, `[16, inputs,
    /// outputs]` in the planes.
    pub(in crate::cpu::block) fn add_gradient<T: Real>(
        &self,
        x: &[T],
        d: &[T],
        workspace: &mut WinogradWorkspace<T>,
        sums: &mut [T],
    ) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let images = x.chunks(self.images * self.patches.image());
        for (x, d) in images.zip(d.chunks(self.images * self.output())) {
            self.transform_input(x, workspace);
            for (i, d) in d.chunks_exact(self.output()).enumerate() {
                let tiles = &mut workspace.tiles[i * self.count() * outputs..];
                let transform = Transform {
                    map: OutputGradientTransform,
                    count: self.tiles,
                    channels: outputs,
                    from: (d, self.output_grid()),
                    to: (tiles, self.plane_grid(outputs)),
                    addend: None,
                };
                transform.run();
            }
            let rows = x.len() / self.patches.image() * self.count();
            let windows = workspace.windows.chunks_exact(self.plane(inputs));
            let tiles = workspace.tiles.chunks_exact(self.plane(outputs));
            let planes = sums.chunks_exact_mut(inputs * outputs);
            for ((windows, tiles), sums) in windows.zip(tiles).zip(planes) {
                product(
                    &mut ColumnsMut::whole(sums, outputs),
                    LeftOperand::transposed(windows, rows, inputs),
                    Columns::whole(&tiles[..rows * outputs], outputs),
                    Addend::Output,
                );
            }
        }
    }

    /// Transforms the sums in the planes to the weight gradient, `[9, inputs, outputs]`.
    pub(in crate::cpu::block) fn finish_gradient<T: Real>(&self, sums: &[T], weight: &mut [T]) {
        let channels = self.inputs * self.outputs;
        let transform = Transform {
            map: KernelGradientTransform,
            count: [1, 1],
            channels,
            from: (sums, TileGrid::whole([0, 0], [4 * channels, channels])),
            to: (weight, TileGrid::whole([0, 0], [3 * channels, channels])),
            addend: None,
        };
        transform.run();
    }

    /// Zeros to which [`Self::add_gradient`] adds.
    pub(in crate::cpu::block) fn gradient_sums<T: Real>(&self) -> Buffer<T> {
        Buffer::zeros(PLANES * self.inputs * self.outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::block::shape::ImageShape;
    use crate::geometry::{Geometry, Padding};

    fn winograd(side: usize, geometry: Geometry, channels: [usize; 2]) -> Option<WinogradConv> {
        let image = ImageShape {
            height: side,
            width: side,
            geometry,
        };
        WinogradConv::new(Patches::new(image, channels[0]), channels)
    }

    #[test]
    fn winograd_is_chosen_where_it_is_faster() {
        let same = Geometry::same(3);
        let cases = [
            // Few tiles per image, the second convolution of an MNIST net, and an odd size.
            (winograd(4, same, [16, 32]), Some(([2, 2], 12))),
            (winograd(14, same, [32, 64]), Some(([7, 7], 1))),
            (winograd(7, same, [16, 16]), Some(([4, 4], 3))),
            // Too much of the tiles lies beyond the output.
            (winograd(1, same, [64, 64]), None),
            (winograd(3, same, [64, 64]), None),
            // Too few channels, another kernel, a stride.
            (winograd(28, same, [1, 32]), None),
            (winograd(28, same, [32, 15]), None),
            (winograd(14, Geometry::same(5), [32, 64]), None),
            (winograd(14, Geometry { stride: 2, ..same }, [32, 64]), None),
        ];
        for (i, (conv, expected)) in cases.into_iter().enumerate() {
            let found = conv.map(|conv| (conv.tiles, conv.images));
            assert_eq!(found, expected, "case {i}");
        }
        let valid = Geometry {
            padding: Padding::Valid,
            ..same
        };
        let conv = winograd(9, valid, [16, 16]).expect("faster for 7x7 pixels");
        assert_eq!((conv.pixels, conv.tiles), ([7, 7], [4, 4]));
    }

    #[test]
    fn plane_stride_is_odd_number_of_cache_lines() {
        for (side, channels) in [(16, 32), (32, 64), (64, 16)] {
            let conv = winograd(side, Geometry::same(3), [channels; 2]).expect("faster");
            assert_eq!(conv.plane(channels) / 16 % 2, 1, "{side}, {channels}");
            let rows = conv.images * conv.count();
            assert!(conv.plane(channels) >= rows * channels);
        }
    }
}
