//! Batch norm, activation and dropout fused, forward and backward.
//!
//! Everything runs on rows of channels, one replica after the other, so that a replica's result
//! does not depend on the others. Sums over rows are taken in blocks of fixed size.

use super::real::Real;
use crate::activation::{Activation, LEAKY_SLOPE};
use crate::block::Position;
use crate::streams::Stream;
use rayon::prelude::*;

/// What follows the weights of a block, in training.
#[derive(Clone, Debug)]
pub struct TailSpec {
    /// The activation.
    pub activation: Activation,
    /// Epsilon of the batch norm; `None` for no norm.
    pub epsilon: Option<f64>,
    /// On which side of the activation the norm stands.
    pub position: Position,
    /// Dropout at the end of the block, if any.
    pub dropout: Option<Masks>,
}

/// Where dropout's masks come from.
#[derive(Clone, Debug)]
pub struct Masks {
    /// One stream a replica.
    pub streams: Vec<Stream>,
    /// The training step.
    pub step: u64,
    /// A 16-bit number below this drops.
    pub threshold: u32,
    /// Positions that share a mask number: 1, or all of an image for spatial dropout.
    pub shared_rows: usize,
}

/// Sizes of a tail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) replicas: usize,
    pub(crate) rows: usize,
    pub(crate) channels: usize,
}

impl Sizes {
    pub(crate) const fn block(&self) -> usize {
        self.rows * self.channels
    }
}

/// What the forward pass gives and the backward pass needs.
pub(crate) struct Forward<T> {
    pub(crate) y: Vec<T>,
    /// Batch mean, `[replicas, channels]`; empty without a norm.
    pub(crate) mean: Vec<T>,
    /// Biased batch variance, `[replicas, channels]`; empty without a norm.
    pub(crate) variance: Vec<T>,
    /// Whether an element is kept, one byte an element; empty without dropout.
    pub(crate) kept: Vec<u8>,
}

/// What the backward pass needs of the forward pass; empty slices as there.
#[derive(Clone, Copy)]
pub(crate) struct Saved<'a, T> {
    pub(crate) x: &'a [T],
    pub(crate) scale: &'a [T],
    pub(crate) center: &'a [T],
    pub(crate) mean: &'a [T],
    pub(crate) variance: &'a [T],
    pub(crate) kept: &'a [u8],
}

/// The gradients; those by scale and center are empty without a norm.
pub(crate) struct Backward<T> {
    pub(crate) dx: Vec<T>,
    pub(crate) scale: Vec<T>,
    pub(crate) center: Vec<T>,
}

/// An activation as a type, so that each has loops of its own.
trait Function<T>: Send + Sync + Copy {
    fn value(self, x: T) -> T;
    fn slope(self, x: T) -> T;
}

macro_rules! functions {
    ($($name:ident: |$x:ident| $value:expr, $slope:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;
        impl<T: Real> Function<T> for $name {
            #[inline(always)]
            fn value(self, $x: T) -> T {
                $value
            }
            #[inline(always)]
            fn slope(self, $x: T) -> T {
                $slope
            }
        }
    )*};
}

#[inline(always)]
fn choose<T: Real>(test: bool, yes: T, no: T) -> T {
    if test { yes } else { no }
}

#[inline(always)]
fn logistic<T: Real>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp())
}

// Comparisons are written so that NaN falls through to a branch that keeps it.
functions! {
    Relu: |x| choose(x <= T::ZERO, T::ZERO, x), choose(x > T::ZERO, T::ONE, T::ZERO);
    LeakyRelu: |x| choose(x > T::ZERO, x, x * T::of(LEAKY_SLOPE)),
        choose(x > T::ZERO, T::ONE, T::of(LEAKY_SLOPE));
    Sigmoid: |x| logistic(x), { let y = logistic(x); y * (T::ONE - y) };
    Tanh: |x| x.tanh(), { let y = x.tanh(); T::ONE - y * y };
    Gelu: |x| x * x.normal_cdf(), {
        let density = (x * x * T::of(-0.5)).exp() * T::of(0.398_942_280_401_432_7);
        x.normal_cdf() + x * density
    };
    Silu: |x| x * logistic(x), {
        let y = logistic(x);
        y * (T::ONE + x * (T::ONE - y))
    };
    Elu: |x| choose(x > T::ZERO, x, choose(x > T::ZERO, T::ZERO, x).exp_m1_of_negative()),
        choose(x > T::ZERO, T::ONE, choose(x > T::ZERO, T::ZERO, x).exp());
    Identity: |x| x, { let _ = x; T::ONE };
}

