//! The backward pass.

use super::{Job, nth, parts};
use crate::cpu::block::convolution::{InputGradient, Map, WeightGradient};
use crate::cpu::block::{Gradients, Image, Parameters, Saved, Sizes, Upstream, channels};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::epilogue::{self, Channels, EpilogueSpec, Sums};
use crate::cpu::parallel::for_each;
use crate::cpu::real::Real;

/// Sums over all images that are taken side by side, at most.
const GROUPS: usize = 16;

/// What one replica's backward pass reads and writes.
struct ReplicaGradients<'a, T> {
    r: usize,
    read: Read<'a, T>,
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
pub(in crate::cpu::block) fn backward<T: Real>(
    s: &Sizes,
    image: Image,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
    saved: &Saved<T>,
    dy: Upstream<T>,
    wants_x: bool,
) -> Gradients<T> {
    let job = Job::new(s, image, p, epilogue);
    let n = s.replicas;
    let mut out = Gradients::new(s, p, epilogue);
    let mut dx = wants_x.then(|| Buffer::unspecified(n * s.input()));
    let size = dy.d.len() / n;
    let arrays = parts(dy.d, n)
        .zip(parts(dx.as_deref_mut().unwrap_or_default(), n))
        .zip(parts(&mut out.weight, n))
        .zip(parts(&mut out.bias, n))
        .zip(parts(&mut out.scale, n))
        .zip(parts(&mut out.center, n))
        .enumerate();
    let replica = |(r, (((((d, dx), weight), bias), scale), center))| ReplicaGradients {
        r,
        read: Read {
            x: nth(x, r, s.input()),
            upstream: dy.from.map(|from| nth(from, r, size)),
            z: nth(&saved.z, r, saved.z.len() / n),
            kept: nth(&saved.kept, r, saved.kept.len() / n),
            best: nth(&saved.best, r, saved.best.len() / n),
            anew: (epilogue.is_some() && !s.keeps_product()).then(|| job.map(r)),
        },
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
    let norm = job.epilogue.map(|spec| {
        let statistics = saved.statistics(s, spec, (r, 0), c);
        let channels = channels(s, spec, job.p, (r, 0), statistics, c);
        let sums = to_norm(job, spec, &channels, &g.read, g.d);
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
    let back = (!g.dx.is_empty()).then(|| InputGradient::new(job.convolution, job.weight(r)));
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
    for_each(tasks, |group| {
        of_group(job, &g.read, norm, back.as_ref(), group)
    });
    for more in more.chunks(s.weights()) {
        epilogue::add(g.weight, more);
    }
    for more in biases.chunks(c) {
        epilogue::add(g.bias, more);
    }
}

/// What a replica's backward pass reads, all tiles one after the other.
struct Read<'a, T> {
    x: &'a [T],
    /// The gradient of the output, where it is still to be brought.
    upstream: Option<&'a [T]>,
    z: &'a [T],
    kept: &'a [u8],
    best: &'a [T],
    /// What the product is computed with where it was not kept.
    anew: Option<Map<'a, T>>,
}

impl<T: Real> Read<'_, T> {
    /// Brings the gradient of tile `i`'s output to where the backward pass works on it.
    fn bring(&self, job: &Job<T>, i: usize, d: &mut [T]) {
        if let Some(upstream) = self.upstream {
            let [_, _, in_y] = job.sizes();
            d.copy_from_slice(nth(upstream, i, in_y));
        }
    }

    /// The product of tile `i`; in `room` where it was not kept.
    fn product<'b>(&'b self, job: &Job<T>, i: usize, room: &'b mut Option<Buffer<T>>) -> &'b [T] {
        let [in_x, in_z, _] = job.sizes();
        let Some(map) = &self.anew else {
            return nth(self.z, i, in_z);
        };
        let x = nth(self.x, i, in_x);
        let room = room.get_or_insert_with(|| Buffer::unspecified(in_z));
        let z = &mut room[..job.products(x)];
        map.apply(x, &mut map.room(), z);
        z
    }
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
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    read: &Read<T>,
    d: &mut [T],
) -> Sums<T> {
    let c = job.s.outputs;
    let [_, in_z, in_y] = job.sizes();
    let mut sums = vec![Sums::zeros(c); d.len().div_ceil(in_y)];
    let tiles = d.chunks_mut(in_y).zip(&mut sums).enumerate().collect();
    for_each(
        tiles,
        |(i, (d, sums)): (usize, (&mut [T], &mut Sums<T>))| {
            read.bring(job, i, d);
            let mut d = ColumnsMut::whole(d, c);
            if let Some(masks) = &spec.dropout {
                let kept = Columns::whole(nth(read.kept, i, in_z), c);
                epilogue::drop(masks, kept, &mut d);
            }
            let [mut room, mut activated] = [None, None];
            let given = match spec.pool {
                true => job.columns(nth(read.best, i, in_y)),
                false => {
                    let z = job.columns(read.product(job, i, &mut room));
                    epilogue::given(spec, z, &mut activated)
                }
            };
            *sums = epilogue::to_norm(spec, channels, given, &mut d);
        },
    );
    let mut total = Sums::zeros(c);
    sums.iter().for_each(|sums| total.add(sums));
    total
}

/// What leads back through a norm.
#[derive(Clone, Copy)]
struct Norm<'a, T> {
    spec: &'a EpilogueSpec,
    channels: &'a Channels<T>,
    means: &'a Sums<T>,
}

