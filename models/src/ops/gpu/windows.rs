//! What moves numbers between images and the windows that convolutions and pooling look at. One
//! unit of the GPU makes neighbouring channels of one place, and neighbours write neighbouring
//! memory.

use super::columns::{empty, vector_size};
use crate::ops::{Geometry, Padding};
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

    fn cubes(&self) -> CubeCount {
        calculate_cube_count_elemwise(&self.input.client, self.units, self.cube_dim)
    }
}

fn channels(images: &Shape) -> usize {
    let [_, _, _, _, c] = images.dims();
    c
}

/// The patches of a convolution side by side, zeros outside of the images.
pub(super) fn patches(images: CubeTensor, geometry: Geometry) -> CubeTensor {
    let shape = images.meta.shape().clone();
    let l = Launch::to(patches_shape(&shape, geometry), images, channels(&shape));
    if l.units > 0 {
        gather_patches::launch(
            &l.input.client,
            l.cubes(),
            l.cube_dim,
            l.address,
            l.vector,
            l.input.clone().into_tensor_arg(),
            l.output.clone().into_tensor_arg(),
            l.units,
            Windows::new(&shape, geometry, l.vector),
        );
    }
    l.output
}

/// The adjoint of [`patches`]: every place of the images is the sum of where it lies in patches.
pub(super) fn unpatch(patches: CubeTensor, images: &Shape, geometry: Geometry) -> CubeTensor {
    let l = Launch::to(images.clone(), patches, channels(images));
    if l.units > 0 {
        add_patches::launch(
            &l.input.client,
            l.cubes(),
            l.cube_dim,
            l.address,
            l.vector,
            l.input.clone().into_tensor_arg(),
            l.output.clone().into_tensor_arg(),
            l.units,
            Windows::new(images, geometry, l.vector),
        );
    }
    l.output
}

/// The largest of every 2x2 window.
pub(super) fn max_pool(images: CubeTensor) -> CubeTensor {
    let shape = images.meta.shape().clone();
    let l = Launch::to(pooled_shape(&shape), images, channels(&shape));
    if l.units > 0 {
        largest::launch(
            &l.input.client,
            l.cubes(),
            l.cube_dim,
            l.address,
            l.vector,
            l.input.clone().into_tensor_arg(),
            l.output.clone().into_tensor_arg(),
            l.units,
            Windows::pooling(&shape, l.vector),
        );
    }
    l.output
}

/// The gradient of the images by that of [`max_pool`].
pub(super) fn max_pool_gradient(images: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let shape = images.meta.shape().clone();
    let [r, n, h, w, c] = shape.dims();
    let numbers = r * n * h.div_ceil(2) * w.div_ceil(2) * c;
    let l = Launch::new(images, shape.clone(), c, numbers);
    if l.units > 0 {
        to_the_largest::launch(
            &l.input.client,
            l.cubes(),
            l.cube_dim,
            l.address,
            l.vector,
            l.input.clone().into_tensor_arg(),
            into_contiguous(gradient).into_tensor_arg(),
            l.output.clone().into_tensor_arg(),
            l.units,
            Windows::pooling(&shape, l.vector),
        );
    }
    l.output
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
    let channel = ABSOLUTE_POS % s.channels;
    let rest = ABSOLUTE_POS / s.channels;
    let tap_column = rest % s.kernel;
    let rest = rest / s.kernel;
    let tap_row = rest % s.kernel;
    let rest = rest / s.kernel;
    // From here on with the zeros before the image.
    let column = rest % s.columns * s.stride + tap_column;
    let rest = rest / s.columns;
    let row = rest % s.rows * s.stride + tap_row;
    let image = rest / s.rows;
    let inside = row >= s.before
        && row < s.height + s.before
        && column >= s.before
        && column < s.width + s.before;
    let mut value = Vector::new(0.0f32);
    if inside {
        let place = (image * s.height + (row - s.before)) * s.width + (column - s.before);
        value = images[place * s.channels + channel];
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
    let channel = ABSOLUTE_POS % s.channels;
    let rest = ABSOLUTE_POS / s.channels;
    let column = rest % s.width + s.before;
    let rest = rest / s.width;
    let row = rest % s.height + s.before;
    let image = rest / s.height;
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
                let window = (image * s.rows + window_row) * s.columns + window_column;
                let tap = tap_row * s.kernel + tap_column;
                let place = window * comptime!(s.kernel * s.kernel) + tap;
                sum += patches[place * s.channels + channel];
            }
        }
    }
    images[ABSOLUTE_POS] = sum;
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
    let channel = ABSOLUTE_POS % s.channels;
    let rest = ABSOLUTE_POS / s.channels;
    let column = rest % s.columns;
    let rest = rest / s.columns;
    let row = rest % s.rows;
    let image = rest / s.rows;
    let first = ((image * s.height + 2 * row) * s.width + 2 * column) * s.channels + channel;
    let below = first + comptime!(s.width * s.channels);
    let upper = larger(images[first], images[first + s.channels]);
    let lower = larger(images[below], images[below + s.channels]);
    pooled[ABSOLUTE_POS] = larger(upper, lower);
}

/// The larger of two, the first where they are equal.
#[cube]
fn larger<N: Size>(a: Vector<f32, N>, b: Vector<f32, N>) -> Vector<f32, N> {
    select_many(b.greater_than(&a), b, a)
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
    let across = comptime!(s.width.div_ceil(2));
    let down = comptime!(s.height.div_ceil(2));
    let channel = ABSOLUTE_POS % s.channels;
    let rest = ABSOLUTE_POS / s.channels;
    let column = rest % across;
    let rest = rest / across;
    let row = rest % down;
    let image = rest / down;
    let first = ((image * s.height + 2 * row) * s.width + 2 * column) * s.channels + channel;
    let below = first + comptime!(s.width * s.channels);
    let zero = Vector::new(0.0f32);
    if row < s.rows && column < s.columns {
        let a = images[first];
        let b = images[first + s.channels];
        let c = images[below];
        let d = images[below + s.channels];
        let window = (image * s.rows + row) * s.columns + column;
        let whole = gradient[window * s.channels + channel];
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
        if 2 * column + 1 < s.width {
            result[first + s.channels] = zero;
        }
        if 2 * row + 1 < s.height {
            result[below] = zero;
        }
    }
}
