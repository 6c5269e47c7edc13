//! Convolution blocks. A task takes a tile: as many whole images of one replica as have patches
//! that fit the cache. Tiles depend on the sizes alone, and so do the results.

use super::patches::Patches;
use super::{Forward, Gradients, Image, Parameters, Saved, Sizes, channels, part};
use crate::ops::cpu::buffers::Buffer;
use crate::ops::cpu::columns::{Columns, ColumnsMut};
use crate::ops::cpu::matmul::{Matrix, multiply};
use crate::ops::cpu::parallel::for_each;
use crate::ops::cpu::real::Real;
use crate::ops::cpu::tail::{self, Channels, Place, Sums, TailSpec};

/// Numbers in the patches of a tile, at most (unless one image alone has more).
const TILE: usize = 48 * 1024;

/// Sums over all images that are taken side by side, at most.
const GROUPS: usize = 16;

/// What every task knows.
#[derive(Clone, Copy)]
struct Job<'a, T> {
    s: &'a Sizes,
    p: &'a Parameters<'a, T>,
    tail: Option<&'a TailSpec>,
    patches: Patches,
    /// Images in a tile.
    tile: usize,
}

impl<'a, T: Real> Job<'a, T> {
    fn new(s: &'a Sizes, image: Image, p: &'a Parameters<T>, tail: Option<&'a TailSpec>) -> Self {
        let patches = Patches::new(image, s.inputs);
        let numbers = patches.places() * s.patch().max(s.outputs);
        Self {
            s,
            p,
            tail,
            patches,
            tile: (TILE / numbers.max(1)).clamp(1, s.batch.max(1)),
        }
    }

    /// Numbers of `x`, of the product and of the output in a tile.
    fn sizes(&self) -> [usize; 3] {
        let rows = self.s.output_rows(self.tail) / self.s.batch.max(1);
        let c = self.s.outputs;
        [self.patches.pixels(), self.patches.places() * c, rows * c].map(|n| (self.tile * n).max(1))
    }

    fn weight(&self, r: usize) -> Matrix<'a, T> {
        let weight = &self.p.weight[r * self.s.weights()..][..self.s.weights()];
        Matrix::new(weight, self.s.patch(), self.s.outputs)
    }

    /// `out = conv(x, W) + b` for the images `x` of replica `r`.
    fn product(&self, r: usize, x: &[T], out: &mut [T]) {
        let images = x.len() / self.patches.pixels();
        let mut room = Buffer::unspecified(self.patches.room(images));
        let patches = self.patches.gather(x, &mut room);
        let bias = part(self.p.bias, self.s, (r, 0), self.s.outputs);
        if let Some(bias) = bias {
            for row in out.chunks_exact_mut(self.s.outputs) {
                row.copy_from_slice(bias);
            }
        }
        let mut out = ColumnsMut::whole(out, self.s.outputs);
        multiply(&mut out, patches, self.weight(r), bias.is_some());
    }

    fn columns<'b>(&self, values: &'b [T]) -> Columns<'b, T> {
        Columns::whole(values, self.s.outputs)
    }
}

/// A tile of one replica in the forward pass.
struct Tile<'a, T> {
    /// Its number in the replica.
    i: usize,
    x: &'a [T],
    y: &'a mut [T],
    /// The product, the drawn mask and the winners; empty without them.
    z: &'a mut [T],
    kept: &'a mut [u8],
    winners: &'a mut [u8],
}

/// Equal parts of `values`, as many as `count`; empty ones of nothing.
fn parts<T>(values: &mut [T], count: usize) -> impl Iterator<Item = &mut [T]> {
    let size = values.len().checked_div(count).unwrap_or(0);
    let mut rest = values;
    (0..count).map(move |_| {
        rest.split_off_mut(..size)
            .expect("as many parts as counted")
    })
}

pub(super) fn forward<T: Real>(
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
            match tail {
                Some(spec) => replica(&job, spec, r, tiles, mean, variance),
                None => for_each(tiles, |tile| job.product(r, tile.x, tile.y)),
            }
        },
    );
    Forward { y, saved }
}

