//! The epilogue of a block without a linear map: norm, activation and dropout of an input that other
//! operations computed, such as the sum of two branches. A task takes a tile of rows of one replica.
//! Tiles depend on the shape only, and so do results.

use super::shape::BlockShape;
use super::tiles::{TILE, TileMoments, chunk, equal_parts};
use super::types::{Forward, Gradients, OutputGradient, Parameters, Saved, copy, norm_channels};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::epilogue::{self, ColumnBlock, GradientSums};
use crate::cpu::parallel::for_each;
use crate::cpu::real::Real;
use crate::spec::EpilogueSpec;

/// Rows per tile.
fn rows_per_tile(s: &BlockShape) -> usize {
    (TILE / s.outputs.max(1)).max(1)
}

pub(super) fn forward<T: Real>(
    s: &BlockShape,
    x: &[T],
    p: &Parameters<T>,
    spec: &EpilogueSpec,
) -> Forward<T> {
    let (n, c, rows) = (s.replicas, s.outputs, rows_per_tile(s));
    let mut y = Buffer::unspecified(x.len());
    let mut saved = Saved::new(s, Some(spec));
    let arrays = equal_parts(&mut y, n)
        .zip(equal_parts(&mut saved.kept, n))
        .zip(equal_parts(&mut saved.mean, n))
        .zip(equal_parts(&mut saved.variance, n));
    let replicas = x.chunks((s.batch * c).max(1)).zip(arrays).enumerate();
    for_each(
        replicas.collect(),
        |(r, (x, (((y, kept), mean), variance)))| {
            statistics(s, x, p, spec, r, [mean, variance]);
            let channels = norm_channels(s, spec, p, (r, 0), [mean, variance], c);
            let mut kept = kept.chunks_mut(rows * c);
            let tiles = x.chunks(rows * c).zip(y.chunks_mut(rows * c));
            let tiles = tiles.map(|(x, y)| (x, y, kept.next().unwrap_or_default()));
            for_each(tiles.enumerate().collect(), |(i, (x, y, kept))| {
                let (mut activated, mut y) = (None, ColumnsMut::whole(y, c));
                let input = epilogue::norm_input(spec, Columns::whole(x, c), &mut activated);
                epilogue::apply(spec, &channels, input, &mut y);
                if let Some(masks) = &spec.dropout {
                    let block = ColumnBlock {
                        replica: r,
                        row: i * rows,
                        column: 0,
                        columns: c,
                    };
                    epilogue::drop_out(masks, block, &mut ColumnsMut::whole(kept, c), &mut y);
                }
            });
        },
    );
    Forward { y, saved }
}

/// Writes the mean and variance that the norm of replica `r` uses, if there is a norm.
fn statistics<T: Real>(
    s: &BlockShape,
    x: &[T],
    p: &Parameters<T>,
    spec: &EpilogueSpec,
    r: usize,
    [mean, variance]: [&mut [T]; 2],
) {
    let c = s.outputs;
    match p.statistics {
        _ if spec.epsilon.is_none() => {}
        Some(given) => {
            for (to, from) in [mean, variance].into_iter().zip(given) {
                to.copy_from_slice(chunk(from, r, c));
            }
        }
        None => {
            let tiles: Vec<&[T]> = x.chunks(rows_per_tile(s) * c).collect();
            let mut moments = vec![TileMoments::zeros(c); tiles.len()];
            let tiles = tiles.into_iter().zip(&mut moments).collect();
            for_each(tiles, |(x, moments): (&[T], &mut TileMoments<T>)| {
                let mut activated = None;
                let x = Columns::whole(x, c);
                moments.measure(epilogue::norm_input(spec, x, &mut activated));
            });
            TileMoments::combine(&moments, mean, variance);
        }
    }
}

/// The gradients of the parameters; the gradient of the output becomes that of the input.
pub(super) fn backward<T: Real>(
    s: &BlockShape,
    x: &[T],
    p: &Parameters<T>,
    spec: &EpilogueSpec,
    saved: &Saved<T>,
    dy: OutputGradient<T>,
) -> Gradients<T> {
    let (n, c, size) = (s.replicas, s.outputs, s.batch * s.outputs);
    let mut out = Gradients::new(s, p, Some(spec));
    let arrays = equal_parts(dy.d, n)
        .zip(equal_parts(&mut out.scale, n))
        .zip(equal_parts(&mut out.center, n));
    let tile = rows_per_tile(s) * c;
    for_each(arrays.enumerate().collect(), |(r, ((d, scale), center))| {
        let x = |i| Columns::whole(chunk(chunk(x, r, size), i, tile), c);
        let statistics = saved.statistics(s, spec, (r, 0), c);
        let channels = norm_channels(s, spec, p, (r, 0), statistics, c);
        let mut sums = vec![GradientSums::zeros(c); d.len().div_ceil(tile)];
        let tiles = d.chunks_mut(tile).zip(&mut sums).enumerate().collect();
        for_each(
            tiles,
            |(i, (d, sums)): (usize, (&mut [T], &mut GradientSums<T>))| {
                if let Some(source) = dy.source {
                    d.copy_from_slice(chunk(chunk(source, r, size), i, tile));
                }
                let (mut activated, mut d) = (None, ColumnsMut::whole(d, c));
                if let Some(masks) = &spec.dropout {
                    let kept = chunk(chunk(&saved.kept, r, size), i, tile);
                    epilogue::apply_mask(masks, Columns::whole(kept, c), &mut d);
                }
                let input = epilogue::norm_input(spec, x(i), &mut activated);
                *sums = epilogue::backward_activation(spec, &channels, input, &mut d);
            },
        );
        if spec.epsilon.is_none() {
            return;
        }
        let mut total = GradientSums::zeros(c);
        sums.iter().for_each(|sums| total.add(sums));
        copy(&total.product, scale);
        copy(&total.gradient, center);
        let means = total.means(s.batch);
        for_each(d.chunks_mut(tile).enumerate().collect(), |(i, d)| {
            let mut d = ColumnsMut::whole(d, c);
            epilogue::backward_norm(spec, &channels, x(i), &means, &mut d);
        });
    });
    out
}
