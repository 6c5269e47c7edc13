//! Batch norm and the activation on either side of it in the least number of passes: forward, one
//! for the mean, one for the variance and one for the output; backward, one for both sums that the
//! norm's derivative has (Ioffe and Szegedy 2015, section 3) and one for the gradient. What lies
//! between the input and the output is computed again and never stored.

use super::NormChannels;
use super::columns::{self, Cube, Cut, Place, add_up};
use super::functions::{Epilogue, seen, slope, value};
use crate::spec::NormSpec;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Mean and biased variance of every column of `x`, `[replicas, rows, channels]`, or of its
/// activation where the norm stands behind it; `[replicas, channels]` each.
pub(super) fn moments(x: CubeTensor, spec: &NormSpec) -> (CubeTensor, CubeTensor) {
    let x = into_contiguous(x);
    let share = 1.0 / x.meta.shape()[1] as f32;
    let mean = columns::sum(x.clone(), None, spec.into(), share);
    let variance = columns::sum(x, Some(mean.clone()), spec.into(), share);
    (mean, variance)
}

fn row_major(channels: NormChannels<CubeBackend>) -> NormChannels<CubeBackend> {
    NormChannels {
        mean: into_contiguous(channels.mean),
        variance: into_contiguous(channels.variance),
        scale: into_contiguous(channels.scale),
        center: into_contiguous(channels.center),
    }
}

/// The output of `x`.
pub(super) fn apply(
    x: CubeTensor,
    channels: NormChannels<CubeBackend>,
    spec: &NormSpec,
) -> CubeTensor {
    let (x, p) = (into_contiguous(x), row_major(channels));
    let [_, rows, c] = x.meta.shape().dims();
    let vector = columns::vector_size(&x, c);
    let y = columns::empty(&x, x.meta.shape().clone());
    let units = x.meta.num_elements() / vector;
    let cube_dim = CubeDim::new(&x.client, units);
    apply_norm::launch(
        &x.client,
        calculate_cube_count_elemwise(&x.client, units, cube_dim),
        cube_dim,
        x.required_address_type(),
        vector,
        x.clone().into_tensor_arg(),
        p.mean.into_tensor_arg(),
        p.variance.into_tensor_arg(),
        p.scale.into_tensor_arg(),
        p.center.into_tensor_arg(),
        y.clone().into_tensor_arg(),
        units,
        rows,
        c / vector,
        spec.epsilon as f32,
        spec.into(),
    );
    y
}

/// The gradients of `x`, scale and center by that of the output.
pub(super) fn gradient(
    x: CubeTensor,
    dy: CubeTensor,
    channels: NormChannels<CubeBackend>,
    spec: &NormSpec,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let (x, dy, p) = (into_contiguous(x), into_contiguous(dy), row_major(channels));
    let [r, rows, c] = x.meta.shape().dims();
    let vector = columns::vector_size(&x, c);
    let cut = Cut::new([r, rows, c / vector]);
    let [scales, centers] = [(); 2].map(|()| columns::empty(&x, [r, cut.chunks, c]));
    sum_gradients::launch(
        &x.client,
        cut.cubes(),
        cut.cube_dim(),
        x.required_address_type(),
        vector,
        x.clone().into_tensor_arg(),
        dy.clone().into_tensor_arg(),
        p.mean.clone().into_tensor_arg(),
        p.variance.clone().into_tensor_arg(),
        p.scale.clone().into_tensor_arg(),
        p.center.clone().into_tensor_arg(),
        scales.clone().into_tensor_arg(),
        centers.clone().into_tensor_arg(),
        rows,
        cut.rows,
        c / vector,
        spec.epsilon as f32,
        spec.into(),
        cut.cube,
    );
    let [scale, center] = [scales, centers].map(|sums| columns::finish(sums, 1.0));
    let dx = columns::empty(&x, x.meta.shape().clone());
    let units = x.meta.num_elements() / vector;
    let cube_dim = CubeDim::new(&x.client, units);
    input_gradient::launch(
        &x.client,
        calculate_cube_count_elemwise(&x.client, units, cube_dim),
        cube_dim,
        x.required_address_type(),
        vector,
        x.clone().into_tensor_arg(),
        dy.into_tensor_arg(),
        p.mean.into_tensor_arg(),
        p.variance.into_tensor_arg(),
        p.scale.into_tensor_arg(),
        p.center.into_tensor_arg(),
        scale.clone().into_tensor_arg(),
        center.clone().into_tensor_arg(),
        dx.clone().into_tensor_arg(),
        units,
        rows,
        c / vector,
        spec.epsilon as f32,
        1.0 / rows as f32,
        spec.into(),
    );
    (dx, scale, center)
}

/// The reciprocal of the deviation.
#[cube]
fn reciprocal<N: Size>(variance: Vector<f32, N>, epsilon: f32) -> Vector<f32, N> {
    Vector::recip(Vector::sqrt(variance + Vector::new(epsilon)))
}