/// All tiles of one replica.
fn replica<T: Real>(
    job: &Job<T>,
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
                job.product(r, tile.x, tile.z);
                finish(job, spec, r, &channels, tile);
            });
        }
    }
    let mut moments = vec![Moments::zeros(c); tiles.len()];
    let both = tiles.iter_mut().zip(&mut moments).collect();
    for_each(both, |(tile, of): (&mut Tile<T>, &mut Moments<T>)| {
        job.product(r, tile.x, tile.z);
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

/// What one replica's backward pass reads and writes.
struct ReplicaGradients<'a, T> {
    r: usize,
    x: &'a [T],
    z: &'a [T],
    kept: &'a [u8],
    winners: &'a [u8],
    /// Comes in as the gradient of the output.
    d: &'a mut [T],
    dx: &'a mut [T],
    weight: &'a mut [T],
    bias: &'a mut [T],
    scale: &'a mut [T],
    center: &'a mut [T],
}

#[expect(
    clippy::too_many_arguments,
    reason = "the one caller passes on what it was given"
)]
pub(super) fn backward<T: Real>(
    s: &Sizes,
    image: Image,
    x: &[T],
    p: &Parameters<T>,
    tail: Option<&TailSpec>,
    saved: &Saved<T>,
    dy: &mut [T],
    wants_x: bool,
) -> Gradients<T> {
    let job = Job::new(s, image, p, tail);
    let n = s.replicas;
    let mut out = Gradients::new(s, p, tail);
    let mut dx = wants_x.then(|| Buffer::unspecified(n * s.input()));
    let of = |values: &'_ [u8], r: usize| -> std::ops::Range<usize> {
        let size = values.len() / n;
        r * size..(r + 1) * size
    };
    let z = saved.z.len() / n;
    let arrays = parts(dy, n)
        .zip(parts(dx.as_deref_mut().unwrap_or_default(), n))
        .zip(parts(&mut out.weight, n))
        .zip(parts(&mut out.bias, n))
        .zip(parts(&mut out.scale, n))
        .zip(parts(&mut out.center, n))
        .enumerate();
    let replica = |(r, (((((d, dx), weight), bias), scale), center))| ReplicaGradients {
        r,
        x: &x[r * s.input()..][..s.input()],
        z: &saved.z[r * z..][..z],
        kept: &saved.kept[of(&saved.kept, r)],
        winners: &saved.winners[of(&saved.winners, r)],
        d,
        dx,
        weight,
        bias,
        scale,
        center,
    };
    for_each(arrays.map(replica).collect(), |g| {
        backward_replica(&job, saved, g);
    });
    out.x = dx;
    out
}

fn backward_replica<T: Real>(job: &Job<T>, saved: &Saved<T>, g: ReplicaGradients<T>) {
    let (s, c, r) = (job.s, job.s.outputs, g.r);
    let [in_x, _, in_y] = job.sizes();
    let read = Read {
        x: g.x,
        z: g.z,
        kept: g.kept,
        winners: g.winners,
    };
    let norm = job.tail.map(|spec| {
        let statistics = saved.statistics(s, spec, (r, 0), c);
        let channels = channels(s, spec, job.p, (r, 0), statistics, c);
        let sums = to_norm(job, spec, &channels, &read, g.d);
        if spec.epsilon.is_none() {
            return (spec, channels, Sums::zeros(c));
        }
        copy(&sums.products, g.scale);
        copy(&sums.plain, g.center);
        (spec, channels, sums.per_row(s.rows()))
    });
    let norm = norm.as_ref().map(|(spec, channels, means)| Norm {
        spec,
        channels,
        means,
    });
    // The first group's sums go where the result does, the others' beside it.
    let group = s.batch.div_ceil(job.tile).div_ceil(GROUPS);
    let groups = s.batch.div_ceil(job.tile * group);
    let mut more = Buffer::unspecified((groups - 1) * s.weights());
    let mut biases = vec![T::ZERO; groups * g.bias.len()];
    let weights = std::iter::once(&mut *g.weight).chain(more.chunks_mut(s.weights()));
    let mut dx = g.dx.chunks_mut(group * in_x);
    let mut bias = parts(&mut biases, groups);
    let task = |(i, (d, weight))| Group {
        first: i * group,
        d,
        dx: dx.next().unwrap_or_default(),
        weight,
        bias: bias.next().unwrap_or_default(),
    };
    let d = g.d.chunks_mut(group * in_y).zip(weights).enumerate();
    let tasks = d.map(task).collect();
    drop(bias);
    for_each(tasks, |group| of_group(job, r, &read, norm, group));
    for more in more.chunks(s.weights()) {
        tail::add(g.weight, more);
    }
    for more in biases.chunks(c) {
        tail::add(g.bias, more);
    }
}

/// What a replica's backward pass reads, all tiles one after the other.
#[derive(Clone, Copy)]
struct Read<'a, T> {
    x: &'a [T],
    z: &'a [T],
    kept: &'a [u8],
    winners: &'a [u8],
}

/// Part `i` of values cut into parts of `size`, the last of which may be smaller.
fn nth<T>(values: &[T], i: usize, size: usize) -> &[T] {
    let from = (i * size).min(values.len());
    &values[from..(from + size).min(values.len())]
}

/// Copies into what is there.
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    if !to.is_empty() {
        to.copy_from_slice(from);
    }
}

