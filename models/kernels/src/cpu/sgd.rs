//! One step of SGD, in one pass over parameters, gradients and velocities.

use super::chunks::OptimizerChunks;
use super::kernel::Kernel;
use super::parallel::for_each;
use super::real::Real;
use crate::optimizer::SgdStep;

/// Updates `value`, and `velocity` if there is one, both `[replicas, ..]`.
pub(crate) fn step<T: Real>(
    s: &SgdStep,
    value: &mut [T],
    gradient: &[T],
    velocity: Option<&mut [T]>,
) {
    let chunks = OptimizerChunks::new(value.len(), s.rates.len());
    let tasks = chunks
        .of_mut(value)
        .zip(chunks.of(gradient))
        .zip(chunks.rates(&s.rates));
    match velocity {
        None => for_each(tasks.collect(), |((value, gradient), rate)| {
            T::run(Plain {
                value,
                gradient,
                penalty: T::from_f64(s.penalty),
                rate: T::from_f64(rate),
            });
        }),
        Some(velocity) => {
            let tasks = tasks.zip(chunks.of_mut(velocity));
            for_each(tasks.collect(), |(((value, gradient), rate), velocity)| {
                T::run(Momentum {
                    value,
                    gradient,
                    velocity,
                    momentum: T::from_f64(s.momentum),
                    direction: match s.nesterov {
                        true => [T::ONE, T::from_f64(s.momentum)],
                        false => [T::ZERO, T::ONE],
                    },
                    penalty: T::from_f64(s.penalty),
                    rate: T::from_f64(rate),
                });
            });
        }
    }
}

struct Plain<'a, T> {
    value: &'a mut [T],
    gradient: &'a [T],
    penalty: T,
    rate: T,
}

impl<T: Real> Kernel for Plain<'_, T> {
    #[inline(always)]
    fn run(self) {
        for (w, &g) in self.value.iter_mut().zip(self.gradient) {
            *w = *w - (g + *w * self.penalty) * self.rate;
        }
    }
}

struct Momentum<'a, T> {
    value: &'a mut [T],
    gradient: &'a [T],
    velocity: &'a mut [T],
    momentum: T,
    /// Coefficients of gradient and velocity in the step's direction.
    direction: [T; 2],
    penalty: T,
    rate: T,
}

impl<T: Real> Kernel for Momentum<'_, T> {
    #[inline(always)]
    fn run(self) {
        let [of_gradient, of_velocity] = self.direction;
        for ((w, &g), v) in self.value.iter_mut().zip(self.gradient).zip(self.velocity) {
            // Read everything before writing, as in Adam.
            let (old, g) = (*w, g + *w * self.penalty);
            let velocity = *v * self.momentum + g;
            *v = velocity;
            *w = old - (g * of_gradient + velocity * of_velocity) * self.rate;
        }
    }
}