impl<T: Real> Norm<'_, T> {
    /// The gradient of tile `i`'s product, from that of its norm's output: in place, or in `rooms`
    /// behind pooling.
    fn back<'a>(
        self,
        job: &Job<T>,
        read: &Read<T>,
        i: usize,
        d: &'a mut [T],
        [room, d_room]: &'a mut [Option<Buffer<T>>; 2],
    ) -> &'a [T] {
        let (spec, c) = (self.spec, job.s.outputs);
        let [_, in_z, in_y] = job.sizes();
        if !spec.pool && spec.epsilon.is_none() {
            return d;
        }
        let z = read.product(job, i, room);
        if spec.pool {
            let best = Columns::whole(nth(read.best, i, in_y), c);
            let room = d_room.get_or_insert_with(|| Buffer::unspecified(in_z));
            let dz = &mut room[..z.len()];
            epilogue::through_norm_pooled(
                spec,
                self.channels,
                job.s.windows(z.len() / c / job.patches.places()),
                job.columns(z),
                (best, job.columns(d)),
                self.means,
                &mut ColumnsMut::whole(dz, c),
            );
            return dz;
        }
        let columns = &mut ColumnsMut::whole(&mut *d, c);
        epilogue::through_norm(spec, self.channels, job.columns(z), self.means, columns);
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

fn of_group<T: Real>(
    job: &Job<T>,
    read: &Read<T>,
    norm: Option<Norm<T>>,
    back: Option<&InputGradient<T>>,
    g: Group<T>,
) {
    let [in_x, _, in_y] = job.sizes();
    let mut weight = WeightGradient::new(job.convolution, g.weight);
    let mut room = job.convolution.room();
    let mut dx = g.dx.chunks_mut(in_x);
    let mut back = back.map(|back| (back, back.room()));
    let mut rooms = [None, None];
    for (i, d) in g.d.chunks_mut(in_y).enumerate() {
        let tile = g.first + i;
        let dz = match norm {
            Some(norm) => norm.back(job, read, tile, d, &mut rooms),
            None => {
                read.bring(job, tile, d);
                d
            }
        };
        if !g.bias.is_empty() {
            epilogue::add(g.bias, &epilogue::sum_rows(job.columns(dz)));
        }
        weight.add(nth(read.x, tile, in_x), dz, &mut room);
        if let (Some((back, room)), Some(dx)) = (&mut back, dx.next()) {
            back.apply(dz, room, dx);
        }
    }
    weight.finish();
}
