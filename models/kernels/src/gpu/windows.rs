//! What moves numbers between images and the windows that convolutions and pooling look at. One
//! unit of the GPU makes neighbouring channels of one place, and neighbours write neighbouring
//! memory.

use super::columns::{empty, vector_size};
use crate::{Geometry, Padding};
use burn::tensor::Shape;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// `[replicas, batch * output height * output width, kernel * kernel * channels]` of `images`,
/// `[replicas, batch, height, width, channels]`.
pub(super) fn patches_shape(images: &Shape, geometry: Geometry) -> Shape {
    let [r, n, h, w, c] = images.dims();
    let places = geometry.output(h) * geometry.output(w);
    Shape::new([r, n * places, geometry.kernel.pow(2) * c])
}

/// `images` with height and width halved, rounded down.
pub(super) fn pooled_shape(images: &Shape) -> Shape {
    let [r, n, h, w, c] = images.dims();
    Shape::new([r, n, h / 2, w / 2, c])
}

/// Images and the windows over them, for which kernels are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Windows {
    height: usize,
    width: usize,
    /// Vectors of channels.
    channels: usize,
    kernel: usize,
    stride: usize,
    /// Zeros above and on the left.
    before: usize,
    /// Windows below each other.
    rows: usize,
    /// Windows beside each other.
    columns: usize,
}

impl Windows {
    fn new(images: &Shape, geometry: Geometry, vector: usize) -> Self {
        let [_, _, height, width, channels] = images.dims();
        Self {
            height,
            width,
            channels: channels / vector,
            kernel: geometry.kernel,
            stride: geometry.stride,
            before: geometry.around().0,
            rows: geometry.output(height),
            columns: geometry.output(width),
        }
    }

    /// 2x2, side by side.
    fn pooling(images: &Shape, vector: usize) -> Self {
        let geometry = Geometry {
            kernel: 2,
            stride: 2,
            padding: Padding::Valid,
        };
        Self::new(images, geometry, vector)
    }
}

/// A kernel from one tensor to another.
struct Launch {
    input: CubeTensor,
    output: CubeTensor,
    vector: usize,
    units: usize,
    cube_dim: CubeDim,
    address: AddressType,
}

impl Launch {
    /// To a tensor of shape `output`, a unit a vector of `channels` of a tensor of `numbers`.
    fn new(input: CubeTensor, output: Shape, channels: usize, numbers: usize) -> Self {
        let input = into_contiguous(input);
        let output = empty(&input, output);
        let vector = vector_size(&input, channels);
        let units = numbers / vector;
        let (a, b) = (
            input.required_address_type(),
            output.required_address_type(),
        );
        Self {
            vector,
            units,
            cube_dim: CubeDim::new(&input.client, units),
            address: a.max(b),
            input,
            output,
        }
    }

    /// With a unit a vector of the output.
    fn to(output: Shape, input: CubeTensor, channels: usize) -> Self {
        let numbers = output.num_elements();
        Self::new(input, output, channels, numbers)
    }
}

/// Launches a kernel on the tensors given, if it has any units.
macro_rules! launch {
    ($kernel:ident, $launch:ident, [$($tensor:expr),+], $windows:expr) => {
        if $launch.units > 0 {
            $kernel::launch(
                &$launch.input.client,
                calculate_cube_count_elemwise(
                    &$launch.input.client,
                    $launch.units,
                    $launch.cube_dim,
                ),
                $launch.cube_dim,
                $launch.address,
                $launch.vector,
                $($tensor.clone().into_tensor_arg(),)+
                $launch.units,
                $windows,
            );
        }
    };
}

fn channels(images: &Shape) -> usize {
    let [_, _, _, _, c] = images.dims();
    c
}

/// The patches of a convolution side by side, zeros outside of the images.
pub(super) fn patches(images: CubeTensor, geometry: Geometry) -> CubeTensor {
    let shape = images.meta.shape().clone();
    let l = Launch::to(patches_shape(&shape, geometry), images, channels(&shape));
    let windows = Windows::new(&shape, geometry, l.vector);
    launch!(gather_patches, l, [l.input, l.output], windows);
    l.output
}

/// The adjoint of [`patches`]: every place of the images is the sum of where it lies in patches.
pub(super) fn unpatch(patches: CubeTensor, images: &Shape, geometry: Geometry) -> CubeTensor {
    let l = Launch::to(images.clone(), patches, channels(images));
    let windows = Windows::new(images, geometry, l.vector);
    launch!(add_patches, l, [l.input, l.output], windows);
    l.output
}

/// The largest of every 2x2 window.
pub(super) fn max_pool(images: CubeTensor) -> CubeTensor {
    let shape = images.meta.shape().clone();
    let l = Launch::to(pooled_shape(&shape), images, channels(&shape));
    let windows = Windows::pooling(&shape, l.vector);
    launch!(largest, l, [l.input, l.output], windows);
    l.output
}

/// The gradient of the images by that of [`max_pool`].
pub(super) fn max_pool_gradient(images: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let shape = images.meta.shape().clone();
    let [r, n, h, w, c] = shape.dims();
    let corners = r * n * h.div_ceil(2) * w.div_ceil(2) * c;
    let l = Launch::new(images, shape.clone(), c, corners);
    let gradient = into_contiguous(gradient);
    let windows = Windows::pooling(&shape, l.vector);
    launch!(to_the_largest, l, [l.input, gradient, l.output], windows);
    l.output
}

/// A vector of a stack of images.
#[derive(CubeType, Clone, Copy)]
struct Spot {
    image: usize,
    row: usize,
    column: usize,
    channel: usize,
}

