//! Plain burn versions of the operations: differentiable on every backend, and the reference in tests.

use crate::geometry::Geometry;
use crate::optimizer::{AdamStep, SgdStep};
use burn::tensor::{Int, Tensor, TensorData, activation};

/// 2-d convolution by im2col: patches as rows of a matrix, then one matrix product per replica.
///
/// # Shapes
/// - `x`: `[replicas, batch, height, width, inputs]`
/// - `weight`: `[replicas, kernel * kernel * inputs, outputs]`, rows in the order (kernel row,
///   kernel column, input)
/// - `bias`: `[replicas, outputs]`
/// - output: `[replicas, batch, output height, output width, outputs]`; see [`Geometry::output`]
pub fn conv2d(
    x: Tensor<5>,
    weight: Tensor<3>,
    bias: Option<Tensor<2>>,
    geometry: Geometry,
) -> Tensor<5> {
    let [_, rows, outputs] = weight.dims();
    let patches = patches(x, geometry);
    let [r, n, h, w, _] = patches.dims();
    let mut y = patches.reshape([r, n * h * w, rows]).matmul(weight);
    if let Some(bias) = bias {
        y = y + bias.unsqueeze_dim(1);
    }
    y.reshape([r, n, h, w, outputs])
}

/// The patches of images, with zeros outside of them.
///
/// # Shapes
/// `[replicas, batch, height, width, channels]` to `[replicas, batch, output height, output width,
/// kernel * kernel * channels]`.
pub(crate) fn patches(x: Tensor<5>, geometry: Geometry) -> Tensor<5> {
    let [_, _, h, w, _] = x.dims();
    let (before, after) = geometry.around();
    let padded = pad(pad(x, 2, before, after), 3, before, after);
    let mut shifted = Vec::with_capacity(geometry.kernel * geometry.kernel);
    for row in 0..geometry.kernel {
        for column in 0..geometry.kernel {
            let rows = strided(padded.clone(), 2, row, geometry.stride, geometry.output(h));
            let patch = strided(rows, 3, column, geometry.stride, geometry.output(w));
            shifted.push(patch);
        }
    }
    Tensor::cat(shifted, 4)
}

/// `count` elements along `dim` with stride `stride`, starting at `from`.
fn strided(x: Tensor<5>, dim: usize, from: usize, stride: usize, count: usize) -> Tensor<5> {
    if stride == 1 {
        return x.narrow(dim, from, count);
    }
    let indices: Vec<i64> = (0..count).map(|i| (from + i * stride) as i64).collect();
    let indices = Tensor::<1, Int>::from_data(indices.as_slice(), &x.device());
    x.select(dim, indices)
}

/// Zero padding along `dim`.
fn pad(x: Tensor<5>, dim: usize, before: usize, after: usize) -> Tensor<5> {
    let zeros = |count: usize| {
        let mut shape = x.dims();
        shape[dim] = count;
        Tensor::<5>::zeros(shape, (&x.device(), x.dtype()))
    };
    let mut parts = Vec::with_capacity(3);
    if before > 0 {
        parts.push(zeros(before));
    }
    let end = (after > 0).then(|| zeros(after));
    parts.push(x);
    parts.extend(end);
    Tensor::cat(parts, dim)
}

/// The four corners of every 2x2 window; an odd last row or column is left out.
fn corners(x: Tensor<5>) -> [Tensor<5>; 4] {
    let [r, n, h, w, c] = x.dims();
    let (h2, w2) = (h / 2, w / 2);
    let even = x.narrow(2, 0, 2 * h2).narrow(3, 0, 2 * w2);
    let rows = even.reshape([r, n * h2, 2, w2 * 2, c]);
    let corner = |i: usize, j: usize| {
        let row: Tensor<5> = rows.clone().narrow(2, i, 1);
        let columns: Tensor<5> = row.reshape([r, n, h2 * w2, 2, c]);
        columns.narrow(3, j, 1).reshape([r, n, h2, w2, c])
    };
    [corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)]
}

