//! Kernels between images and the windows of convolutions and pooling. One unit computes a vector of
//! channels of one pixel; adjacent units write adjacent memory.

use super::columns::{empty, vector_size};
use crate::geometry::{Geometry, Padding};
use burn::tensor::Shape;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Shape `[replicas, batch * output height * output width, kernel * kernel * channels]` of the patches
/// of `images`, `[replicas, batch, height, width, channels]`.
pub(super) fn patches_shape(images: &Shape, geometry: Geometry) -> Shape {
    let [r, n, h, w, c] = images.dims();
    let pixels = geometry.output(h) * geometry.output(w);
    Shape::new([r, n * pixels, geometry.kernel.pow(2) * c])
}

/// Shape of `images` with height and width halved, rounded down.
pub(super) fn pooled_shape(images: &Shape) -> Shape {
    let [r, n, h, w, c] = images.dims();
    Shape::new([r, n, h / 2, w / 2, c])
}

/// Image and window sizes, for which kernels are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct WindowShape {
    height: usize,
    width: usize,
    /// Number of vectors of channels.
    channels: usize,
    kernel: usize,
    stride: usize,
    /// Zeros above and on the left.
    before: usize,
    /// Number of windows along the height.
    rows: usize,
    /// Number of windows along the width.
    columns: usize,
}

impl WindowShape {
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

    /// Windows of 2x2 pooling with stride 2.
    fn pooling(images: &Shape, vector: usize) -> Self {
        let geometry = Geometry {
            kernel: 2,
            stride: 2,
            padding: Padding::Valid,
        };
        Self::new(images, geometry, vector)
    }
}

/// Arguments of a kernel that maps one tensor to another.
struct Launch {
    input: CubeTensor,
    output: CubeTensor,
    vector: usize,
    units: usize,
    cube_dim: CubeDim,
    address: AddressType,
}

impl Launch {
    /// A launch with an output of shape `output`, and one unit per vector of `elements` elements.
    fn new(input: CubeTensor, output: Shape, channels: usize, elements: usize) -> Self {
        let input = into_contiguous(input);
        let output = empty(&input, output);
        let vector = vector_size(&input, channels);
        let units = elements / vector;
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

    /// A launch with one unit per vector of the output.
    fn per_output(output: Shape, input: CubeTensor, channels: usize) -> Self {
        let elements = output.num_elements();
        Self::new(input, output, channels, elements)
    }
}

/// Launches a kernel, if it has any units.
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

/// The patches of a convolution (im2col), with zeros outside of the images.
pub(super) fn patches(images: CubeTensor, geometry: Geometry) -> CubeTensor {
    let shape = images.meta.shape().clone();
    let l = Launch::per_output(patches_shape(&shape, geometry), images, channels(&shape));
    let windows = WindowShape::new(&shape, geometry, l.vector);
    launch!(gather_patches, l, [l.input, l.output], windows);
    l.output
}

/// The adjoint of [`patches`] (col2im): every pixel is the sum of its occurrences in patches.
pub(super) fn unpatch(patches: CubeTensor, images: &Shape, geometry: Geometry) -> CubeTensor {
    let l = Launch::per_output(images.clone(), patches, channels(images));
    let windows = WindowShape::new(images, geometry, l.vector);
    launch!(add_patches, l, [l.input, l.output], windows);
    l.output
}

/// The maximum of every 2x2 window.
pub(super) fn max_pool(images: CubeTensor) -> CubeTensor {
    let shape = images.meta.shape().clone();
    let l = Launch::per_output(pooled_shape(&shape), images, channels(&shape));
    let windows = WindowShape::pooling(&shape, l.vector);
    launch!(window_max, l, [l.input, l.output], windows);
    l.output
}

/// The gradient of the images, from the gradient of the output of [`max_pool`].
pub(super) fn max_pool_gradient(images: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let shape = images.meta.shape().clone();
    let [r, n, h, w, c] = shape.dims();
    let corners = r * n * h.div_ceil(2) * w.div_ceil(2) * c;
    let l = Launch::new(images, shape.clone(), c, corners);
    let gradient = into_contiguous(gradient);
    let windows = WindowShape::pooling(&shape, l.vector);
    launch!(
        window_max_gradient,
        l,
        [l.input, gradient, l.output],
        windows
    );
    l.output
}

/// Position of a vector in a stack of images.
#[derive(CubeType, Clone, Copy)]
struct PixelPosition {
    image: usize,
    row: usize,
    column: usize,
    channel: usize,
}

/// The position of vector `index` in images of this size.
#[cube]
fn pixel_position(
    index: usize,
    #[comptime] height: usize,
    #[comptime] width: usize,
    #[comptime] channels: usize,
) -> PixelPosition {
    let pixel = index / channels;
    let row = pixel / width;
    PixelPosition {
        image: row / height,
        row: row % height,
        column: pixel % width,
        channel: index % channels,
    }
}

#[cube(launch, address_type = "dynamic")]
fn gather_patches<N: Size>(
    images: &Tensor<Vector<f32, N>>,
    patches: &mut Tensor<Vector<f32, N>>,
    units: usize,
    #[comptime] s: WindowShape,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let patch = comptime!(s.kernel * s.kernel * s.channels);
    let window = pixel_position(ABSOLUTE_POS / patch, s.rows, s.columns, 1usize);
    let tap = pixel_position(ABSOLUTE_POS % patch, s.kernel, s.kernel, s.channels);
    // In the padded image.
    let row = window.row * s.stride + tap.row;
    let column = window.column * s.stride + tap.column;
    let inside = row >= s.before
        && row < s.height + s.before
        && column >= s.before
        && column < s.width + s.before;
    let mut value = Vector::new(0.0f32);
    if inside {
        let image_row = window.image * s.height + (row - s.before);
        let pixel = image_row * s.width + (column - s.before);
        value = images[pixel * s.channels + tap.channel];
    }
    patches[ABSOLUTE_POS] = value;
}

#[cube(launch, address_type = "dynamic")]
fn add_patches<N: Size>(
    patches: &Tensor<Vector<f32, N>>,
    images: &mut Tensor<Vector<f32, N>>,
    units: usize,
    #[comptime] s: WindowShape,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let here = pixel_position(ABSOLUTE_POS, s.height, s.width, s.channels);
    let row = here.row + s.before;
    let column = here.column + s.before;
    let mut sum = Vector::new(0.0f32);
    #[unroll]
    for tap_row in 0..s.kernel {
        // The window in which this pixel is in row `tap_row`, if there is one.
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
                let patch_row = window * comptime!(s.kernel * s.kernel) + tap;
                sum += patches[patch_row * s.channels + here.channel];
            }
        }
    }
    images[ABSOLUTE_POS] = sum;
}

