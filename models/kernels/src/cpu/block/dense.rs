//! Dense blocks. A task takes a block of columns of one replica, with all rows. So it can compute the
//! statistics of its units as soon as it has their product.

use super::shape::BlockShape;
use super::types::{
    Forward, Gradients, OutputGradient, Parameters, Saved, channel_slice, copy, norm_channels,
};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::epilogue::{self, ColumnBlock, GradientSums};
use crate::cpu::parallel::for_each;
use crate::cpu::product::{Addend, LeftOperand, SparsityPattern, product, sparse_product};
use crate::cpu::real::Real;
use crate::cpu::transpose::transpose;
use crate::spec::EpilogueSpec;

/// Smallest number of multiplications per task.
const TASK: usize = 1 << 22;

/// Smallest number of columns per task, if there are enough for two tasks: the random numbers of one
/// draw of a mask, or eight of the widest vectors.
const BLOCK: usize = 128;

/// Number of output columns below which finding a sparsity pattern takes longer than it saves.
const SPARSE_COLUMNS: usize = 64;

/// Number of input rows below which a sparse product takes longer than a dense one.
const SPARSE_ROWS: usize = 16;

/// Columns per task; depends on the shapes only.
fn block_width(rows: usize, inner: usize, columns: usize) -> usize {
    let block = if columns < 2 * BLOCK {
        BLOCK / 2
    } else {
        BLOCK
    };
    let tasks = (rows * inner * columns / TASK).clamp(1, columns.div_ceil(block));
    columns.div_ceil(tasks).next_multiple_of(32).min(columns)
}

/// The sparsity pattern of each replica's input; empty if it would not pay.
fn sparsity_patterns<T: Real>(s: &BlockShape, x: &[T]) -> Vec<Option<SparsityPattern<T>>> {
    if s.outputs < SPARSE_COLUMNS || s.batch < SPARSE_ROWS {
        return Vec::new();
    }
    let replicas = x.chunks(s.input());
    replicas.map(|x| SparsityPattern::of(x, s.inputs)).collect()
}

/// Blocks of `width` columns of every replica, in order; none if `values` is empty.
fn split<T>(values: &mut [T], rows: usize, stride: usize, width: usize) -> Vec<ColumnsMut<'_, T>> {
    let replicas = values.chunks_mut((rows * stride).max(1));
    let blocks = replicas.flat_map(|values| ColumnsMut::split(values, stride, width));
    blocks.collect()
}

/// Blocks of `width` channels of every replica, in order.
fn channel_blocks<T>(
    values: &mut [T],
    channels: usize,
    width: usize,
) -> impl Iterator<Item = &mut [T]> {
    let replicas = values.chunks_mut(channels);
    replicas.flat_map(move |values| values.chunks_mut(width))
}

/// A task of the forward pass. Without an epilogue, `y` is the product and the other fields are empty.
struct ForwardTask<'a, T> {
    block: ColumnBlock,
    y: ColumnsMut<'a, T>,
    z: Option<ColumnsMut<'a, T>>,
    mean: &'a mut [T],
    variance: &'a mut [T],
    kept: Option<ColumnsMut<'a, u8>>,
}

