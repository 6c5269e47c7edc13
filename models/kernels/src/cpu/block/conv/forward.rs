//! Forward pass of convolution blocks.

use super::context::ConvContext;
use crate::cpu::block::convolution::WeightedConv;
use crate::cpu::block::shape::{BlockShape, ImageShape};
use crate::cpu::block::tiles::{TileMoments, equal_parts};
use crate::cpu::block::types::{Forward, Parameters, Saved, channel_slice, norm_channels};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::epilogue::{self, Channels, ColumnBlock, Pooled};
use crate::cpu::parallel::for_each;
use crate::cpu::real::Real;
use crate::spec::EpilogueSpec;

/// A tile of one replica.
struct Tile<'a, T> {
    /// Index of the tile in the replica.
    i: usize,
    x: &'a [T],
    /// Memory for the product; empty if it is not kept.
    z: &'a mut [T],
    out: TileOutput<'a, T>,
}

/// Results of a tile.
struct TileOutput<'a, T> {
    y: &'a mut [T],
    /// Dropout mask; empty without dropout.
    kept: &'a mut [u8],
    /// The norm's input at the corners that hold the windows' maxima; empty without pooling.
    argmax: &'a mut [T],
}

impl<T> TileOutput<'_, T> {
    /// The output of the pooling, in `c` channels.
    fn pooled(&mut self, c: usize) -> Pooled<'_, T> {
        Pooled::whole(self.y, self.argmax, c)
    }
}

pub(in crate::cpu::block) fn forward<T: Real>(
    s: &BlockShape,
    image: ImageShape,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
) -> Forward<T> {
    let context = ConvContext::new(s, image, p, epilogue);
    let n = s.replicas;
    let mut y = Buffer::unspecified(n * s.output_rows(epilogue) * s.outputs);
    let mut saved = Saved::new(s, epilogue);
    let arrays = equal_parts(&mut y, n)
        .zip(equal_parts(&mut saved.z, n))
        .zip(equal_parts(&mut saved.kept, n))
        .zip(equal_parts(&mut saved.argmax, n))
        .zip(equal_parts(&mut saved.mean, n))
        .zip(equal_parts(&mut saved.variance, n));
    let replicas = x.chunks(s.input().max(1)).zip(arrays).enumerate().collect();
    for_each(
        replicas,
        |(r, (x, (((((y, z), kept), argmax), mean), variance)))| {
            let [in_x, in_z, in_y] = context.tile_sizes();
            let tiles = x.chunks(in_x).enumerate().zip(y.chunks_mut(in_y));
            let mut z = z.chunks_mut(in_z);
            let mut kept = kept.chunks_mut(in_z);
            let mut argmax = argmax.chunks_mut(in_y);
            let tile = |((i, x), y)| Tile {
                i,
                x,
                z: z.next().unwrap_or_default(),
                out: TileOutput {
                    y,
                    kept: kept.next().unwrap_or_default(),
                    argmax: argmax.next().unwrap_or_default(),
                },
            };
            let tiles: Vec<_> = tiles.map(tile).collect();
            let convolution = context.convolution(r);
            match epilogue {
                Some(spec) => {
                    let replica = Replica {
                        context: &context,
                        convolution,
                        spec,
                        r,
                    };
                    replica.run(tiles, mean, variance);
                }
                None => for_each(tiles, |tile| {
                    convolution.apply(tile.x, &mut convolution.workspace(), tile.out.y);
                }),
            }
        },
    );
    Forward { y, saved }
}

/// Data that all tiles of a replica share.
struct Replica<'a, T> {
    context: &'a ConvContext<'a, T>,
    convolution: WeightedConv<'a, T>,
    spec: &'a EpilogueSpec,
    r: usize,
}

