//! A step of SGD in one pass over parameter, gradient and velocity.

use super::cut::Cut;
use super::parallel::for_each;
use super::real::Real;
use super::vector::Kernel;

/// Settings of a step.
#[derive(Clone, Debug)]
pub struct SgdStep {
    /// Learning rate of each replica.
    pub rates: Vec<f64>,
    /// Decay of the velocity; not used without one.
    pub momentum: f64,
    /// Step along the gradient that the velocity will have seen twice (Nesterov's form).
    pub nesterov: bool,
    /// Decay added to the gradient (an L2 penalty).
    pub penalty: f64,
}

/// Moves `value`, and `velocity` if there is one, each of equal blocks a replica.
pub(crate) fn step<T: Real>(
    s: &SgdStep,
    value: &mut [T],
    gradient: &[T],
    velocity: Option<&mut [T]>,
) {
    let cut = Cut::new(value.len(), s.rates.len());
    let tasks = cut
        .write(value)
        .zip(cut.read(gradient))
        .zip(cut.rates(&s.rates));
    match velocity {
        None => for_each(tasks.collect(), |((value, gradient), rate)| {
            T::run(Plain {
                value,
                gradient,
                penalty: T::of(s.penalty),
                rate: T::of(rate),
            });
        }),
        Some(velocity) => {
            let tasks = tasks.zip(cut.write(velocity));
            for_each(tasks.collect(), |(((value, gradient), rate), velocity)| {
                T::run(Heavy {
                    value,
                    gradient,
                    velocity,
                    momentum: T::of(s.momentum),
                    // How much of gradient and velocity a step takes.
                    share: match s.nesterov {
                        true => [T::ONE, T::of(s.momentum)],
                        false => [T::ZERO, T::ONE],
                    },
                    penalty: T::of(s.penalty),
                    rate: T::of(rate),
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

struct Heavy<'a, T> {
    value: &'a mut [T],
    gradient: &'a [T],
    velocity: &'a mut [T],
    momentum: T,
    share: [T; 2],
    penalty: T,
    rate: T,
}

impl<T: Real> Kernel for Heavy<'_, T> {
    #[inline(always)]
    fn run(self) {
        let [of_gradient, of_velocity] = self.share;
        for ((w, &g), v) in self.value.iter_mut().zip(self.gradient).zip(self.velocity) {
            // All reads before all writes, as in a step of Adam.
            let (old, g) = (*w, g + *w * self.penalty);
            let velocity = *v * self.momentum + g;
            *v = velocity;
            *w = old - (g * of_gradient + velocity * of_velocity) * self.rate;
        }
    }
}
