//! Backward pass of convolution blocks.

use super::context::ConvContext;
use crate::cpu::block::convolution::{InputGradient, WeightGradient, WeightedConv};
use crate::cpu::block::shape::{BlockShape, ImageShape};
use crate::cpu::block::tiles::{chunk, equal_parts};
use crate::cpu::block::types::{Gradients, OutputGradient, Parameters, Saved, copy, norm_channels};
use crate::cpu::buffers::Buffer;
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::epilogue::{self, Channels, GradientSums};
use crate::cpu::parallel::for_each;
use crate::cpu::real::Real;
use crate::spec::EpilogueSpec;

/// Largest number of partial sums over images, which are computed in parallel.
const GROUPS: usize = 16;

/// Arrays that one replica's backward pass reads and writes.
struct ReplicaGradients<'a, T> {
    r: usize,
    inputs: ReplicaInputs<'a, T>,
    /// Initially the gradient of the output.
    d: &'a mut [T],
    dx: &'a mut [T],
    weight: &'a mut [T],
    bias: &'a mut [T],
    scale: &'a mut [T],
    center: &'a mut [T],
}

#[expect(
    clippy::too_many_arguments,
    reason = "the only caller passes its own arguments on"
)]
pub(in crate::cpu::block) fn backward<T: Real>(
    s: &BlockShape,
    image: ImageShape,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
    saved: &Saved<T>,
    dy: OutputGradient<T>,
    wants_x: bool,
) -> Gradients<T> {
    let context = ConvContext::new(s, image, p, epilogue);
    let n = s.replicas;
    let mut out = Gradients::new(s, p, epilogue);
    let mut dx = wants_x.then(|| Buffer::unspecified(n * s.input()));
    let size = dy.d.len() / n;
    let arrays = equal_parts(dy.d, n)
        .zip(equal_parts(dx.as_deref_mut().unwrap_or_default(), n))
        .zip(equal_parts(&mut out.weight, n))
        .zip(equal_parts(&mut out.bias, n))
        .zip(equal_parts(&mut out.scale, n))
        .zip(equal_parts(&mut out.center, n))
        .enumerate();
    let replica = |(r, (((((d, dx), weight), bias), scale), center))| ReplicaGradients {
        r,
        inputs: ReplicaInputs {
            x: chunk(x, r, s.input()),
            source: dy.source.map(|source| chunk(source, r, size)),
            z: chunk(&saved.z, r, saved.z.len() / n),
            kept: chunk(&saved.kept, r, saved.kept.len() / n),
            argmax: chunk(&saved.argmax, r, saved.argmax.len() / n),
            recompute: (epilogue.is_some() && !s.keeps_product()).then(|| context.convolution(r)),
        },
        d,
        dx,
        weight,
        bias,
        scale,
        center,
    };
    for_each(arrays.map(replica).collect(), |g| {
        backward_replica(&context, saved, g);
    });
    out.x = dx;
    out
}

fn backward_replica<T: Real>(context: &ConvContext<T>, saved: &Saved<T>, g: ReplicaGradients<T>) {
    let (s, c, r) = (context.s, context.s.outputs, g.r);
    let [in_x, _, in_y] = context.tile_sizes();
    let norm = context.epilogue.map(|spec| {
        let statistics = saved.statistics(s, spec, (r, 0), c);
        let channels = norm_channels(s, spec, context.p, (r, 0), statistics, c);
        let sums = backward_activation(context, spec, &channels, &g.inputs, g.d);
        if spec.epsilon.is_none() {
            return (spec, channels, GradientSums::zeros(c));
        }
        copy(&sums.product, g.scale);
        copy(&sums.gradient, g.center);
        (spec, channels, sums.means(s.rows()))
    });
    let norm = norm.as_ref().map(|(spec, channels, means)| NormBackward {
        spec,
        channels,
        means,
    });
    // The first group sums into the result, the others into separate memory.
    let group = s.batch.div_ceil(context.tile).div_ceil(GROUPS);
    let groups = s.batch.div_ceil(context.tile * group);
    let mut more = Buffer::unspecified((groups - 1) * s.weights());
    let mut biases = vec![T::ZERO; groups * g.bias.len()];
    let weights = std::iter::once(&mut *g.weight).chain(more.chunks_mut(s.weights()));
    let input_gradient =
        (!g.dx.is_empty()).then(|| InputGradient::new(context.convolution, context.weight(r)));
    let mut dx = g.dx.chunks_mut(group * in_x);
    let mut bias = equal_parts(&mut biases, groups);
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
        group_gradients(context, &g.inputs, norm, input_gradient.as_ref(), group)
    });
    for more in more.chunks(s.weights()) {
        epilogue::add(g.weight, more);
    }
    for more in biases.chunks(c) {
        epilogue::add(g.bias, more);
    }
}

/// Arrays that a replica's backward pass reads, with all tiles in order.
struct ReplicaInputs<'a, T> {
    x: &'a [T],
    /// The gradient of the output, if it must be copied to `d` first.
    source: Option<&'a [T]>,
    z: &'a [T],
    kept: &'a [u8],
    argmax: &'a [T],
    /// The convolution, if the product was not kept and must be recomputed.
    recompute: Option<WeightedConv<'a, T>>,
}