/// Index of the first corner of a 2x2 window.
#[cube]
fn first_corner(window: &PixelPosition, #[comptime] s: WindowShape) -> usize {
    let row = window.image * s.height + 2 * window.row;
    (row * s.width + 2 * window.column) * s.channels + window.channel
}

/// The larger value; the first if both are equal.
#[cube]
fn larger<N: Size>(a: Vector<f32, N>, b: Vector<f32, N>) -> Vector<f32, N> {
    select_many(b.greater_than(&a), b, a)
}

#[cube(launch, address_type = "dynamic")]
fn window_max<N: Size>(
    images: &Tensor<Vector<f32, N>>,
    pooled: &mut Tensor<Vector<f32, N>>,
    units: usize,
    #[comptime] s: WindowShape,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let window = pixel_position(ABSOLUTE_POS, s.rows, s.columns, s.channels);
    let first = first_corner(&window, s);
    let below = first + comptime!(s.width * s.channels);
    let upper = larger(images[first], images[first + s.channels]);
    let lower = larger(images[below], images[below + s.channels]);
    pooled[ABSOLUTE_POS] = larger(upper, lower);
}

/// One unit per window, including partial windows of an odd last row or column. Compares the corners
/// as [`window_max()`] does, so that the corner of the maximum need not be stored.
#[cube(launch, address_type = "dynamic")]
fn window_max_gradient<N: Size>(
    images: &Tensor<Vector<f32, N>>,
    gradient: &Tensor<Vector<f32, N>>,
    result: &mut Tensor<Vector<f32, N>>,
    units: usize,
    #[comptime] s: WindowShape,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let down = comptime!(s.height.div_ceil(2));
    let across = comptime!(s.width.div_ceil(2));
    let window = pixel_position(ABSOLUTE_POS, down, across, s.channels);
    let first = first_corner(&window, s);
    let below = first + comptime!(s.width * s.channels);
    let zero = Vector::new(0.0f32);
    if window.row < s.rows && window.column < s.columns {
        let a = images[first];
        let b = images[first + s.channels];
        let c = images[below];
        let d = images[below + s.channels];
        let index = (window.image * s.rows + window.row) * s.columns + window.column;
        let window_gradient = gradient[index * s.channels + window.channel];
        let lower = larger(c, d).greater_than(&larger(a, b));
        let upper_share = select_many(lower, zero, window_gradient);
        let lower_share = select_many(lower, window_gradient, zero);
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
