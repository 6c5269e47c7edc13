//! Batch norm fused with the activation before or after it, in the fewest passes over memory.
//!
//! The forward pass has one pass for the mean, one for the variance and one for the output. The
//! backward pass has one for both sums in the norm's derivative (Ioffe and Szegedy 2015, section 3)
//! and one for the gradient. Intermediate values are recomputed and never stored.

use super::arguments::{NormChannels, NormSpec};
use super::columns::{self, CubeShape, ReductionGrid, UnitPosition, cube_sum};
use super::functions::{NormFunction, norm_input, slope, value};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Mean and biased variance of the norm's input, `[replicas, channels]` each, for `x` of
/// `[replicas, rows, channels]`.
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

/// The norm of `x` and its activation.
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

/// The gradients of `x`, scale and center, from the gradient `dy` of the output.
pub(super) fn gradient(
    x: CubeTensor,
    dy: CubeTensor,
    channels: NormChannels<CubeBackend>,
    spec: &NormSpec,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let (x, dy, p) = (into_contiguous(x), into_contiguous(dy), row_major(channels));
    let [r, rows, c] = x.meta.shape().dims();
    let vector = columns::vector_size(&x, c);
    let grid = ReductionGrid::new([r, rows, c / vector]);
    let [scales, centers] = [(); 2].map(|()| columns::empty(&x, [r, grid.chunks, c]));
    sum_gradients::launch(
        &x.client,
        grid.cubes(),
        grid.cube_dim(),
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
        grid.rows,
        c / vector,
        spec.epsilon as f32,
        spec.into(),
        grid.cube,
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

/// One over the standard deviation.
#[cube]
fn inverse_deviation<N: Size>(variance: Vector<f32, N>, epsilon: f32) -> Vector<f32, N> {
    Vector::recip(Vector::sqrt(variance + Vector::new(epsilon)))
}

#[cube(launch, address_type = "dynamic")]
#[expect(
    clippy::too_many_arguments,
    reason = "kernels take tensors and scalars only"
)]
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
    #[comptime] function: NormFunction,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let channel = ABSOLUTE_POS / (rows * columns) * columns + ABSOLUTE_POS % columns;
    let difference = norm_input(x[ABSOLUTE_POS], function) - mean[channel];
    let normal = difference * inverse_deviation(variance[channel], epsilon);
    let normed = normal * scale[channel] + center[channel];
    y[ABSOLUTE_POS] = if comptime!(function.norm_after) {
        normed
    } else {
        value(normed, function.activation)
    };
}

/// The gradient of the norm's output `normed`, from the gradient `dy` of the block's output.
#[cube]
fn norm_gradient<N: Size>(
    dy: Vector<f32, N>,
    normed: Vector<f32, N>,
    #[comptime] function: NormFunction,
) -> Vector<f32, N> {
    if comptime!(function.norm_after) {
        dy
    } else {
        dy * slope(normed, function.activation)
    }
}

/// Sums of the gradient of the norm's output, and of its product with the normalized values: the
/// gradients of center and scale.
#[cube(launch, address_type = "dynamic")]
#[expect(
    clippy::too_many_arguments,
    reason = "kernels take tensors and scalars only"
)]
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
    #[comptime] function: NormFunction,
    #[comptime] cube: CubeShape,
) {
    let position = UnitPosition::new(rows, rows_each, cube);
    let mut for_scale = Vector::new(0.0f32);
    let mut for_center = Vector::new(0.0f32);
    if position.column < columns {
        let channel = position.channel(columns);
        let mean = mean[channel];
        let reciprocal = inverse_deviation(variance[channel], epsilon);
        let scale = scale[channel];
        let center = center[channel];
        let mut row = position.row;
        while row < position.end {
            let at = position.at(row, rows, columns);
            let normal = (norm_input(x[at], function) - mean) * reciprocal;
            let gradient = norm_gradient(dy[at], normal * scale + center, function);
            for_scale += gradient * normal;
            for_center += gradient;
            row += cube.rows;
        }
    }
    let for_scale = cube_sum(for_scale, cube);
    let for_center = cube_sum(for_center, cube);
    if position.writes(columns, cube) {
        scales[position.output(columns)] = for_scale;
        centers[position.output(columns)] = for_center;
    }
}

/// The gradient of `x`; `share` is one over the number of rows.
#[cube(launch, address_type = "dynamic")]
#[expect(
    clippy::too_many_arguments,
    reason = "kernels take tensors and scalars only"
)]
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
    #[comptime] function: NormFunction,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let channel = ABSOLUTE_POS / (rows * columns) * columns + ABSOLUTE_POS % columns;
    let x = x[ABSOLUTE_POS];
    let scale = scale[channel];
    let reciprocal = inverse_deviation(variance[channel], epsilon);
    let normal = (norm_input(x, function) - mean[channel]) * reciprocal;
    let gradient = norm_gradient(dy[ABSOLUTE_POS], normal * scale + center[channel], function);
    let shared = center_gradient[channel] + normal * scale_gradient[channel];
    let dx_norm = (gradient - shared * Vector::new(share)) * scale * reciprocal;
    dx[ABSOLUTE_POS] = if comptime!(function.norm_after) {
        dx_norm * slope(x, function.activation)
    } else {
        dx_norm
    };
}
