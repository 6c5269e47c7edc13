//! A block's weights and what follows them in one operation: the product, its norm, activation,
//! dropout and pooling work on a tile while it is in the cache, and the backward pass reads little
//! but the product.

mod conv;
mod convolution;
mod dense;
mod patches;
mod winograd;

use super::buffers::Buffer;
use super::epilogue::{Channels, EpilogueSpec, Windows};
use super::product::Pattern;
use super::real::Real;
use crate::geometry::Geometry;

/// Sizes of a block. A dense layer works on rows; it is a convolution over images of one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) replicas: usize,
    pub(crate) batch: usize,
    /// Height and width of the input; `None` for a dense layer.
    pub(crate) image: Option<Image>,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// The images that a convolution takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) geometry: Geometry,
}

impl Image {
    /// Height and width of the output, before pooling.
    fn output(&self) -> (usize, usize) {
        let size = |n| self.geometry.output(n);
        (size(self.height), size(self.width))
    }
}

/// The parameters, `[replicas, ...]` each; what a block has not is absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters<'a, T> {
    /// `[replicas, inputs, outputs]`, or `[replicas, kernel * kernel * inputs, outputs]`.
    pub(crate) weight: &'a [T],
    pub(crate) bias: Option<&'a [T]>,
    pub(crate) scale: Option<&'a [T]>,
    pub(crate) center: Option<&'a [T]>,
    /// Mean and variance to normalize with in place of the batch's.
    pub(crate) statistics: Option<[&'a [T]; 2]>,
}

/// What the forward pass gives.
pub(crate) struct Forward<T> {
    pub(crate) y: Buffer<T>,
    pub(crate) saved: Saved<T>,
}

/// What the backward pass reads of the forward pass; empty without an epilogue.
pub(crate) struct Saved<T> {
    /// The product of weights and input, where it [is kept](Sizes::keeps_product).
    z: Buffer<T>,
    /// Mean and biased variance that the norm used, `[replicas, outputs]`; empty without a norm.
    pub(crate) mean: Vec<T>,
    pub(crate) variance: Vec<T>,
    /// Whether dropout kept an element.
    kept: Buffer<u8>,
    /// What the norm was given at the corners of windows that won.
    best: Buffer<T>,
    /// Where most numbers of a replica's input are the same, for dense layers; or empty.
    patterns: Vec<Option<Pattern<T>>>,
}

/// The gradient of a block's output, which the backward pass uses up.
pub(crate) struct Upstream<'a, T> {
    /// Where it is or, beside `from`, where it goes.
    pub(crate) d: &'a mut [T],
    /// Where it is if that must not be written: each task brings its own part while it works on it.
    pub(crate) from: Option<&'a [T]>,
}

/// Rows of weights up to which a convolution's product is computed anew and not kept: its few
/// multiplications then take less time than its way to memory and back.
const SHORT: usize = 16;

/// The gradients; what was not asked for or is not there is empty.
pub(crate) struct Gradients<T> {
    pub(crate) x: Option<Buffer<T>>,
    pub(crate) weight: Buffer<T>,
    pub(crate) bias: Vec<T>,
    pub(crate) scale: Vec<T>,
    pub(crate) center: Vec<T>,
}

impl Sizes {
    /// Rows of the product in one replica.
    fn rows(&self) -> usize {
        let places = |image: Image| image.output().0 * image.output().1;
        self.batch * self.image.map_or(1, places)
    }

    /// Rows of the weights.
    fn patch(&self) -> usize {
        let area = |image: Image| image.geometry.kernel * image.geometry.kernel;
        self.inputs * self.image.map_or(1, area)
    }

    /// Whether the product is written to memory, for the passes after the first.
    fn keeps_product(&self) -> bool {
        self.image.is_none() || self.patch() > SHORT
    }

    fn input(&self) -> usize {
        let places = |image: Image| image.height * image.width;
        self.batch * self.inputs * self.image.map_or(1, places)
    }

    fn weights(&self) -> usize {
        self.patch() * self.outputs
    }

    /// The windows of `images` images that are pooled.
    fn windows(&self, images: usize) -> Windows {
        let (height, width) = self.image.map_or((1, 1), |image| image.output());
        Windows {
            images,
            height,
            width,
        }
    }

    /// Height and width of the output.
    pub(crate) fn output(&self, epilogue: Option<&EpilogueSpec>) -> Option<(usize, usize)> {
        let (height, width) = self.image?.output();
        let pooled = epilogue.is_some_and(|epilogue| epilogue.pool);
        Some(if pooled {
            (height / 2, width / 2)
        } else {
            (height, width)
        })
    }

