//! Activations as types, so that each has inner loops of its own.

use crate::activation::LEAKY_SLOPE;
use crate::ops::cpu::real::Real;

/// An activation as a type, so that each has loops of its own.
pub(crate) trait Function<T>: Send + Sync + Copy {
    fn value(self, x: T) -> T;
    fn slope(self, x: T) -> T;
}

macro_rules! functions {
    ($($name:ident: |$x:ident| $value:expr, $slope:expr;)*) => {$(
        #[derive(Clone, Copy)]
        pub(crate) struct $name;
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
fn logistic<T: Real>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp())
}

// Comparisons are written so that NaN falls through to a branch that keeps it.
functions! {
    Relu: |x| T::choose(x <= T::ZERO, T::ZERO, x), T::choose(x > T::ZERO, T::ONE, T::ZERO);
    LeakyRelu: |x| T::choose(x > T::ZERO, x, x * T::of(LEAKY_SLOPE)),
        T::choose(x > T::ZERO, T::ONE, T::of(LEAKY_SLOPE));
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
    Elu: |x| T::choose(x > T::ZERO, x, T::choose(x > T::ZERO, T::ZERO, x).exp_m1_of_negative()),
        T::choose(x > T::ZERO, T::ONE, T::choose(x > T::ZERO, T::ZERO, x).exp());
    Identity: |x| x, { let _ = x; T::ONE };
}

/// Runs `$body` with `$f` bound to the activation's type.
macro_rules! with_function {
    ($activation:expr, $f:ident => $body:expr) => {
        match $activation {
            $crate::activation::Activation::Relu => {
                let $f = $crate::ops::cpu::tail::functions::Relu;
                $body
            }
            $crate::activation::Activation::LeakyRelu => {
                let $f = $crate::ops::cpu::tail::functions::LeakyRelu;
                $body
            }
            $crate::activation::Activation::Sigmoid => {
                let $f = $crate::ops::cpu::tail::functions::Sigmoid;
                $body
            }
            $crate::activation::Activation::Tanh => {
                let $f = $crate::ops::cpu::tail::functions::Tanh;
                $body
            }
            $crate::activation::Activation::Gelu => {
                let $f = $crate::ops::cpu::tail::functions::Gelu;
                $body
            }
            $crate::activation::Activation::Silu => {
                let $f = $crate::ops::cpu::tail::functions::Silu;
                $body
            }
            $crate::activation::Activation::Elu => {
                let $f = $crate::ops::cpu::tail::functions::Elu;
                $body
            }
            $crate::activation::Activation::Linear => {
                let $f = $crate::ops::cpu::tail::functions::Identity;
                $body
            }
        }
    };
}

pub(super) use with_function;