impl<T: Real> Replica<'_, T> {
    fn run(&self, mut tiles: Vec<Tile<T>>, mean: &mut [T], variance: &mut [T]) {
        let Self {
            context, spec, r, ..
        } = *self;
        let (s, c) = (context.s, context.s.outputs);
        let channels = |statistics| norm_channels(s, spec, context.p, (r, 0), statistics, c);
        match context.p.statistics {
            None if spec.epsilon.is_some() => {}
            statistics => {
                if let (Some([given_mean, given_variance]), Some(_)) = (statistics, spec.epsilon) {
                    mean.copy_from_slice(&given_mean[r * c..][..c]);
                    variance.copy_from_slice(&given_variance[r * c..][..c]);
                }
                let channels = channels([mean, variance]);
                return for_each(tiles, |tile| {
                    let [mut workspace, mut activated] = [None, None];
                    let z = self.product(tile.x, tile.z, &mut workspace);
                    let norm_input = epilogue::norm_input(spec, context.columns(z), &mut activated);
                    let mut out = tile.out;
                    if spec.pool {
                        self.select_max(norm_input, &mut out);
                        epilogue::finish_max(spec, &channels, &mut out.pooled(c));
                    } else {
                        self.finish(&channels, tile.i, norm_input, out);
                    }
                });
            }
        }
        let mut moments = vec![TileMoments::zeros(c); tiles.len()];
        let both = tiles.iter_mut().zip(&mut moments).collect();
        for_each(
            both,
            |(tile, moments): (&mut Tile<T>, &mut TileMoments<T>)| {
                let [mut workspace, mut activated] = [None, None];
                let z = self.product(tile.x, tile.z, &mut workspace);
                let norm_input = epilogue::norm_input(spec, context.columns(z), &mut activated);
                moments.measure(norm_input);
                if spec.pool {
                    self.select_max(norm_input, &mut tile.out);
                }
            },
        );
        TileMoments::combine(&moments, mean, variance);
        let channels = channels([mean, variance]);
        for_each(tiles, |mut tile| {
            if spec.pool {
                return epilogue::finish_max(spec, &channels, &mut tile.out.pooled(c));
            }
            let [mut workspace, mut activated] = [None, None];
            let z = match s.keeps_product() {
                true => tile.z,
                false => self.product(tile.x, tile.z, &mut workspace),
            };
            let norm_input = epilogue::norm_input(spec, context.columns(z), &mut activated);
            self.finish(&channels, tile.i, norm_input, tile.out);
        });
    }

    /// Selects the corners of a tile's windows that can hold the maximum.
    fn select_max(&self, norm_input: Columns<T>, out: &mut TileOutput<T>) {
        let Self {
            context, spec, r, ..
        } = *self;
        let (s, c) = (context.s, context.s.outputs);
        let scale = channel_slice(context.p.scale, s, (r, 0), c);
        let windows = s.windows(norm_input.rows() / context.patches.count());
        epilogue::select_max_candidates(spec, scale, windows, norm_input, &mut out.pooled(c));
    }

    /// The product of a tile's images: in `kept`, or in `workspace` if it is not kept.
    fn product<'b>(
        &self,
        x: &[T],
        kept: &'b mut [T],
        workspace: &'b mut Option<Buffer<T>>,
    ) -> &'b mut [T] {
        let z = match kept.is_empty() {
            true => workspace.insert(Buffer::unspecified(self.context.product_len(x))),
            false => kept,
        };
        self.convolution
            .apply(x, &mut self.convolution.workspace(), z);
        z
    }

    /// Norm, activation and dropout of tile `i`, from the norm's input.
    fn finish(&self, channels: &Channels<T>, i: usize, norm_input: Columns<T>, out: TileOutput<T>) {
        let Self {
            context, spec, r, ..
        } = *self;
        let (c, pixels) = (context.s.outputs, context.patches.count());
        let mut y = ColumnsMut::whole(out.y, c);
        epilogue::apply(spec, channels, norm_input, &mut y);
        if let Some(masks) = &spec.dropout {
            let mut kept = ColumnsMut::whole(out.kept, c);
            let block = ColumnBlock {
                replica: r,
                row: i * context.tile * pixels,
                column: 0,
                columns: c,
            };
            epilogue::drop_out(masks, block, &mut kept, &mut y);
        }
    }
}
