//! A step of an exponential moving average.

use super::real::Real;
use super::vector::Kernel;

/// Makes `average` its first weight of itself and the second one of `new`.
pub(crate) fn step<T: Real>(weights: [f64; 2], average: &mut [T], new: &[T]) {
    T::run(Step {
        weights: weights.map(T::of),
        average,
        new,
    });
}

struct Step<'a, T> {
    weights: [T; 2],
    average: &'a mut [T],
    new: &'a [T],
}

impl<T: Real> Kernel for Step<'_, T> {
    #[inline(always)]
    fn run(self) {
        let [keep, share] = self.weights;
        for (average, &new) in self.average.iter_mut().zip(self.new) {
            *average = *average * keep + new * share;
        }
    }
}