/// Turns the gradient of a replica's output into that of the norm's output, and its sums.
fn to_norm<T: Real>(
    job: &Job<T>,
    spec: &TailSpec,
    channels: &Channels<T>,
    read: &Read<T>,
    d: &mut [T],
) -> Sums<T> {
    let c = job.s.outputs;
    let [in_x, in_z, in_y] = job.sizes();
    let mut sums = vec![Sums::zeros(c); d.len().div_ceil(in_y)];
    let tiles = d.chunks_mut(in_y).zip(&mut sums).enumerate().collect();
    for_each(
        tiles,
        |(i, (d, sums)): (usize, (&mut [T], &mut Sums<T>))| {
            let z = job.columns(nth(read.z, i, in_z));
            let mut d = ColumnsMut::whole(d, c);
            if let Some(masks) = &spec.dropout {
                let kept = Columns::whole(nth(read.kept, i, in_z), c);
                tail::drop(masks, kept, &mut d);
            }
            *sums = if spec.pool {
                let images = nth(read.x, i, in_x).len() / job.patches.pixels();
                let winners = Columns::whole(nth(read.winners, i, in_y), c);
                tail::to_norm_pooled(spec, channels, job.s.windows(images), z, winners, &mut d)
            } else {
                tail::to_norm(spec, channels, z, &mut d)
            };
        },
    );
    let mut total = Sums::zeros(c);
    sums.iter().for_each(|sums| total.add(sums));
    total
}

/// What leads back through a norm.
#[derive(Clone, Copy)]
struct Norm<'a, T> {
    spec: &'a TailSpec,
    channels: &'a Channels<T>,
    means: &'a Sums<T>,
}

impl<T: Real> Norm<'_, T> {
    /// The gradient of tile `i`'s product, from that of its norm's output: in place, or in `room`
    /// behind pooling.
    fn back<'a>(
        self,
        job: &Job<T>,
        read: &Read<T>,
        i: usize,
        d: &'a mut [T],
        room: &'a mut Option<Buffer<T>>,
    ) -> &'a [T] {
        let (spec, c) = (self.spec, job.s.outputs);
        let [in_x, in_z, in_y] = job.sizes();
        let z = nth(read.z, i, in_z);
        if spec.pool {
            let images = nth(read.x, i, in_x).len() / job.patches.pixels();
            let winners = Columns::whole(nth(read.winners, i, in_y), c);
            let room = room.get_or_insert_with(|| Buffer::unspecified(in_z));
            let dz = &mut room[..z.len()];
            tail::through_norm_pooled(
                spec,
                self.channels,
                job.s.windows(images),
                job.columns(z),
                (winners, job.columns(d)),
                self.means,
                &mut ColumnsMut::whole(dz, c),
            );
            return dz;
        }
        if spec.epsilon.is_some() {
            let d = &mut ColumnsMut::whole(&mut *d, c);
            tail::through_norm(spec, self.channels, job.columns(z), self.means, d);
        }
        d
    }
}

/// Tiles whose gradients of the weights are summed one after the other.
struct Group<'a, T> {
    /// The number of the first tile.
    first: usize,
    d: &'a mut [T],
    dx: &'a mut [T],
    weight: &'a mut [T],
    bias: &'a mut [T],
}

fn of_group<T: Real>(job: &Job<T>, r: usize, read: &Read<T>, norm: Option<Norm<T>>, g: Group<T>) {
    let (s, patches) = (job.s, &job.patches);
    let (c, patch) = (s.outputs, s.patch());
    let [in_x, _, in_y] = job.sizes();
    let mut weight = ColumnsMut::whole(g.weight, c);
    let mut dx = g.dx.chunks_mut(in_x);
    let mut room = Buffer::unspecified(patches.room(job.tile));
    let mut d_room = None;
    for (i, d) in g.d.chunks_mut(in_y).enumerate() {
        let tile = g.first + i;
        let dz = match norm {
            Some(norm) => norm.back(job, read, tile, d, &mut d_room),
            None => d,
        };
        if !g.bias.is_empty() {
            tail::add(g.bias, &tail::sum_rows(job.columns(dz)));
        }
        let places = dz.len() / c;
        let x = nth(read.x, tile, in_x);
        let room = &mut room[..patches.room(x.len() / patches.pixels())];
        let dz = Matrix::new(dz, places, c);
        multiply(&mut weight, patches.gather(x, room).t(), dz, i > 0);
        let Some(dx) = dx.next() else { continue };
        if room.is_empty() {
            // The patches are the image, and so are their gradients.
            multiply(
                &mut ColumnsMut::whole(dx, patch),
                dz,
                job.weight(r).t(),
                false,
            );
        } else {
            multiply(
                &mut ColumnsMut::whole(room, patch),
                dz,
                job.weight(r).t(),
                false,
            );
            dx.fill(T::ZERO);
            patches.scatter(room, dx);
        }
    }
}
