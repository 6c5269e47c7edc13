//! 3x3 convolutions with stride 1 by minimal filtering, F(2x2, 3x3): 16 multiplications for four
//! places of the output in place of 36 (Winograd 1980, chapter 5; Lavin and Gray 2016, section 4.1).
//!
//! A tile is 2x2 places of the output, and its window the 4x4 places of the image that they come
//! from. In the basis of [`basis`] windows, weights and tiles have 16 planes, and the convolution is
//! a matrix product in each. A tile's places outside of the output are left out. The gradient of
//! the weights takes the way back: the gradients of a tile are spread over the planes, and the sums
//! of products in the planes collected into 3x3.

mod basis;

use super::patches::Patches;
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::product::{Left, Onto, product};
use crate::cpu::real::Real;
use basis::{Collect, Grid, Join, Spread, Transform, Weights, Windows};

/// Matrix products that a convolution becomes.
const PLANES: usize = 16;

/// Tiles whose products are taken together, about: those of several images where one has few.
const ROWS: usize = 48;

/// Channels that a convolution must have on either side: what fills a vector. With fewer, the way into
/// the planes and back is long beside the products.
const CHANNELS: usize = 16;

/// A convolution in tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    /// With zeros around the images for the windows of all tiles.
    patches: Patches,
    inputs: usize,
    outputs: usize,
    /// Places of the output, down and across.
    places: [usize; 2],
    /// Tiles of an image, down and across.
    tiles: [usize; 2],
    /// Images that are taken together.
    images: usize,
}

/// Room for what is computed on the way.
pub(super) struct Room<T> {
    frame: Buffer<T>,
    windows: Buffer<T>,
    tiles: Buffer<T>,
}

impl Tiles {
    /// Of the convolution over `patches` of so many channels, if it is one for which this pays.
    pub(super) fn of(patches: Patches, [inputs, outputs]: [usize; 2]) -> Option<Self> {
        let places = <[usize; 2]>::from(patches.output());
        let tiles = places.map(|n| n.div_ceil(2));
        let [ours, direct] = [PLANES * tiles[0] * tiles[1], 9 * places[0] * places[1]];
        // Of 3x3 places, say, so many tiles hang over the edge that nothing is gained.
        let pays = inputs.min(outputs) >= CHANNELS && 4 * ours <= 3 * direct;
        let patches = patches.with_whole_tiles()?;
        pays.then(|| Self {
            patches,
            inputs,
            outputs,
            places,
            tiles,
            images: ROWS.div_ceil(tiles[0] * tiles[1]),
        })
    }

    /// Tiles of an image.
    fn count(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Numbers in the output of an image.
    fn output(&self) -> usize {
        self.places[0] * self.places[1] * self.outputs
    }

    /// Numbers from one plane of windows or tiles to the next: an odd number of lines, because what
    /// lies a power of two apart falls on the same few lines of the cache.
    fn plane(&self, channels: usize) -> usize {
        16 * ((self.images * self.count() * channels).div_ceil(16) | 1)
    }

    /// Room for what the other functions compute on their way.
    pub(super) fn room<T: Real>(&self) -> Room<T> {
        Room {
            frame: Buffer::zeros(self.patches.room()),
            windows: Buffer::unspecified(PLANES * self.plane(self.inputs)),
            tiles: Buffer::unspecified(PLANES * self.plane(self.outputs)),
        }
    }

    /// Where the tiles lie in the planes.
    fn in_planes(&self, channels: usize) -> Grid {
        let plane = self.plane(channels);
        Grid::whole([self.tiles[1] * channels, channels], [4 * plane, plane])
    }

    /// Where the tiles lie in the output.
    fn in_output(&self) -> Grid {
        let line = self.places[1] * self.outputs;
        Grid {
            there: self.places,
            ..Grid::whole([2 * line, 2 * self.outputs], [line, self.outputs])
        }
    }

    /// The images' windows in the planes.
    fn windows<T: Real>(&self, x: &[T], room: &mut Room<T>) {
        let line = self.patches.framed_width() * self.inputs;
        let in_frame = Grid::whole([2 * line, 2 * self.inputs], [line, self.inputs]);
        for (i, x) in x.chunks_exact(self.patches.pixels()).enumerate() {
            let windows = &mut room.windows[i * self.count() * self.inputs..];
            let transform = Transform {
                basis: Windows,
                count: self.tiles,
                channels: self.inputs,
                from: (self.patches.frame(x, &mut room.frame), in_frame),
                to: (windows, self.in_planes(self.inputs)),
                onto: None,
            };
            transform.run();
        }
    }

    /// `[9, inputs, outputs]` in the planes, `[16, inputs, outputs]`.
    pub(super) fn weights<T: Real>(&self, weight: &[T]) -> Buffer<T> {
        let channels = self.inputs * self.outputs;
        let mut planes = Buffer::unspecified(PLANES * channels);
        let transform = Transform {
            basis: Weights,
            count: [1, 1],
            channels,
            from: (weight, Grid::whole([0, 0], [3 * channels, channels])),
            to: (&mut planes, Grid::whole([0, 0], [4 * channels, channels])),
            onto: None,
        };
        transform.run();
        planes
    }

    /// `out = conv(x, W) + onto` for whole images, with the [weights](Self::weights) in the planes
    /// and a number of `onto` for each channel.
    pub(super) fn apply<T: Real>(
        &self,
        x: &[T],
        weights: &[T],
        onto: Option<&[T]>,
        room: &mut Room<T>,
        out: &mut [T],
    ) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let images = x.chunks(self.images * self.patches.pixels());
        for (x, out) in images.zip(out.chunks_mut(self.images * self.output())) {
            self.windows(x, room);
            let rows = x.len() / self.patches.pixels() * self.count();
            let windows = room.windows.chunks_exact(self.plane(inputs));
            let tiles = room.tiles.chunks_exact_mut(self.plane(outputs));
            let planes = weights.chunks_exact(inputs * outputs);
            for ((windows, weights), tiles) in windows.zip(planes).zip(tiles) {
                product(
                    &mut ColumnsMut::whole(&mut tiles[..rows * outputs], outputs),
                    Left::row_major(windows, rows, inputs),
                    Columns::whole(weights, outputs),
                    Onto::Nothing,
                );
            }
            for (i, out) in out.chunks_exact_mut(self.output()).enumerate() {
                let transform = Transform {
                    basis: Join,
                    count: self.tiles,
                    channels: outputs,
                    from: (
                        &room.tiles[i * self.count() * outputs..],
                        self.in_planes(outputs),
                    ),
                    to: (out, self.in_output()),
                    onto,
                };
                transform.run();
            }
        }
    }

