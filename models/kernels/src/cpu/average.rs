//! One step of an exponential moving average.

use super::kernel::Kernel;
use super::real::Real;

/// `average = weights[0] * average + weights[1] * new`.
pub(crate) fn step<T: Real>(weights: [f64; 2], average: &mut [T], new: &[T]) {
    T::run(Step {
        weights: weights.map(T::from_f64),
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