/// Runs `$body` with `$f` bound to the activation's type.
macro_rules! with_function {
    ($activation:expr, $f:ident => $body:expr) => {
        match $activation {
            Activation::Relu => {
                let $f = Relu;
                $body
            }
            Activation::LeakyRelu => {
                let $f = LeakyRelu;
                $body
            }
            Activation::Sigmoid => {
                let $f = Sigmoid;
                $body
            }
            Activation::Tanh => {
                let $f = Tanh;
                $body
            }
            Activation::Gelu => {
                let $f = Gelu;
                $body
            }
            Activation::Silu => {
                let $f = Silu;
                $body
            }
            Activation::Elu => {
                let $f = Elu;
                $body
            }
            Activation::Linear => {
                let $f = Identity;
                $body
            }
        }
    };
}

/// Splits into equal blocks of `size`, or into `count` empty ones where the slice is empty.
fn blocks<T>(values: &mut [T], size: usize, count: usize) -> Vec<&mut [T]> {
    if values.is_empty() {
        return (0..count).map(|_| Default::default()).collect();
    }
    values.chunks_mut(size).collect()
}

fn block<T>(values: &[T], r: usize, size: usize) -> &[T] {
    if values.is_empty() {
        values
    } else {
        &values[r * size..(r + 1) * size]
    }
}

/// # Shapes
/// `x` and the output `[replicas, rows, channels]`; `scale` and `center` `[replicas, channels]` or
/// empty.
pub(crate) fn forward<T: Real>(
    s: Sizes,
    spec: &TailSpec,
    x: &[T],
    scale: &[T],
    center: &[T],
) -> Forward<T> {
    let c = s.channels;
    let statistics = if spec.epsilon.is_some() {
        s.replicas * c
    } else {
        0
    };
    let masked = if spec.dropout.is_some() {
        s.replicas * s.block()
    } else {
        0
    };
    let mut out = Forward {
        y: vec![T::ZERO; s.replicas * s.block()],
        mean: vec![T::ZERO; statistics],
        variance: vec![T::ZERO; statistics],
        kept: vec![0; masked],
    };
    let tasks = blocks(&mut out.y, s.block(), s.replicas)
        .into_iter()
        .zip(blocks(&mut out.mean, c, s.replicas))
        .zip(blocks(&mut out.variance, c, s.replicas))
        .zip(blocks(&mut out.kept, s.block(), s.replicas))
        .enumerate();
    let tasks: Vec<_> = tasks.collect();
    tasks
        .into_par_iter()
        .for_each(|(r, (((y, mean), variance), kept))| {
            let x = block(x, r, s.block());
            let (scale, center) = (block(scale, r, c), block(center, r, c));
            pulp::Arch::new().dispatch(|| {
                if let Some(masks) = &spec.dropout {
                    draw(masks, r, c, kept);
                }
                with_function!(spec.activation, f => match (spec.epsilon, spec.position) {
                    (None, _) => map(x, y, |x| f.value(x)),
                    (Some(epsilon), Position::Before) => {
                        moments(x, mean, variance);
                        let line = Line::new(mean, variance, epsilon, scale, center);
                        line.map(x, y, |z| f.value(z));
                    }
                    (Some(epsilon), Position::After) => {
                        map(x, y, |x| f.value(x));
                        moments(y, mean, variance);
                        Line::new(mean, variance, epsilon, scale, center).map_in_place(y);
                    }
                });
                if let Some(masks) = &spec.dropout {
                    let factor = T::of(masks.factor());
                    for (y, &k) in y.iter_mut().zip(kept.iter()) {
                        *y = if k == 0 { T::ZERO } else { *y * factor };
                    }
                }
            });
        });
    out
}

