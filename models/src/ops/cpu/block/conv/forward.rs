//! The forward pass.

use super::{Job, parts};
use crate::ops::cpu::block::convolution::Map;
use crate::ops::cpu::block::{Forward, Image, Parameters, Saved, Sizes, channels};
use crate::ops::cpu::buffers::Buffer;
use crate::ops::cpu::columns::ColumnsMut;
use crate::ops::cpu::parallel::for_each;
use crate::ops::cpu::real::Real;
use crate::ops::cpu::tail::{self, Channels, Place, TailSpec};

/// A tile of one replica in the forward pass.
struct Tile<'a, T> {
    /// Its number in the replica.
    i: usize,
    x: &'a [T],
    y: &'a mut [T],
    /// The product, the drawn mask and the winners; empty without them.
    z: &'a mut [T],
    kept: &'a mut [u8],
    winners: &'a mut [T],
}

pub(in crate::ops::cpu::block) fn forward<T: Real>(
    s: &Sizes,
    image: Image,
    x: &[T],
    p: &Parameters<T>,
    tail: Option<&TailSpec>,
) -> Forward<T> {
    let job = Job::new(s, image, p, tail);
    let n = s.replicas;
    let mut y = Buffer::unspecified(n * s.output_rows(tail) * s.outputs);
    let mut saved = Saved::new(s, tail);
    let arrays = parts(&mut y, n)
        .zip(parts(&mut saved.z, n))
        .zip(parts(&mut saved.kept, n))
        .zip(parts(&mut saved.winners, n))
        .zip(parts(&mut saved.mean, n))
        .zip(parts(&mut saved.variance, n));
    let replicas = x.chunks(s.input().max(1)).zip(arrays).enumerate().collect();
    for_each(
        replicas,
        |(r, (x, (((((y, z), kept), winners), mean), variance)))| {
            let [in_x, in_z, in_y] = job.sizes();
            let tiles = x.chunks(in_x).enumerate().zip(y.chunks_mut(in_y));
            let mut z = z.chunks_mut(in_z);
            let mut kept = kept.chunks_mut(in_z);
            let mut winners = winners.chunks_mut(in_y);
            let tile = |((i, x), y)| Tile {
                i,
                x,
                y,
                z: z.next().unwrap_or_default(),
                kept: kept.next().unwrap_or_default(),
                winners: winners.next().unwrap_or_default(),
            };
            let tiles: Vec<_> = tiles.map(tile).collect();
            let map = job.map(r);
            match tail {
                Some(spec) => replica(&job, &map, spec, r, tiles, mean, variance),
                None => for_each(tiles, |tile| map.apply(tile.x, &mut map.room(), tile.y)),
            }
        },
    );
    Forward { y, saved }
}

/// All tiles of one replica.
fn replica<T: Real>(
    job: &Job<T>,
    map: &Map<T>,
    spec: &TailSpec,
    r: usize,
    mut tiles: Vec<Tile<T>>,
    mean: &mut [T],
    variance: &mut [T],
) {
    let (s, c) = (job.s, job.s.outputs);
    let channels = |statistics| channels(s, spec, job.p, (r, 0), statistics, c);
    match job.p.statistics {
        None if spec.epsilon.is_some() => {}
        given => {
            if let (Some([given_mean, given_variance]), Some(_)) = (given, spec.epsilon) {
                mean.copy_from_slice(&given_mean[r * c..][..c]);
                variance.copy_from_slice(&given_variance[r * c..][..c]);
            }
            let channels = channels([mean, variance]);
            return for_each(tiles, |tile| {
                map.apply(tile.x, &mut map.room(), tile.z);
                finish(job, spec, r, &channels, tile);
            });
        }
    }
    let mut moments = vec![Moments::zeros(c); tiles.len()];
    let both = tiles.iter_mut().zip(&mut moments).collect();
    for_each(both, |(tile, of): (&mut Tile<T>, &mut Moments<T>)| {
        map.apply(tile.x, &mut map.room(), tile.z);
        of.rows = tile.z.len() / c;
        tail::moments(spec, job.columns(tile.z), &mut of.mean, &mut of.squares);
    });
    Moments::combine(&moments, mean, variance);
    let channels = channels([mean, variance]);
    for_each(tiles, |tile| finish(job, spec, r, &channels, tile));
}

/// Norm, activation, dropout and pooling of a tile.
fn finish<T: Real>(job: &Job<T>, spec: &TailSpec, r: usize, channels: &Channels<T>, tile: Tile<T>) {
    let c = job.s.outputs;
    let z = job.columns(tile.z);
    let mut y = ColumnsMut::whole(tile.y, c);
    if spec.pool {
        let windows = job.s.windows(tile.x.len() / job.patches.pixels());
        let mut winners = ColumnsMut::whole(tile.winners, c);
        return tail::apply_pooled(spec, channels, windows, z, &mut y, &mut winners);
    }
    tail::apply(spec, channels, z, &mut y);
    if let Some(masks) = &spec.dropout {
        let mut kept = ColumnsMut::whole(tile.kept, c);
        let place = Place {
            r,
            row: tile.i * job.tile * job.patches.places(),
            column: 0,
            columns: c,
        };
        tail::draw(masks, place, &mut kept);
        tail::drop(masks, kept.read(), &mut y);
    }
}

/// Moments of one tile.
#[derive(Clone)]
struct Moments<T> {
    rows: usize,
    mean: Vec<T>,
    /// Sums of squared differences from the mean.
    squares: Vec<T>,
}

impl<T: Real> Moments<T> {
    fn zeros(channels: usize) -> Self {
        Self {
            rows: 0,
            mean: vec![T::ZERO; channels],
            squares: vec![T::ZERO; channels],
        }
    }

    /// Mean and biased variance of all tiles together (Chan, Golub and LeVeque 1983, section 2).
    fn combine(tiles: &[Self], mean: &mut [T], variance: &mut [T]) {
        let rows: usize = tiles.iter().map(|tile| tile.rows).sum();
        let share = |n: usize| T::of(n as f64 / rows as f64);
        mean.fill(T::ZERO);
        for tile in tiles {
            let share = share(tile.rows);
            for (total, &mean) in mean.iter_mut().zip(&tile.mean) {
                *total += mean * share;
            }
        }
        variance.fill(T::ZERO);
        for tile in tiles {
            let (one, all) = (share(1), share(tile.rows));
            for (i, total) in variance.iter_mut().enumerate() {
                let apart = tile.mean[i] - mean[i];
                *total += tile.squares[i] * one + apart * apart * all;
            }
        }
    }
}
