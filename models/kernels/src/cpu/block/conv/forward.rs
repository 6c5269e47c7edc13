//! The forward pass.

use super::{Job, parts};
use crate::cpu::block::convolution::Map;
use crate::cpu::block::{Forward, Image, Parameters, Saved, Sizes, channels, part};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::epilogue::{self, Channels, EpilogueSpec, Place, Pooled};
use crate::cpu::parallel::for_each;
use crate::cpu::real::Real;

/// A tile of one replica in the forward pass.
struct Tile<'a, T> {
    /// Its number in the replica.
    i: usize,
    x: &'a [T],
    /// Where the product is kept; empty where it is not.
    z: &'a mut [T],
    out: Out<'a, T>,
}

/// What becomes of a tile's product.
struct Out<'a, T> {
    y: &'a mut [T],
    /// The drawn mask, and what the norm was given where pooled windows were won; empty without them.
    kept: &'a mut [u8],
    best: &'a mut [T],
}

impl<T> Out<'_, T> {
    /// What is left of the windows, of `c` channels.
    fn pooled(&mut self, c: usize) -> Pooled<'_, T> {
        Pooled::whole(self.y, self.best, c)
    }
}

pub(in crate::cpu::block) fn forward<T: Real>(
    s: &Sizes,
    image: Image,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
) -> Forward<T> {
    let job = Job::new(s, image, p, epilogue);
    let n = s.replicas;
    let mut y = Buffer::unspecified(n * s.output_rows(epilogue) * s.outputs);
    let mut saved = Saved::new(s, epilogue);
    let arrays = parts(&mut y, n)
        .zip(parts(&mut saved.z, n))
        .zip(parts(&mut saved.kept, n))
        .zip(parts(&mut saved.best, n))
        .zip(parts(&mut saved.mean, n))
        .zip(parts(&mut saved.variance, n));
    let replicas = x.chunks(s.input().max(1)).zip(arrays).enumerate().collect();
    for_each(
        replicas,
        |(r, (x, (((((y, z), kept), best), mean), variance)))| {
            let [in_x, in_z, in_y] = job.sizes();
            let tiles = x.chunks(in_x).enumerate().zip(y.chunks_mut(in_y));
            let mut z = z.chunks_mut(in_z);
            let mut kept = kept.chunks_mut(in_z);
            let mut best = best.chunks_mut(in_y);
            let tile = |((i, x), y)| Tile {
                i,
                x,
                z: z.next().unwrap_or_default(),
                out: Out {
                    y,
                    kept: kept.next().unwrap_or_default(),
                    best: best.next().unwrap_or_default(),
                },
            };
            let tiles: Vec<_> = tiles.map(tile).collect();
            let map = job.map(r);
            match epilogue {
                Some(spec) => {
                    let replica = Replica {
                        job: &job,
                        map,
                        spec,
                        r,
                    };
                    replica.run(tiles, mean, variance);
                }
                None => for_each(tiles, |tile| map.apply(tile.x, &mut map.room(), tile.out.y)),
            }
        },
    );
    Forward { y, saved }
}

/// What all tiles of a replica share.
struct Replica<'a, T> {
    job: &'a Job<'a, T>,
    map: Map<'a, T>,
    spec: &'a EpilogueSpec,
    r: usize,
}

impl<T: Real> Replica<'_, T> {
    fn run(&self, mut tiles: Vec<Tile<T>>, mean: &mut [T], variance: &mut [T]) {
        let Self { job, spec, r, .. } = *self;
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
                    let [mut room, mut activated] = [None, None];
                    let z = self.product(tile.x, tile.z, &mut room);
                    let given = epilogue::given(spec, job.columns(z), &mut activated);
                    let mut out = tile.out;
                    if spec.pool {
                        self.choose(given, &mut out);
                        epilogue::settle(spec, &channels, &mut out.pooled(c));
                    } else {
                        self.finish(&channels, tile.i, given, out);
                    }
                });
            }
        }
        let mut moments = vec![Moments::zeros(c); tiles.len()];
        let both = tiles.iter_mut().zip(&mut moments).collect();
        for_each(both, |(tile, of): (&mut Tile<T>, &mut Moments<T>)| {
            let [mut room, mut activated] = [None, None];
            let z = self.product(tile.x, tile.z, &mut room);
            of.rows = z.len() / c;
            let given = epilogue::given(spec, job.columns(z), &mut activated);
            epilogue::moments(given, &mut of.mean, &mut of.squares);
            if spec.pool {
                self.choose(given, &mut tile.out);
            }
        });
        Moments::combine(&moments, mean, variance);
        let channels = channels([mean, variance]);
        for_each(tiles, |mut tile| {
            if spec.pool {
                return epilogue::settle(spec, &channels, &mut tile.out.pooled(c));
            }
            let [mut room, mut activated] = [None, None];
            let z = match s.keeps_product() {
                true => tile.z,
                false => self.product(tile.x, tile.z, &mut room),
            };
            let given = epilogue::given(spec, job.columns(z), &mut activated);
            self.finish(&channels, tile.i, given, tile.out);
        });
    }

    /// Chooses the corners of a tile's windows that may win.
    fn choose(&self, given: Columns<T>, out: &mut Out<T>) {
        let Self { job, spec, r, .. } = *self;
        let (s, c) = (job.s, job.s.outputs);
        let scale = part(job.p.scale, s, (r, 0), c);
        let windows = s.windows(given.rows() / job.patches.places());
        epilogue::choose(spec, scale, windows, given, &mut out.pooled(c));
    }

    /// The product of a tile's images: in `kept`, or where it is not kept in `room`.
    fn product<'b>(
        &self,
        x: &[T],
        kept: &'b mut [T],
        room: &'b mut Option<Buffer<T>>,
    ) -> &'b mut [T] {
        let z = match kept.is_empty() {
            true => room.insert(Buffer::unspecified(self.job.products(x))),
            false => kept,
        };
        self.map.apply(x, &mut self.map.room(), z);
        z
    }

    /// Norm, activation and dropout of what the norm of tile `i` is given.
    fn finish(&self, channels: &Channels<T>, i: usize, given: Columns<T>, out: Out<T>) {
        let Self { job, spec, r, .. } = *self;
        let (c, places) = (job.s.outputs, job.patches.places());
        let mut y = ColumnsMut::whole(out.y, c);
        epilogue::apply(spec, channels, given, &mut y);
        if let Some(masks) = &spec.dropout {
            let mut kept = ColumnsMut::whole(out.kept, c);
            let place = Place {
                r,
                row: i * job.tile * places,
                column: 0,
                columns: c,
            };
            epilogue::draw(masks, place, &mut kept);
            epilogue::drop(masks, kept.read(), &mut y);
        }
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
