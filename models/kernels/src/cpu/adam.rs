//! A step of Adam in one pass over parameter, gradient and moments.

use super::cut::Cut;
use super::parallel::for_each;
use super::real::Real;
use super::vector::Kernel;

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
    let correction1 = 1.0 - s.beta1.powi(s.step);
    let correction2 = 1.0 - s.beta2.powi(s.step);
    let cut = Cut::new(value.len(), s.rates.len());
    let moments = cut.write(first).zip(cut.write(second));
    let tasks = cut.write(value).zip(cut.read(gradient));
    let tasks = tasks.zip(moments).zip(cut.rates(&s.rates));
    for_each(
        tasks.collect(),
        |(((value, gradient), (first, second)), rate)| {
            T::run(Step {
                value,
                gradient,
                first,
                second,
                decays: [s.beta1, s.beta2, 1.0 - s.beta1, 1.0 - s.beta2].map(T::of),
                corrections: [1.0 / correction1, 1.0 / correction2].map(T::of),
                epsilon: T::of(s.epsilon),
                penalty: T::of(s.penalty),
                rate: T::of(rate),
                shrink: T::of(rate * s.shrinkage),
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
            // All reads before all writes: arrays that lie a multiple of 4 KiB apart, as their pool
            // likes to give them, make a read behind a write wait for it.
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