#[cube(launch, address_type = "dynamic")]
#[expect(clippy::too_many_arguments, reason = "a kernel takes plain numbers")]
fn apply_norm<N: Size>(
    x: &Tensor<Vector<f32, N>>,
    mean: &Tensor<Vector<f32, N>>,
    variance: &Tensor<Vector<f32, N>>,
    scale: &Tensor<Vector<f32, N>>,
    center: &Tensor<Vector<f32, N>>,
    y: &mut Tensor<Vector<f32, N>>,
    units: usize,
    rows: usize,
    columns: usize,
    epsilon: f32,
    #[comptime] epilogue: Epilogue,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let channel = ABSOLUTE_POS / (rows * columns) * columns + ABSOLUTE_POS % columns;
    let off = seen(x[ABSOLUTE_POS], epilogue) - mean[channel];
    let normal = off * reciprocal(variance[channel], epsilon);
    let normed = normal * scale[channel] + center[channel];
    y[ABSOLUTE_POS] = if comptime!(epilogue.after) {
        normed
    } else {
        value(normed, epilogue.activation)
    };
}

/// The gradient of the norm's output, where the norm gave `normed`.
#[cube]
fn arriving<N: Size>(
    dy: Vector<f32, N>,
    normed: Vector<f32, N>,
    #[comptime] epilogue: Epilogue,
) -> Vector<f32, N> {
    if comptime!(epilogue.after) {
        dy
    } else {
        dy * slope(normed, epilogue.activation)
    }
}

/// Sums of the gradient of the norm's output, and of it times what is normalized: the gradients of
/// center and scale.
#[cube(launch, address_type = "dynamic")]
#[expect(clippy::too_many_arguments, reason = "a kernel takes plain numbers")]
fn sum_gradients<N: Size>(
    x: &Tensor<Vector<f32, N>>,
    dy: &Tensor<Vector<f32, N>>,
    mean: &Tensor<Vector<f32, N>>,
    variance: &Tensor<Vector<f32, N>>,
    scale: &Tensor<Vector<f32, N>>,
    center: &Tensor<Vector<f32, N>>,
    scales: &mut Tensor<Vector<f32, N>>,
    centers: &mut Tensor<Vector<f32, N>>,
    rows: usize,
    rows_each: usize,
    columns: usize,
    epsilon: f32,
    #[comptime] epilogue: Epilogue,
    #[comptime] cube: Cube,
) {
    let place = Place::new(rows, rows_each, cube);
    let mut for_scale = Vector::new(0.0f32);
    let mut for_center = Vector::new(0.0f32);
    if place.column < columns {
        let channel = place.channel(columns);
        let mean = mean[channel];
        let reciprocal = reciprocal(variance[channel], epsilon);
        let scale = scale[channel];
        let center = center[channel];
        let mut row = place.row;
        while row < place.end {
            let at = place.at(row, rows, columns);
            let normal = (seen(x[at], epilogue) - mean) * reciprocal;
            let arrives = arriving(dy[at], normal * scale + center, epilogue);
            for_scale += arrives * normal;
            for_center += arrives;
            row += cube.high;
        }
    }
    let for_scale = add_up(for_scale, cube);
    let for_center = add_up(for_center, cube);
    if place.writes(columns, cube) {
        scales[place.output(columns)] = for_scale;
        centers[place.output(columns)] = for_center;
    }
}

/// `share` is one over the number of rows.
#[cube(launch, address_type = "dynamic")]
#[expect(clippy::too_many_arguments, reason = "a kernel takes plain numbers")]
fn input_gradient<N: Size>(
    x: &Tensor<Vector<f32, N>>,
    dy: &Tensor<Vector<f32, N>>,
    mean: &Tensor<Vector<f32, N>>,
    variance: &Tensor<Vector<f32, N>>,
    scale: &Tensor<Vector<f32, N>>,
    center: &Tensor<Vector<f32, N>>,
    scale_gradient: &Tensor<Vector<f32, N>>,
    center_gradient: &Tensor<Vector<f32, N>>,
    dx: &mut Tensor<Vector<f32, N>>,
    units: usize,
    rows: usize,
    columns: usize,
    epsilon: f32,
    share: f32,
    #[comptime] epilogue: Epilogue,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let channel = ABSOLUTE_POS / (rows * columns) * columns + ABSOLUTE_POS % columns;
    let x = x[ABSOLUTE_POS];
    let scale = scale[channel];
    let reciprocal = reciprocal(variance[channel], epsilon);
    let normal = (seen(x, epilogue) - mean[channel]) * reciprocal;
    let arrives = arriving(dy[ABSOLUTE_POS], normal * scale + center[channel], epilogue);
    let shared = center_gradient[channel] + normal * scale_gradient[channel];
    let leaves = (arrives - shared * Vector::new(share)) * scale * reciprocal;
    dx[ABSOLUTE_POS] = if comptime!(epilogue.after) {
        leaves * slope(x, epilogue.activation)
    } else {
        leaves
    };
}
