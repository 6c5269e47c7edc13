//! A step of Adam in one pass over parameter, gradient and moments.

use super::real::Real;
use rayon::prelude::*;

/// Settings of a step.
#[derive(Clone, Debug)]
pub struct AdamStep {
    /// Learning rate of each replica.
    pub rates: Vec<f64>,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decay added to the gradient (an L2 penalty).
    pub penalty: f64,
    /// Decay of the parameter itself, relative to the learning rate.
    pub shrinkage: f64,
    /// Number of this step, from 1.
    pub step: i32,
}

/// Moves `value`, `first` and `second`, each of equal blocks a replica.
pub(crate) fn step<T: Real>(
    s: &AdamStep,
    value: &mut [T],
    gradient: &[T],
    first: &mut [T],
    second: &mut [T],
) {
    let block = value.len() / s.rates.len();
    let correction1 = 1.0 - s.beta1.powi(s.step);
    let correction2 = 1.0 - s.beta2.powi(s.step);
    value
        .par_chunks_mut(block)
        .zip(gradient.par_chunks(block))
        .zip(first.par_chunks_mut(block))
        .zip(second.par_chunks_mut(block))
        .zip(&s.rates)
        .for_each(|((((value, gradient), first), second), &rate)| {
            let (b1, b2) = (T::of(s.beta1), T::of(s.beta2));
            let (c1, c2) = (T::of(1.0 - s.beta1), T::of(1.0 - s.beta2));
            let (epsilon, penalty) = (T::of(s.epsilon), T::of(s.penalty));
            let (by1, by2) = (T::of(1.0 / correction1), T::of(1.0 / correction2));
            let (rate, shrink) = (T::of(rate), T::of(rate * s.shrinkage));
            pulp::Arch::new().dispatch(|| {
                let moments = first.iter_mut().zip(second);
                for ((w, &g), (m, v)) in value.iter_mut().zip(gradient).zip(moments) {
                    let g = g + *w * penalty;
                    *m = *m * b1 + g * c1;
                    *v = *v * b2 + g * g * c2;
                    let direction = *m * by1 / ((*v * by2).sqrt() + epsilon);
                    *w = *w - *w * shrink - direction * rate;
                }
            });
        });
}