    /// Rows of the output in one replica.
    fn output_rows(&self, epilogue: Option<&EpilogueSpec>) -> usize {
        let places = self
            .output(epilogue)
            .map_or(1, |(height, width)| height * width);
        self.batch * places
    }
}

impl<T: Real> Saved<T> {
    fn new(s: &Sizes, epilogue: Option<&EpilogueSpec>) -> Self {
        let Some(spec) = epilogue else {
            return Self {
                z: Buffer::zeros(0),
                mean: Vec::new(),
                variance: Vec::new(),
                kept: Buffer::zeros(0),
                best: Buffer::zeros(0),
                patterns: Vec::new(),
            };
        };
        let all = s.replicas * s.rows() * s.outputs;
        let statistics = if spec.epsilon.is_some() {
            s.replicas * s.outputs
        } else {
            0
        };
        let windows = if spec.pool {
            s.replicas * s.output_rows(epilogue) * s.outputs
        } else {
            0
        };
        Self {
            z: Buffer::unspecified(if s.keeps_product() { all } else { 0 }),
            mean: vec![T::ZERO; statistics],
            variance: vec![T::ZERO; statistics],
            kept: Buffer::unspecified(if spec.dropout.is_some() { all } else { 0 }),
            best: Buffer::unspecified(windows),
            patterns: Vec::new(),
        }
    }
}

impl<T: Real> Saved<T> {
    /// Mean and variance of `width` columns of replica `r` from `from` on; empty without a norm.
    fn statistics(
        &self,
        s: &Sizes,
        spec: &EpilogueSpec,
        at: (usize, usize),
        width: usize,
    ) -> [&[T]; 2] {
        [&self.mean, &self.variance].map(|v| {
            let there = spec.epsilon.map(|_| &v[..]);
            part(there, s, at, width).unwrap_or_default()
        })
    }
}

impl<T: Real> Gradients<T> {
    /// Room for the gradients of the parameters that are there.
    fn new(s: &Sizes, p: &Parameters<T>, epilogue: Option<&EpilogueSpec>) -> Self {
        let normalized = epilogue.is_some_and(|epilogue| epilogue.epsilon.is_some());
        let channels =
            |wanted: bool| vec![T::ZERO; if wanted { s.replicas * s.outputs } else { 0 }];
        Self {
            x: None,
            weight: Buffer::unspecified(s.replicas * s.weights()),
            bias: channels(p.bias.is_some()),
            scale: channels(normalized && p.scale.is_some()),
            center: channels(normalized && p.center.is_some()),
        }
    }
}

/// `width` numbers from channel `from` of replica `r` on, in an array of one number a channel.
fn part<'a, T>(
    values: Option<&'a [T]>,
    s: &Sizes,
    (r, from): (usize, usize),
    width: usize,
) -> Option<&'a [T]> {
    values.map(|values| &values[r * s.outputs + from..][..width])
}

/// `width` channels of a replica from channel `at.1` on, with these statistics (empty without a
/// norm).
fn channels<T: Real>(
    s: &Sizes,
    spec: &EpilogueSpec,
    p: &Parameters<T>,
    at: (usize, usize),
    [mean, variance]: [&[T]; 2],
    width: usize,
) -> Channels<T> {
    match spec.epsilon {
        Some(epsilon) => Channels::new(
            mean,
            variance,
            epsilon,
            part(p.scale, s, at, width),
            part(p.center, s, at, width),
        ),
        None => Channels::plain(width),
    }
}

/// The block's output, and what the backward pass reads.
///
/// # Shapes
/// `x` `[replicas, batch, inputs]` or `[replicas, batch, height, width, inputs]`, and so the output
/// with `outputs` in place of `inputs`.
pub(crate) fn forward<T: Real>(
    s: &Sizes,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
) -> Forward<T> {
    match s.image {
        Some(image) => conv::forward(s, image, x, p, epilogue),
        None => dense::forward(s, x, p, epilogue),
    }
}

/// The gradients, from that of the output.
pub(crate) fn backward<T: Real>(
    s: &Sizes,
    x: &[T],
    p: &Parameters<T>,
    epilogue: Option<&EpilogueSpec>,
    saved: &Saved<T>,
    dy: Upstream<T>,
    wants_x: bool,
) -> Gradients<T> {
    match s.image {
        Some(image) => conv::backward(s, image, x, p, epilogue, saved, dy, wants_x),
        None => dense::backward(s, x, p, epilogue, saved, dy, wants_x),
    }
}
