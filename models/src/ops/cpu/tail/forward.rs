//! The forward pass.

use super::functions::{Function, with_function};
use super::masks::draw;
use super::rows::{Line, map, moments};
use super::{Sizes, TailSpec, block, blocks};
use crate::block::Position;
use crate::ops::cpu::real::Real;
use crate::ops::cpu::vector::Kernel;
use rayon::prelude::*;

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
            T::run(ForwardOne {
                spec,
                r,
                channels: c,
                x: block(x, r, s.block()),
                scale: block(scale, r, c),
                center: block(center, r, c),
                y,
                mean,
                variance,
                kept,
            });
        });
    out
}

/// One replica's forward pass.
struct ForwardOne<'a, T> {
    spec: &'a TailSpec,
    r: usize,
    channels: usize,
    x: &'a [T],
    scale: &'a [T],
    center: &'a [T],
    y: &'a mut [T],
    mean: &'a mut [T],
    variance: &'a mut [T],
    kept: &'a mut [u8],
}

impl<T: Real> Kernel for ForwardOne<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Self {
            spec,
            r,
            channels,
            x,
            scale,
            center,
            y,
            mean,
            variance,
            kept,
        } = self;
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
            draw(masks, r, channels, kept);
            let factor = T::of(masks.factor());
            for (y, &k) in y.iter_mut().zip(kept.iter()) {
                *y = if k == 0 { T::ZERO } else { *y * factor };
            }
        }
    }
}
