//! Dense blocks. A task takes a block of columns of one replica: all rows of a unit are in it, so
//! that its statistics are at hand as soon as its product is.

use super::{Forward, Gradients, Parameters, Saved, Sizes, Upstream, channels, part};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::epilogue::{self, EpilogueSpec, Place, Sums};
use crate::cpu::parallel::for_each;
use crate::cpu::product::{Left, Onto, Pattern, product as multiply, sparse};
use crate::cpu::real::Real;
use crate::cpu::transpose::transpose;

/// Multiplications that are worth a task of their own.
const TASK: usize = 1 << 22;

/// Columns that a task takes at least, where there are enough for two of them: as many as numbers of
/// a mask are drawn at once, and eight of the widest vectors.
const BLOCK: usize = 128;

/// Columns of a product below which looking for equal numbers on its left takes longer than
/// multiplying them.
const NARROW: usize = 64;

/// Rows of an input below which a product does not pay for bringing the weights side by side.
const FEW: usize = 16;

/// Columns of a product that one task takes, from the sizes alone.
fn block(rows: usize, inner: usize, columns: usize) -> usize {
    let block = if columns < 2 * BLOCK {
        BLOCK / 2
    } else {
        BLOCK
    };
    let tasks = (rows * inner * columns / TASK).clamp(1, columns.div_ceil(block));
    columns.div_ceil(tasks).next_multiple_of(32).min(columns)
}

/// Where most numbers of each replica's input are the same; empty where that is no gain.
fn patterns<T: Real>(s: &Sizes, x: &[T]) -> Vec<Option<Pattern<T>>> {
    if s.outputs < NARROW || s.batch < FEW {
        return Vec::new();
    }
    let replicas = x.chunks(s.input());
    replicas.map(|x| Pattern::of(x, s.inputs)).collect()
}

/// Blocks of `width` columns of every replica's `rows` rows, in order; nothing of nothing.
fn split<T>(values: &mut [T], rows: usize, stride: usize, width: usize) -> Vec<ColumnsMut<'_, T>> {
    let replicas = values.chunks_mut((rows * stride).max(1));
    let blocks = replicas.flat_map(|values| ColumnsMut::split(values, stride, width));
    blocks.collect()
}

/// Blocks of `width` of every replica's `channels` numbers, in order.
fn blocks_of_channels<T>(
    values: &mut [T],
    channels: usize,
    width: usize,
) -> impl Iterator<Item = &mut [T]> {
    let replicas = values.chunks_mut(channels);
    replicas.flat_map(move |values| values.chunks_mut(width))
}

/// A task of the forward pass; without an epilogue the product is `y`, and there is nothing else.
struct Task<'a, T> {
    place: Place,
    y: ColumnsMut<'a, T>,
    z: Option<ColumnsMut<'a, T>>,
    mean: &'a mut [T],
    variance: &'a mut [T],
    kept: Option<ColumnsMut<'a, u8>>,
}

pub(super) fn forward<T: Real>(
    s: &Sizes,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
) -> Forward<T> {
    let mut y = Buffer::unspecified(s.replicas * s.batch * s.outputs);
    let mut saved = Saved::new(s, epilogue);
    let width = block(s.batch, s.inputs, s.outputs);
    let patterns = patterns(s, x);
    for_each(tasks(s, &mut y, &mut saved, width), |task| {
        let r = task.place.r;
        let x = Input::of(s, x, &patterns, r);
        match epilogue {
            Some(spec) => with_epilogue(s, x, p, spec, task),
            None => {
                let mut y = task.y;
                product(s, x, p, task.place, &mut y);
            }
        }
    });
    saved.patterns = patterns;
    Forward { y, saved }
}

/// The input of one replica.
#[derive(Clone, Copy)]
struct Input<'a, T> {
    x: &'a [T],
    pattern: Option<&'a Pattern<T>>,
}

impl<'a, T> Input<'a, T> {
    /// That of replica `r`.
    fn of(s: &Sizes, x: &'a [T], patterns: &'a [Option<Pattern<T>>], r: usize) -> Self {
        Self {
            x: &x[r * s.input()..][..s.input()],
            pattern: patterns.get(r).and_then(Option::as_ref),
        }
    }
}