/// 2x2 max pooling with stride 2. Among equal values, the first in row-major order gets the gradient.
///
/// # Shapes
/// `[replicas, batch, height, width, channels]` to the same with height and width halved, rounded
/// down.
pub fn max_pool2d(x: Tensor<5>) -> Tensor<5> {
    let [a, b, c, d] = corners(x);
    larger(larger(a, b), larger(c, d))
}

/// The larger value; the first if both are equal.
fn larger(a: Tensor<5>, b: Tensor<5>) -> Tensor<5> {
    let second = b.clone().greater(a.clone());
    a.mask_where(second, b)
}

/// 2x2 average pooling with stride 2.
///
/// # Shapes
/// As for [`max_pool2d`].
pub fn avg_pool2d(x: Tensor<5>) -> Tensor<5> {
    let [a, b, c, d] = corners(x);
    ((a + b) + (c + d)) * 0.25
}

/// Mean cross-entropy of each replica, in nats.
///
/// # Shapes
/// - `logits`: `[replicas, batch, classes]`
/// - `labels`: `[replicas, batch]`
/// - output: `[replicas]`
pub fn cross_entropy(logits: Tensor<3>, labels: Tensor<2, Int>) -> Tensor<1> {
    let [r, n, _] = logits.dims();
    let log_p = activation::log_softmax(logits, 2);
    let picked: Tensor<3> = log_p.gather(2, labels.unsqueeze_dim(2));
    picked.reshape([r, n]).mean_dim(1).neg().reshape([r])
}

/// `x W + b` for every replica; see [`crate::linear`].
///
/// # Shapes
/// As there.
pub fn linear(x: Tensor<3>, weight: Tensor<3>, bias: Option<Tensor<2>>) -> Tensor<3> {
    let y = x.matmul(weight);
    match bias {
        Some(bias) => y + bias.unsqueeze_dim(1),
        None => y,
    }
}

/// One step of Adam or AdamW; see [`crate::adam_step`].
///
/// # Shapes
/// As there.
pub fn adam_step<const D: usize>(
    value: Tensor<D>,
    first: Tensor<D>,
    second: Tensor<D>,
    gradient: Tensor<D>,
    step: &AdamStep,
) -> [Tensor<D>; 3] {
    let rate = per_replica(&step.rates, &value);
    let gradient = gradient + value.clone() * step.penalty;
    let first = first * step.beta1 + gradient.clone() * (1.0 - step.beta1);
    let second = second * step.beta2 + gradient.square() * (1.0 - step.beta2);
    let mean = first.clone() / (1.0 - step.beta1.powi(step.step));
    let square = second.clone() / (1.0 - step.beta2.powi(step.step));
    let direction = mean / (square.sqrt() + step.epsilon);
    let shrunk = value.clone() - rate.clone() * value * step.shrinkage;
    [shrunk - rate * direction, first, second]
}

/// One step of an exponential moving average; see [`crate::average_step`].
///
/// # Shapes
/// As there.
pub fn average_step(average: Tensor<2>, new: Tensor<2>, [keep, share]: [f64; 2]) -> Tensor<2> {
    average * keep + new * share
}

/// One step of SGD; see [`crate::sgd_step`].
///
/// # Shapes
/// As there.
pub fn sgd_step<const D: usize>(
    value: Tensor<D>,
    velocity: Option<Tensor<D>>,
    gradient: Tensor<D>,
    step: &SgdStep,
) -> (Tensor<D>, Option<Tensor<D>>) {
    let rate = per_replica(&step.rates, &value);
    let gradient = gradient + value.clone() * step.penalty;
    let Some(velocity) = velocity else {
        return (value - rate * gradient, None);
    };
    let velocity = velocity * step.momentum + gradient.clone();
    let direction = match step.nesterov {
        true => gradient + velocity.clone() * step.momentum,
        false => velocity.clone(),
    };
    (value - rate * direction, Some(velocity))
}

/// One value per replica, `[replicas, 1, ..]`, with the type and device of `like`.
fn per_replica<const D: usize>(values: &[f64], like: &Tensor<D>) -> Tensor<D> {
    let mut shape = [1; D];
    shape[0] = values.len();
    let data = TensorData::new(values.to_vec(), shape);
    let data = data.convert_dtype(like.dtype());
    Tensor::from_data(data, (&like.device(), like.dtype()))
}