/// The gradients by `x`, scale and center.
pub(crate) fn backward<T: Real>(
    s: Sizes,
    spec: &TailSpec,
    saved: Saved<T>,
    dy: &[T],
) -> Backward<T> {
    let c = s.channels;
    let sums = if spec.epsilon.is_some() {
        s.replicas * c
    } else {
        0
    };
    let mut out = Backward {
        dx: vec![T::ZERO; s.replicas * s.block()],
        scale: vec![T::ZERO; sums],
        center: vec![T::ZERO; sums],
    };
    let tasks = blocks(&mut out.dx, s.block(), s.replicas)
        .into_iter()
        .zip(blocks(&mut out.scale, c, s.replicas))
        .zip(blocks(&mut out.center, c, s.replicas))
        .enumerate();
    let tasks: Vec<_> = tasks.collect();
    tasks.into_par_iter().for_each(|(r, ((dx, ds), dc))| {
        let one = Replica {
            x: block(saved.x, r, s.block()),
            scale: block(saved.scale, r, c),
            center: block(saved.center, r, c),
            mean: block(saved.mean, r, c),
            variance: block(saved.variance, r, c),
            channels: c,
        };
        let (dy, kept) = (block(dy, r, s.block()), block(saved.kept, r, s.block()));
        pulp::Arch::new().dispatch(|| {
            match &spec.dropout {
                Some(masks) => {
                    let factor = T::of(masks.factor());
                    for ((d, &g), &k) in dx.iter_mut().zip(dy).zip(kept) {
                        *d = if k == 0 { T::ZERO } else { g * factor };
                    }
                }
                None => dx.copy_from_slice(dy),
            }
            with_function!(spec.activation, f => match (spec.epsilon, spec.position) {
                (None, _) => {
                    for (d, &x) in dx.iter_mut().zip(one.x) {
                        *d *= f.slope(x);
                    }
                }
                (Some(epsilon), Position::Before) => one.before(f, epsilon, dx, ds, dc),
                (Some(epsilon), Position::After) => one.after(f, epsilon, dx, ds, dc),
            });
        });
    });
    out
}

impl Masks {
    /// The factor of a kept element.
    fn factor(&self) -> f64 {
        1.0 / (1.0 - f64::from(self.threshold) / 65536.0)
    }
}

/// One replica's side of the backward pass.
struct Replica<'a, T> {
    x: &'a [T],
    scale: &'a [T],
    center: &'a [T],
    mean: &'a [T],
    variance: &'a [T],
    channels: usize,
}

impl<T: Real> Replica<'_, T> {
    fn line(&self, epsilon: f64) -> Line<T> {
        Line::new(self.mean, self.variance, epsilon, self.scale, self.center)
    }

    /// `y = f(scale x^ + center)`; `dx` comes in as the gradient of `y`.
    #[inline(always)]
    fn before<F: Function<T>>(&self, f: F, epsilon: f64, dx: &mut [T], ds: &mut [T], dc: &mut [T]) {
        let c = self.channels;
        let line = self.line(epsilon);
        line.multiply(self.x, dx, |z| f.slope(z));
        let inverse = inverse(self.variance, epsilon);
        let terms = |d: T, x: T, mean: T, inverse: T| (d, d * ((x - mean) * inverse));
        in_blocks([dx, self.x], [self.mean, &inverse], terms, dc, ds);
        let (sums, projections) = self.per_row(dc, ds);
        let (mean, slope) = (&self.mean[..c], &line.slope[..c]);
        let (inverse, sums, projections) = (&inverse[..c], &sums[..c], &projections[..c]);
        for (d, x) in dx.chunks_exact_mut(c).zip(self.x.chunks_exact(c)) {
            for i in 0..c {
                let normal = (x[i] - mean[i]) * inverse[i];
                d[i] = (d[i] - sums[i] - normal * projections[i]) * slope[i];
            }
        }
    }

    /// `y = scale h^ + center` with `h = f(x)`; `dx` comes in as the gradient of `y`.
    #[inline(always)]
    fn after<F: Function<T>>(&self, f: F, epsilon: f64, dx: &mut [T], ds: &mut [T], dc: &mut [T]) {
        let c = self.channels;
        let line = self.line(epsilon);
        let inverse = inverse(self.variance, epsilon);
        let normal = |x: T, mean: T, inverse: T| (f.value(x) - mean) * inverse;
        let terms = |d: T, x: T, mean: T, inverse: T| (d, d * normal(x, mean, inverse));
        in_blocks([dx, self.x], [self.mean, &inverse], terms, dc, ds);
        let (sums, projections) = self.per_row(dc, ds);
        let (mean, slope) = (&self.mean[..c], &line.slope[..c]);
        let (inverse, sums, projections) = (&inverse[..c], &sums[..c], &projections[..c]);
        for (d, x) in dx.chunks_exact_mut(c).zip(self.x.chunks_exact(c)) {
            for i in 0..c {
                let h = normal(x[i], mean[i], inverse[i]);
                d[i] = (d[i] - sums[i] - h * projections[i]) * slope[i] * f.slope(x[i]);
            }
        }
    }

    fn per_row(&self, dc: &[T], ds: &[T]) -> (Vec<T>, Vec<T>) {
        let share = T::of(self.channels as f64 / self.x.len() as f64);
        let shared = |v: &[T]| v.iter().map(|&v| v * share).collect();
        (shared(dc), shared(ds))
    }
}