fn tasks<'a, T: Real>(
    s: &Sizes,
    y: &'a mut [T],
    saved: &'a mut Saved<T>,
    width: usize,
) -> Vec<Task<'a, T>> {
    let (rows, c) = (s.batch, s.outputs);
    let blocks = c.div_ceil(width);
    let mut z = split(&mut saved.z, rows, c, width).into_iter();
    let mut kept = split(&mut saved.kept, rows, c, width).into_iter();
    let mut mean = blocks_of_channels(&mut saved.mean, c, width);
    let mut variance = blocks_of_channels(&mut saved.variance, c, width);
    let y = split(y, rows, c, width).into_iter().enumerate();
    let task = |(i, y)| Task {
        place: Place {
            r: i / blocks,
            row: 0,
            column: i % blocks * width,
            columns: c,
        },
        y,
        z: z.next(),
        mean: mean.next().unwrap_or_default(),
        variance: variance.next().unwrap_or_default(),
        kept: kept.next(),
    };
    y.map(task).collect()
}

/// `out = x W + b`, a block of columns.
fn product<T: Real>(
    s: &Sizes,
    Input { x, pattern }: Input<T>,
    p: &Parameters<T>,
    place: Place,
    out: &mut ColumnsMut<T>,
) {
    let Place { r, column, .. } = place;
    let weight = &p.weight[r * s.weights()..][..s.weights()];
    let weight = Columns::of(weight, s.outputs, column, out.width());
    let bias = part(p.bias, s, (r, column), out.width());
    let x = Left::row_major(x, s.batch, s.inputs);
    match pattern {
        Some(pattern) => sparse(out, x, pattern, weight, bias),
        None => multiply(out, x, weight, bias.map_or(Onto::Nothing, Onto::Row)),
    }
}

fn with_epilogue<T: Real>(
    s: &Sizes,
    x: Input<T>,
    p: &Parameters<T>,
    spec: &EpilogueSpec,
    task: Task<T>,
) {
    let Task {
        place,
        mut y,
        z,
        mean,
        variance,
        kept,
    } = task;
    let mut z = z.expect("an epilogue saves its product");
    product(s, x, p, place, &mut z);
    let mut activated = None;
    let given = epilogue::given(spec, z.read(), &mut activated);
    let at = (place.r, place.column);
    match p.statistics {
        _ if spec.epsilon.is_none() => {}
        Some([given_mean, given_variance]) => {
            let part = |v| part(Some(v), s, at, y.width()).unwrap_or_default();
            mean.copy_from_slice(part(given_mean));
            variance.copy_from_slice(part(given_variance));
        }
        None => {
            epilogue::moments(given, mean, variance);
            let share = T::of(1.0 / s.batch as f64);
            variance.iter_mut().for_each(|v| *v *= share);
        }
    }
    let channels = channels(s, spec, p, at, [mean, variance], y.width());
    epilogue::apply(spec, &channels, given, &mut y);
    if let (Some(masks), Some(mut kept)) = (&spec.dropout, kept) {
        epilogue::draw(masks, place, &mut kept);
        epilogue::drop(masks, kept.read(), &mut y);
    }
}

/// A task of the backward pass: a block of columns of the gradient and of what comes of it.
struct BackwardTask<'a, T> {
    at: (usize, usize),
    d: ColumnsMut<'a, T>,
    weight: ColumnsMut<'a, T>,
    bias: &'a mut [T],
    scale: &'a mut [T],
    center: &'a mut [T],
}

pub(super) fn backward<T: Real>(
    s: &Sizes,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
    saved: &Saved<T>,
    dy: Upstream<T>,
    wants_x: bool,
) -> Gradients<T> {
    let mut out = Gradients::new(s, p, epilogue);
    let (c, width) = (s.outputs, block(s.batch, s.inputs, s.outputs));
    let blocks = c.div_ceil(width);
    {
        let Gradients {
            weight,
            bias,
            scale,
            center,
            ..
        } = &mut out;
        let mut bias = blocks_of_channels(bias, c, width);
        let mut scale = blocks_of_channels(scale, c, width);
        let mut center = blocks_of_channels(center, c, width);
        let weights = split(weight, s.inputs, c, width);
        let d = split(&mut *dy.d, s.batch, c, width);
        let task = |(i, (d, weight))| BackwardTask {
            at: (i / blocks, i % blocks * width),
            d,
            weight,
            bias: bias.next().unwrap_or_default(),
            scale: scale.next().unwrap_or_default(),
            center: center.next().unwrap_or_default(),
        };
        let tasks = d.into_iter().zip(weights).enumerate().map(task).collect();
        // The weights' gradient has the transpose of the input on its left.
        let turned = |pattern: &Option<Pattern<T>>| pattern.as_ref().map(Pattern::transposed);
        let patterns: Vec<_> = saved.patterns.iter().map(turned).collect();
        for_each(tasks, |task| {
            let r = task.at.0;
            let x = Input::of(s, x, &patterns, r);
            of_block(s, x, p, epilogue, saved, dy.from, task);
        });
    }
    out.x = wants_x.then(|| input_gradient(s, p, dy.d));
    out
}