    /// Adds to `sums`, `[16, inputs, outputs]`, in the planes, the gradient of the weights that
    /// whole images have with the gradients `d` of their output.
    pub(super) fn add_gradient<T: Real>(
        &self,
        x: &[T],
        d: &[T],
        room: &mut Room<T>,
        sums: &mut [T],
    ) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let images = x.chunks(self.images * self.patches.pixels());
        for (x, d) in images.zip(d.chunks(self.images * self.output())) {
            self.windows(x, room);
            for (i, d) in d.chunks_exact(self.output()).enumerate() {
                let tiles = &mut room.tiles[i * self.count() * outputs..];
                let transform = Transform {
                    basis: Spread,
                    count: self.tiles,
                    channels: outputs,
                    from: (d, self.in_output()),
                    to: (tiles, self.in_planes(outputs)),
                    onto: None,
                };
                transform.run();
            }
            let rows = x.len() / self.patches.pixels() * self.count();
            let windows = room.windows.chunks_exact(self.plane(inputs));
            let tiles = room.tiles.chunks_exact(self.plane(outputs));
            let planes = sums.chunks_exact_mut(inputs * outputs);
            for ((windows, tiles), sums) in windows.zip(tiles).zip(planes) {
                product(
                    &mut ColumnsMut::whole(sums, outputs),
                    Left::transposed(windows, rows, inputs),
                    Columns::whole(&tiles[..rows * outputs], outputs),
                    Onto::Itself,
                );
            }
        }
    }

    /// The gradient of the weights, `[9, inputs, outputs]`, from its sums in the planes.
    pub(super) fn gradient<T: Real>(&self, sums: &[T], weight: &mut [T]) {
        let channels = self.inputs * self.outputs;
        let transform = Transform {
            basis: Collect,
            count: [1, 1],
            channels,
            from: (sums, Grid::whole([0, 0], [4 * channels, channels])),
            to: (weight, Grid::whole([0, 0], [3 * channels, channels])),
            onto: None,
        };
        transform.run();
    }

    /// Zeros to [add gradients](Self::add_gradient) to.
    pub(super) fn sums<T: Real>(&self) -> Buffer<T> {
        Buffer::zeros(PLANES * self.inputs * self.outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::block::Image;
    use crate::geometry::{Geometry, Padding};

    fn tiles(side: usize, geometry: Geometry, channels: [usize; 2]) -> Option<Tiles> {
        let image = Image {
            height: side,
            width: side,
            geometry,
        };
        Tiles::of(Patches::new(image, channels[0]), channels)
    }

    #[test]
    fn convolutions_that_gain_are_taken_in_tiles() {
        let same = Geometry::same(3);
        let cases = [
            // Few tiles an image, the second convolution of an MNIST net, and an odd size.
            (tiles(4, same, [16, 32]), Some(([2, 2], 12))),
            (tiles(14, same, [32, 64]), Some(([7, 7], 1))),
            (tiles(7, same, [16, 16]), Some(([4, 4], 3))),
            // Too much of the tiles hangs over.
            (tiles(1, same, [64, 64]), None),
            (tiles(3, same, [64, 64]), None),
            // Too few channels, another kernel, a stride.
            (tiles(28, same, [1, 32]), None),
            (tiles(28, same, [32, 15]), None),
            (tiles(14, Geometry::same(5), [32, 64]), None),
            (tiles(14, Geometry { stride: 2, ..same }, [32, 64]), None),
        ];
        for (i, (tiles, expected)) in cases.into_iter().enumerate() {
            let found = tiles.map(|tiles| (tiles.tiles, tiles.images));
            assert_eq!(found, expected, "case {i}");
        }
        let valid = Geometry {
            padding: Padding::Valid,
            ..same
        };
        let tiles = tiles(9, valid, [16, 16]).expect("7x7 places gain");
        assert_eq!((tiles.places, tiles.tiles), ([7, 7], [4, 4]));
    }

    #[test]
    fn planes_do_not_lie_a_multiple_of_a_page_apart() {
        for (side, channels) in [(16, 32), (32, 64), (64, 16)] {
            let tiles = tiles(side, Geometry::same(3), [channels; 2]).expect("it gains");
            assert_eq!(tiles.plane(channels) / 16 % 2, 1, "{side}, {channels}");
            let rows = tiles.images * tiles.count();
            assert!(tiles.plane(channels) >= rows * channels);
        }
    }
}