#[inline(always)]
fn map<T: Real>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

/// `1 / sqrt(variance + epsilon)`.
fn inverse<T: Real>(variance: &[T], epsilon: f64) -> Vec<T> {
    let epsilon = T::of(epsilon);
    variance
        .iter()
        .map(|&v| T::ONE / (v + epsilon).sqrt())
        .collect()
}

/// What a norm does to each channel: `(x - shift) * slope + offset`.
struct Line<T> {
    shift: Vec<T>,
    slope: Vec<T>,
    offset: Vec<T>,
}

impl<T: Real> Line<T> {
    fn new(mean: &[T], variance: &[T], epsilon: f64, scale: &[T], center: &[T]) -> Self {
        let mut slope = inverse(variance, epsilon);
        for (slope, &scale) in slope.iter_mut().zip(scale) {
            *slope *= scale;
        }
        let mut offset = center.to_vec();
        offset.resize(mean.len(), T::ZERO);
        Self {
            shift: mean.to_vec(),
            slope,
            offset,
        }
    }

    /// Calls `f` with the place and the value on the line of every element of `x`.
    #[inline(always)]
    fn each(&self, x: &[T], out: &mut [T], f: impl Fn(&mut T, T)) {
        let c = self.shift.len();
        let (shift, slope, offset) = (&self.shift[..c], &self.slope[..c], &self.offset[..c]);
        for (x, out) in x.chunks_exact(c).zip(out.chunks_exact_mut(c)) {
            for i in 0..c {
                f(&mut out[i], (x[i] - shift[i]) * slope[i] + offset[i]);
            }
        }
    }

    #[inline(always)]
    fn map(&self, x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
        self.each(x, y, |y, z| *y = f(z));
    }

    #[inline(always)]
    fn multiply(&self, x: &[T], d: &mut [T], f: impl Fn(T) -> T) {
        self.each(x, d, |d, z| *d *= f(z));
    }

    #[inline(always)]
    fn map_in_place(&self, y: &mut [T]) {
        let c = self.shift.len();
        let (shift, slope, offset) = (&self.shift[..c], &self.slope[..c], &self.offset[..c]);
        for y in y.chunks_exact_mut(c) {
            for i in 0..c {
                y[i] = (y[i] - shift[i]) * slope[i] + offset[i];
            }
        }
    }
}

/// Rows summed directly before they enter a sum of blocks, which keeps rounding errors small.
const ROWS: usize = 64;

/// Mean and biased variance of each channel, in two passes.
#[inline(always)]
fn moments<T: Real>(x: &[T], mean: &mut [T], variance: &mut [T]) {
    let c = mean.len();
    let share = T::of(c as f64 / x.len() as f64);
    let zeros = vec![T::ZERO; c];
    let mut unused = vec![T::ZERO; c];
    in_blocks(
        [x, x],
        [&zeros, &zeros],
        |x, _, _, _| (x, T::ZERO),
        mean,
        &mut unused,
    );
    for m in mean.iter_mut() {
        *m *= share;
    }
    let square = |x: T, _, mean: T, _| ((x - mean) * (x - mean), T::ZERO);
    in_blocks([x, x], [mean, &zeros], square, variance, &mut unused);
    for v in variance.iter_mut() {
        *v *= share;
    }
}

/// Channels summed side by side.
const LANES: usize = 32;