/// The gradients that a block of columns has; `d` becomes the gradient of the product.
fn of_block<T: Real>(
    s: &Sizes,
    Input { x, pattern }: Input<T>,
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
    saved: &Saved<T>,
    upstream: Option<&[T]>,
    task: BackwardTask<T>,
) {
    let BackwardTask {
        at: (r, from),
        mut d,
        mut weight,
        bias,
        scale,
        center,
    } = task;
    if let Some(upstream) = upstream {
        let size = s.batch * s.outputs;
        let upstream = Columns::of(&upstream[r * size..][..size], s.outputs, from, d.width());
        for row in 0..s.batch {
            d.row_mut(row).copy_from_slice(upstream.row(row));
        }
    }
    if let Some(spec) = epilogue {
        let sums = through_epilogue(s, p, spec, saved, (r, from), &mut d);
        copy(&sums.products, scale);
        copy(&sums.plain, center);
    }
    if !bias.is_empty() {
        copy(&epilogue::sum_rows(d.read()), bias);
    }
    let x = Left::transposed(x, s.batch, s.inputs);
    match pattern {
        Some(pattern) => sparse(&mut weight, x, pattern, d.read(), None),
        None => multiply(&mut weight, x, d.read(), Onto::Nothing),
    }
}

/// Copies into what was asked for.
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    if !to.is_empty() {
        to.copy_from_slice(from);
    }
}

fn through_epilogue<T: Real>(
    s: &Sizes,
    p: &Parameters<T>,
    spec: &EpilogueSpec,
    saved: &Saved<T>,
    (r, from): (usize, usize),
    d: &mut ColumnsMut<T>,
) -> Sums<T> {
    let (size, width) = (s.batch * s.outputs, d.width());
    let z = Columns::of(&saved.z[r * size..][..size], s.outputs, from, width);
    let statistics = saved.statistics(s, spec, (r, from), width);
    let channels = channels(s, spec, p, (r, from), statistics, width);
    if let Some(masks) = &spec.dropout {
        let kept = &saved.kept[r * size..][..size];
        epilogue::drop(masks, Columns::of(kept, s.outputs, from, width), d);
    }
    let mut activated = None;
    let given = epilogue::given(spec, z, &mut activated);
    let sums = epilogue::to_norm(spec, &channels, given, d);
    if spec.epsilon.is_some() {
        epilogue::through_norm(spec, &channels, z, &sums.per_row(s.batch), d);
    }
    sums
}

/// `dx = d W^T`, from the gradient of the product.
fn input_gradient<T: Real>(s: &Sizes, p: &Parameters<T>, d: &[T]) -> Buffer<T> {
    let mut dx = Buffer::unspecified(s.replicas * s.input());
    let width = block(s.batch, s.outputs, s.inputs);
    let blocks = s.inputs.div_ceil(width);
    let tasks = split(&mut dx, s.batch, s.inputs, width);
    for_each(tasks.into_iter().enumerate().collect(), |(i, mut dx)| {
        let (r, from) = (i / blocks, i % blocks * width);
        let size = s.batch * s.outputs;
        let d = Left::row_major(&d[r * size..][..size], s.batch, s.outputs);
        let weight = &p.weight[r * s.weights()..][from * s.outputs..][..dx.width() * s.outputs];
        let mut turned = Buffer::unspecified(weight.len());
        transpose(weight, s.outputs, &mut turned);
        let turned = Columns::whole(&turned, dx.width());
        multiply(&mut dx, d, turned, Onto::Nothing);
    });
    dx
}