impl<T: Real> ReplicaInputs<'_, T> {
    /// Copies the output gradient of tile `i` to `d`, if it is not there yet.
    fn copy_gradient(&self, context: &ConvContext<T>, i: usize, d: &mut [T]) {
        if let Some(source) = self.source {
            let [_, _, in_y] = context.tile_sizes();
            d.copy_from_slice(chunk(source, i, in_y));
        }
    }

    /// The product of tile `i`; in `workspace` if it was not kept.
    fn product<'b>(
        &'b self,
        context: &ConvContext<T>,
        i: usize,
        workspace: &'b mut Option<Buffer<T>>,
    ) -> &'b [T] {
        let [in_x, in_z, _] = context.tile_sizes();
        let Some(convolution) = &self.recompute else {
            return chunk(self.z, i, in_z);
        };
        let x = chunk(self.x, i, in_x);
        let workspace = workspace.get_or_insert_with(|| Buffer::unspecified(in_z));
        let z = &mut workspace[..context.product_len(x)];
        convolution.apply(x, &mut convolution.workspace(), z);
        z
    }
}

/// Replaces the output gradient of a replica by that of the norm's output, and returns its sums.
fn backward_activation<T: Real>(
    context: &ConvContext<T>,
    spec: &EpilogueSpec,
    channels: &Channels<T>,
    inputs: &ReplicaInputs<T>,
    d: &mut [T],
) -> GradientSums<T> {
    let c = context.s.outputs;
    let [_, in_z, in_y] = context.tile_sizes();
    let mut sums = vec![GradientSums::zeros(c); d.len().div_ceil(in_y)];
    let tiles = d.chunks_mut(in_y).zip(&mut sums).enumerate().collect();
    for_each(
        tiles,
        |(i, (d, sums)): (usize, (&mut [T], &mut GradientSums<T>))| {
            inputs.copy_gradient(context, i, d);
            let mut d = ColumnsMut::whole(d, c);
            if let Some(masks) = &spec.dropout {
                let kept = Columns::whole(chunk(inputs.kept, i, in_z), c);
                epilogue::apply_mask(masks, kept, &mut d);
            }
            let [mut workspace, mut activated] = [None, None];
            let norm_input = match spec.pool {
                true => context.columns(chunk(inputs.argmax, i, in_y)),
                false => {
                    let z = context.columns(inputs.product(context, i, &mut workspace));
                    epilogue::norm_input(spec, z, &mut activated)
                }
            };
            *sums = epilogue::backward_activation(spec, channels, norm_input, &mut d);
        },
    );
    let mut total = GradientSums::zeros(c);
    sums.iter().for_each(|sums| total.add(sums));
    total
}

/// Data for the backward pass of a norm.
#[derive(Clone, Copy)]
struct NormBackward<'a, T> {
    spec: &'a EpilogueSpec,
    channels: &'a Channels<T>,
    means: &'a GradientSums<T>,
}

impl<T: Real> NormBackward<'_, T> {
    /// The gradient of tile `i`'s product, from that of its norm's output: in place, or with pooling in a
    /// workspace.
    fn product_gradient<'a>(
        self,
        context: &ConvContext<T>,
        inputs: &ReplicaInputs<T>,
        i: usize,
        d: &'a mut [T],
        [workspace, d_workspace]: &'a mut [Option<Buffer<T>>; 2],
    ) -> &'a [T] {
        let (spec, c) = (self.spec, context.s.outputs);
        let [_, in_z, in_y] = context.tile_sizes();
        if !spec.pool && spec.epsilon.is_none() {
            return d;
        }
        let z = inputs.product(context, i, workspace);
        if spec.pool {
            let argmax = Columns::whole(chunk(inputs.argmax, i, in_y), c);
            let workspace = d_workspace.get_or_insert_with(|| Buffer::unspecified(in_z));
            let dz = &mut workspace[..z.len()];
            epilogue::backward_norm_pooled(
                spec,
                self.channels,
                context.s.windows(z.len() / c / context.patches.count()),
                context.columns(z),
                (argmax, context.columns(d)),
                self.means,
                &mut ColumnsMut::whole(dz, c),
            );
            return dz;
        }
        let columns = &mut ColumnsMut::whole(&mut *d, c);
        epilogue::backward_norm(spec, self.channels, context.columns(z), self.means, columns);
        d
    }
}

/// Tiles whose weight gradients are summed in sequence.
struct Group<'a, T> {
    /// Index of the first tile.
    first: usize,
    d: &'a mut [T],
    dx: &'a mut [T],
    weight: &'a mut [T],
    bias: &'a mut [T],
}

fn group_gradients<T: Real>(
    context: &ConvContext<T>,
    inputs: &ReplicaInputs<T>,
    norm: Option<NormBackward<T>>,
    input_gradient: Option<&InputGradient<T>>,
    g: Group<T>,
) {
    let [in_x, _, in_y] = context.tile_sizes();
    let mut weight = WeightGradient::new(context.convolution, g.weight);
    let mut workspace = context.convolution.workspace();
    let mut dx = g.dx.chunks_mut(in_x);
    let mut input_gradient = input_gradient.map(|map| (map, map.workspace()));
    let mut workspaces = [None, None];
    for (i, d) in g.d.chunks_mut(in_y).enumerate() {
        let tile = g.first + i;
        let dz = match norm {
            Some(norm) => norm.product_gradient(context, inputs, tile, d, &mut workspaces),
            None => {
                inputs.copy_gradient(context, tile, d);
                d
            }
        };
        if !g.bias.is_empty() {
            epilogue::add(g.bias, &epilogue::sum_rows(context.columns(dz)));
        }
        weight.add(chunk(inputs.x, tile, in_x), dz, &mut workspace);
        if let (Some((map, workspace)), Some(dx)) = (&mut input_gradient, dx.next()) {
            map.apply(dz, workspace, dx);
        }
    }
    weight.finish();
}