pub(super) fn forward<T: Real>(
    s: &BlockShape,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
) -> Forward<T> {
    let mut y = Buffer::unspecified(s.replicas * s.batch * s.outputs);
    let mut saved = Saved::new(s, epilogue);
    let width = block_width(s.batch, s.inputs, s.outputs);
    let patterns = sparsity_patterns(s, x);
    for_each(tasks(s, &mut y, &mut saved, width), |task| {
        let r = task.block.replica;
        let x = Input::of(s, x, &patterns, r);
        match epilogue {
            Some(spec) => linear_and_epilogue(s, x, p, spec, task),
            None => {
                let mut y = task.y;
                linear(s, x, p, task.block, &mut y);
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
    pattern: Option<&'a SparsityPattern<T>>,
}

impl<'a, T> Input<'a, T> {
    /// The input of replica `r`.
    fn of(
        s: &BlockShape,
        x: &'a [T],
        patterns: &'a [Option<SparsityPattern<T>>],
        r: usize,
    ) -> Self {
        Self {
            x: &x[r * s.input()..][..s.input()],
            pattern: patterns.get(r).and_then(Option::as_ref),
        }
    }
}

fn tasks<'a, T: Real>(
    s: &BlockShape,
    y: &'a mut [T],
    saved: &'a mut Saved<T>,
    width: usize,
) -> Vec<ForwardTask<'a, T>> {
    let (rows, c) = (s.batch, s.outputs);
    let blocks = c.div_ceil(width);
    let mut z = split(&mut saved.z, rows, c, width).into_iter();
    let mut kept = split(&mut saved.kept, rows, c, width).into_iter();
    let mut mean = channel_blocks(&mut saved.mean, c, width);
    let mut variance = channel_blocks(&mut saved.variance, c, width);
    let y = split(y, rows, c, width).into_iter().enumerate();
    let task = |(i, y)| ForwardTask {
        block: ColumnBlock {
            replica: i / blocks,
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

/// `out = x W + b`, for a block of columns.
fn linear<T: Real>(
    s: &BlockShape,
    Input { x, pattern }: Input<T>,
    p: &Parameters<T>,
    block: ColumnBlock,
    out: &mut ColumnsMut<T>,
) {
    let ColumnBlock {
        replica: r, column, ..
    } = block;
    let weight = &p.weight[r * s.weights()..][..s.weights()];
    let weight = Columns::of(weight, s.outputs, column, out.width());
    let bias = channel_slice(p.bias, s, (r, column), out.width());
    let x = LeftOperand::row_major(x, s.batch, s.inputs);
    match pattern {
        Some(pattern) => sparse_product(out, x, pattern, weight, bias),
        None => product(out, x, weight, bias.map_or(Addend::None, Addend::Row)),
    }
}

fn linear_and_epilogue<T: Real>(
    s: &BlockShape,
    x: Input<T>,
    p: &Parameters<T>,
    spec: &EpilogueSpec,
    task: ForwardTask<T>,
) {
    let ForwardTask {
        block,
        mut y,
        z,
        mean,
        variance,
        kept,
    } = task;
    let mut z = z.expect("dense blocks with an epilogue keep the product");
    linear(s, x, p, block, &mut z);
    let mut activated = None;
    let norm_input = epilogue::norm_input(spec, z.read(), &mut activated);
    let at = (block.replica, block.column);
    match p.statistics {
        _ if spec.epsilon.is_none() => {}
        Some([given_mean, given_variance]) => {
            let slice = |v| channel_slice(Some(v), s, at, y.width()).unwrap_or_default();
            mean.copy_from_slice(slice(given_mean));
            variance.copy_from_slice(slice(given_variance));
        }
        None => {
            epilogue::moments(norm_input, mean, variance);
            let share = T::from_f64(1.0 / s.batch as f64);
            variance.iter_mut().for_each(|v| *v *= share);
        }
    }
    let channels = norm_channels(s, spec, p, at, [mean, variance], y.width());
    epilogue::apply(spec, &channels, norm_input, &mut y);
    if let (Some(masks), Some(mut kept)) = (&spec.dropout, kept) {
        epilogue::drop_out(masks, block, &mut kept, &mut y);
    }
}

/// A task of the backward pass: a block of columns of the output gradient and of the parameter
/// gradients.
struct BackwardTask<'a, T> {
    /// Replica, and first column of the block.
    at: (usize, usize),
    d: ColumnsMut<'a, T>,
    weight: ColumnsMut<'a, T>,
    bias: &'a mut [T],
    scale: &'a mut [T],
    center: &'a mut [T],
}

pub(super) fn backward<T: Real>(
    s: &BlockShape,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
    saved: &Saved<T>,
    dy: OutputGradient<T>,
    wants_x: bool,
) -> Gradients<T> {
    let mut out = Gradients::new(s, p, epilogue);
    let (c, width) = (s.outputs, block_width(s.batch, s.inputs, s.outputs));
    let blocks = c.div_ceil(width);
    {
        let Gradients {
            weight,
            bias,
            scale,
            center,
            ..
        } = &mut out;
        let mut bias = channel_blocks(bias, c, width);
        let mut scale = channel_blocks(scale, c, width);
        let mut center = channel_blocks(center, c, width);
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
        // In the weight gradient, the left operand is the transpose of the input.
        let transposed = |pattern: &Option<SparsityPattern<T>>| {
            pattern.as_ref().map(SparsityPattern::transposed)
        };
        let patterns: Vec<_> = saved.patterns.iter().map(transposed).collect();
        for_each(tasks, |task| {
            let r = task.at.0;
            let x = Input::of(s, x, &patterns, r);
            block_gradients(s, x, p, epilogue, saved, dy.source, task);
        });
    }
    out.x = wants_x.then(|| input_gradient(s, p, dy.d));
    out
}

/// Computes the parameter gradients of a block of columns; `d` becomes the gradient of the product.
fn block_gradients<T: Real>(
    s: &BlockShape,
    Input { x, pattern }: Input<T>,
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
    saved: &Saved<T>,
    source: Option<&[T]>,
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
    if let Some(source) = source {
        let size = s.batch * s.outputs;
        let source = Columns::of(&source[r * size..][..size], s.outputs, from, d.width());
        for row in 0..s.batch {
            d.row_mut(row).copy_from_slice(source.row(row));
        }
    }
    if let Some(spec) = epilogue {
        let sums = backward_epilogue(s, p, spec, saved, (r, from), &mut d);
        copy(&sums.product, scale);
        copy(&sums.gradient, center);
    }
    if !bias.is_empty() {
        copy(&epilogue::sum_rows(d.read()), bias);
    }
    let x = LeftOperand::transposed(x, s.batch, s.inputs);
    match pattern {
        Some(pattern) => sparse_product(&mut weight, x, pattern, d.read(), None),
        None => product(&mut weight, x, d.read(), Addend::None),
    }
}

/// Replaces the gradient `d` of the output by that of the product, and returns the sums for scale and
/// center.
fn backward_epilogue<T: Real>(
    s: &BlockShape,
    p: &Parameters<T>,
    spec: &EpilogueSpec,
    saved: &Saved<T>,
    (r, from): (usize, usize),
    d: &mut ColumnsMut<T>,
) -> GradientSums<T> {
    let (size, width) = (s.batch * s.outputs, d.width());
    let z = Columns::of(&saved.z[r * size..][..size], s.outputs, from, width);
    let statistics = saved.statistics(s, spec, (r, from), width);
    let channels = norm_channels(s, spec, p, (r, from), statistics, width);
    if let Some(masks) = &spec.dropout {
        let kept = &saved.kept[r * size..][..size];
        epilogue::apply_mask(masks, Columns::of(kept, s.outputs, from, width), d);
    }
    let mut activated = None;
    let norm_input = epilogue::norm_input(spec, z, &mut activated);
    let sums = epilogue::backward_activation(spec, &channels, norm_input, d);
    if spec.epsilon.is_some() {
        epilogue::backward_norm(spec, &channels, z, &sums.means(s.batch), d);
    }
    sums
}

/// `dx = d W^T`, from the gradient of the product.
fn input_gradient<T: Real>(s: &BlockShape, p: &Parameters<T>, d: &[T]) -> Buffer<T> {
    let mut dx = Buffer::unspecified(s.replicas * s.input());
    let width = block_width(s.batch, s.outputs, s.inputs);
    let blocks = s.inputs.div_ceil(width);
    let tasks = split(&mut dx, s.batch, s.inputs, width);
    for_each(tasks.into_iter().enumerate().collect(), |(i, mut dx)| {
        let (r, from) = (i / blocks, i % blocks * width);
        let size = s.batch * s.outputs;
        let d = LeftOperand::row_major(&d[r * size..][..size], s.batch, s.outputs);
        let weight = &p.weight[r * s.weights()..][from * s.outputs..][..dx.width() * s.outputs];
        let mut transposed = Buffer::unspecified(weight.len());
        transpose(weight, s.outputs, &mut transposed);
        let transposed = Columns::whole(&transposed, dx.width());
        product(&mut dx, d, transposed, Addend::None);
    });
    dx
}
