//! The backward pass.

use super::functions::{Function, with_function};
use super::rows::{Line, in_blocks, inverse};
use super::{Sizes, TailSpec, block, blocks};
use crate::block::Position;
use crate::ops::cpu::real::Real;
use crate::ops::cpu::vector::Kernel;
use rayon::prelude::*;

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
        T::run(BackwardOne {
            spec,
            dy: block(dy, r, s.block()),
            kept: block(saved.kept, r, s.block()),
            dx,
            ds,
            dc,
            replica: Replica {
                x: block(saved.x, r, s.block()),
                scale: block(saved.scale, r, c),
                center: block(saved.center, r, c),
                mean: block(saved.mean, r, c),
                variance: block(saved.variance, r, c),
                channels: c,
            },
        });
    });
    out
}

/// One replica's backward pass.
struct BackwardOne<'a, T> {
    spec: &'a TailSpec,
    dy: &'a [T],
    kept: &'a [u8],
    dx: &'a mut [T],
    ds: &'a mut [T],
    dc: &'a mut [T],
    replica: Replica<'a, T>,
}

impl<T: Real> Kernel for BackwardOne<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Self {
            spec,
            dy,
            kept,
            dx,
            ds,
            dc,
            replica,
        } = self;
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
                for (d, &x) in dx.iter_mut().zip(replica.x) {
                    *d *= f.slope(x);
                }
            }
            (Some(epsilon), Position::Before) => replica.before(f, epsilon, dx, ds, dc),
            (Some(epsilon), Position::After) => replica.after(f, epsilon, dx, ds, dc),
        });
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