/// The `at`-th of images of this size.
#[cube]
fn spot(
    at: usize,
    #[comptime] height: usize,
    #[comptime] width: usize,
    #[comptime] channels: usize,
) -> Spot {
    let place = at / channels;
    let line = place / width;
    Spot {
        image: line / height,
        row: line % height,
        column: place % width,
        channel: at % channels,
    }
}

#[cube(launch, address_type = "dynamic")]
fn gather_patches<N: Size>(
    images: &Tensor<Vector<f32, N>>,
    patches: &mut Tensor<Vector<f32, N>>,
    units: usize,
    #[comptime] s: Windows,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let patch = comptime!(s.kernel * s.kernel * s.channels);
    let window = spot(ABSOLUTE_POS / patch, s.rows, s.columns, 1usize);
    let tap = spot(ABSOLUTE_POS % patch, s.kernel, s.kernel, s.channels);
    // Counted from the zeros above and on the left.
    let row = window.row * s.stride + tap.row;
    let column = window.column * s.stride + tap.column;
    let inside = row >= s.before
        && row < s.height + s.before
        && column >= s.before
        && column < s.width + s.before;
    let mut value = Vector::new(0.0f32);
    if inside {
        let line = window.image * s.height + (row - s.before);
        let place = line * s.width + (column - s.before);
        value = images[place * s.channels + tap.channel];
    }
    patches[ABSOLUTE_POS] = value;
}

#[cube(launch, address_type = "dynamic")]
fn add_patches<N: Size>(
    patches: &Tensor<Vector<f32, N>>,
    images: &mut Tensor<Vector<f32, N>>,
    units: usize,
    #[comptime] s: Windows,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let here = spot(ABSOLUTE_POS, s.height, s.width, s.channels);
    let row = here.row + s.before;
    let column = here.column + s.before;
    let mut sum = Vector::new(0.0f32);
    #[unroll]
    for tap_row in 0..s.kernel {
        // The window whose row `tap_row` this is, if there is one.
        let window_row = (row - tap_row) / s.stride;
        let in_rows =
            row >= tap_row && window_row * s.stride + tap_row == row && window_row < s.rows;
        #[unroll]
        for tap_column in 0..s.kernel {
            let window_column = (column - tap_column) / s.stride;
            let in_columns = column >= tap_column
                && window_column * s.stride + tap_column == column
                && window_column < s.columns;
            if in_rows && in_columns {
                let window = (here.image * s.rows + window_row) * s.columns + window_column;
                let tap = tap_row * s.kernel + tap_column;
                let place = window * comptime!(s.kernel * s.kernel) + tap;
                sum += patches[place * s.channels + here.channel];
            }
        }
    }
    images[ABSOLUTE_POS] = sum;
}

/// Where the first corner of a 2x2 window lies.
#[cube]
fn first_corner(window: &Spot, #[comptime] s: Windows) -> usize {
    let line = window.image * s.height + 2 * window.row;
    (line * s.width + 2 * window.column) * s.channels + window.channel
}

/// The larger of two, the first where they are equal.
#[cube]
fn larger<N: Size>(a: Vector<f32, N>, b: Vector<f32, N>) -> Vector<f32, N> {
    select_many(b.greater_than(&a), b, a)
}

#[cube(launch, address_type = "dynamic")]
fn largest<N: Size>(
    images: &Tensor<Vector<f32, N>>,
    pooled: &mut Tensor<Vector<f32, N>>,
    units: usize,
    #[comptime] s: Windows,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let window = spot(ABSOLUTE_POS, s.rows, s.columns, s.channels);
    let first = first_corner(&window, s);
    let below = first + comptime!(s.width * s.channels);
    let upper = larger(images[first], images[first + s.channels]);
    let lower = larger(images[below], images[below + s.channels]);
    pooled[ABSOLUTE_POS] = larger(upper, lower);
}

/// A unit a window, or what an odd last row or column leaves of one. It compares the corners as
/// [`largest()`] does, so that which of them won need not be stored.
#[cube(launch, address_type = "dynamic")]
fn to_the_largest<N: Size>(
    images: &Tensor<Vector<f32, N>>,
    gradient: &Tensor<Vector<f32, N>>,
    result: &mut Tensor<Vector<f32, N>>,
    units: usize,
    #[comptime] s: Windows,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let down = comptime!(s.height.div_ceil(2));
    let across = comptime!(s.width.div_ceil(2));
    let window = spot(ABSOLUTE_POS, down, across, s.channels);
    let first = first_corner(&window, s);
    let below = first + comptime!(s.width * s.channels);
    let zero = Vector::new(0.0f32);
    if window.row < s.rows && window.column < s.columns {
        let a = images[first];
        let b = images[first + s.channels];
        let c = images[below];
        let d = images[below + s.channels];
        let place = (window.image * s.rows + window.row) * s.columns + window.column;
        let whole = gradient[place * s.channels + window.channel];
        let lower = larger(c, d).greater_than(&larger(a, b));
        let upper_share = select_many(lower, zero, whole);
        let lower_share = select_many(lower, whole, zero);
        let right = b.greater_than(&a);
        result[first] = select_many(right, zero, upper_share);
        result[first + s.channels] = select_many(right, upper_share, zero);
        let right = d.greater_than(&c);
        result[below] = select_many(right, zero, lower_share);
        result[below + s.channels] = select_many(right, lower_share, zero);
    } else {
        result[first] = zero;
        if 2 * window.column + 1 < s.width {
            result[first + s.channels] = zero;
        }
        if 2 * window.row + 1 < s.height {
            result[below] = zero;
        }
    }
}
