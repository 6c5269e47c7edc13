//! One step of Adam, in one pass over parameters, gradients and moments.

use super::chunks::OptimizerChunks;
use super::kernel::Kernel;
use super::parallel::for_each;
use super::real::Real;
use crate::optimizer::AdamStep;

/// Updates `value` and its moments `first` and `second`, all `[replicas, ..]`.
pub(crate) fn step<T: Real>(
    s: &AdamStep,
    value: &mut [T],
    gradient: &[T],
    first: &mut [T],
    second: &mut [T],
) {
    let correction1 = 1.0 - s.beta1.powi(s.step);
    let correction2 = 1.0 - s.beta2.powi(s.step);
    let chunks = OptimizerChunks::new(value.len(), s.rates.len());
    let moments = chunks.of_mut(first).zip(chunks.of_mut(second));
    let tasks = chunks.of_mut(value).zip(chunks.of(gradient));
    let tasks = tasks.zip(moments).zip(chunks.rates(&s.rates));
    for_each(
        tasks.collect(),
        |(((value, gradient), (first, second)), rate)| {
            T::run(Step {
                value,
                gradient,
                first,
                second,
                decays: [s.beta1, s.beta2, 1.0 - s.beta1, 1.0 - s.beta2].map(T::from_f64),
                corrections: [1.0 / correction1, 1.0 / correction2].map(T::from_f64),
                epsilon: T::from_f64(s.epsilon),
                penalty: T::from_f64(s.penalty),
                rate: T::from_f64(rate),
                shrink: T::from_f64(rate * s.shrinkage),
            });
        },
    );
}

struct Step<'a, T> {
    value: &'a mut [T],
    gradient: &'a [T],
    first: &'a mut [T],
    second: &'a mut [T],
    decays: [T; 4],
    corrections: [T; 2],
    epsilon: T,
    penalty: T,
    rate: T,
    shrink: T,
}

impl<T: Real> Kernel for Step<'_, T> {
    #[inline(always)]
    fn run(self) {
        let ([b1, b2, c1, c2], [by1, by2]) = (self.decays, self.corrections);
        let moments = self.first.iter_mut().zip(self.second);
        for ((w, &g), (m, v)) in self.value.iter_mut().zip(self.gradient).zip(moments) {
            // Read everything before writing: pooled buffers are often a multiple of 4 KiB apart, and
            // then a load after a store to another array stalls (4K aliasing).
            let (old, g) = (*w, g + *w * self.penalty);
            let first = *m * b1 + g * c1;
            let second = *v * b2 + g * g * c2;
            let direction = first * by1 / ((second * by2).sqrt() + self.epsilon);
            *m = first;
            *v = second;
            *w = old - old * self.shrink - direction * self.rate;
        }
    }
}