/// Channel by channel sums of two terms over all rows, in blocks of [`ROWS`]. A term is made of the
/// elements of two arrays and of two numbers a channel.
#[inline(always)]
fn in_blocks<T: Real>(
    rows: [&[T]; 2],
    channels: [&[T]; 2],
    terms: impl Fn(T, T, T, T) -> (T, T),
    first: &mut [T],
    second: &mut [T],
) {
    let c = first.len();
    let whole = c - c % LANES;
    for from in (0..whole).step_by(LANES) {
        let side = |i: usize| -> [T; LANES] {
            channels[i][from..from + LANES]
                .try_into()
                .expect("LANES channels")
        };
        let (p, q) = (side(0), side(1));
        let mut totals = [[T::ZERO; LANES]; 2];
        for (a, b) in rows[0].chunks(ROWS * c).zip(rows[1].chunks(ROWS * c)) {
            let mut sums = [[T::ZERO; LANES]; 2];
            for (a, b) in a.chunks_exact(c).zip(b.chunks_exact(c)) {
                let (a, b) = (&a[from..from + LANES], &b[from..from + LANES]);
                for i in 0..LANES {
                    let (x, y) = terms(a[i], b[i], p[i], q[i]);
                    sums[0][i] += x;
                    sums[1][i] += y;
                }
            }
            for i in 0..LANES {
                totals[0][i] += sums[0][i];
                totals[1][i] += sums[1][i];
            }
        }
        first[from..from + LANES].copy_from_slice(&totals[0]);
        second[from..from + LANES].copy_from_slice(&totals[1]);
    }
    rest_in_blocks(whole, rows, channels, terms, first, second);
}

/// The channels from `from` on, fewer than [`LANES`].
#[inline(always)]
fn rest_in_blocks<T: Real>(
    from: usize,
    rows: [&[T]; 2],
    channels: [&[T]; 2],
    terms: impl Fn(T, T, T, T) -> (T, T),
    first: &mut [T],
    second: &mut [T],
) {
    let c = first.len();
    let n = c - from;
    if n == 0 {
        return;
    }
    let (p, q) = (&channels[0][from..from + n], &channels[1][from..from + n]);
    let mut totals = [[T::ZERO; LANES]; 2];
    for (a, b) in rows[0].chunks(ROWS * c).zip(rows[1].chunks(ROWS * c)) {
        let mut sums = [[T::ZERO; LANES]; 2];
        let (s, t) = sums.split_at_mut(1);
        let (s, t) = (&mut s[0][..n], &mut t[0][..n]);
        for (a, b) in a.chunks_exact(c).zip(b.chunks_exact(c)) {
            let (a, b) = (&a[from..from + n], &b[from..from + n]);
            for i in 0..n {
                let (x, y) = terms(a[i], b[i], p[i], q[i]);
                s[i] += x;
                t[i] += y;
            }
        }
        for i in 0..n {
            totals[0][i] += s[i];
            totals[1][i] += t[i];
        }
    }
    first[from..].copy_from_slice(&totals[0][..n]);
    second[from..].copy_from_slice(&totals[1][..n]);
}

/// Whether each element of replica `r` is kept.
#[inline(always)]
fn draw(masks: &Masks, r: usize, channels: usize, kept: &mut [u8]) {
    let stream = &masks.streams[r];
    let keep = |u: u16| u8::from(u32::from(u) >= masks.threshold);
    if masks.shared_rows == 1 {
        for (chunk, kept) in kept.chunks_mut(128).enumerate() {
            let numbers = stream.half_words(masks.step, chunk as u64);
            for (k, u) in kept.iter_mut().zip(numbers) {
                *k = keep(u);
            }
        }
        return;
    }
    let image = masks.shared_rows * channels;
    let numbers = kept.len() / masks.shared_rows;
    let mut mask = vec![0u8; numbers];
    for (chunk, mask) in mask.chunks_mut(128).enumerate() {
        let numbers = stream.half_words(masks.step, chunk as u64);
        for (k, u) in mask.iter_mut().zip(numbers) {
            *k = keep(u);
        }
    }
    for (kept, mask) in kept
        .chunks_exact_mut(image)
        .zip(mask.chunks_exact(channels))
    {
        for row in kept.chunks_exact_mut(channels) {
            row.copy_from_slice(mask);
        }
    }
}
