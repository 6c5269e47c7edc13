//! Activations as types, so that each has inner loops of its own.

use crate::activation::LEAKY_SLOPE;
use crate::cpu::elementary::each;
use crate::cpu::real::Real;
use pulp::Simd;

/// An activation as a type.
pub(super) trait Function<T: Real>: Copy {
    /// Whether values are what they are of, and slopes 1.
    const IDENTITY: bool = false;

    /// Whether a larger number never has a smaller value. The others fall and then rise.
    const NEVER_FALLS: bool = true;

    /// The values of several vectors, and the slopes there. They share what they can; where only
    /// one is used, the compiler leaves out what the other takes.
    fn both<S: Simd, const N: usize>(self, simd: S, x: [T::Vector<S>; N])
    -> [[T::Vector<S>; N]; 2];
}

macro_rules! functions {
    ($($name:ident$(, $falls:ident)?: |$t:ident, $simd:ident, $x:ident| $both:block)*) => {$(
        #[derive(Clone, Copy)]
        pub(super) struct $name;
        impl<$t: Real> Function<$t> for $name {
            $(const NEVER_FALLS: bool = !$falls;)?
            #[inline(always)]
            fn both<S: Simd, const N: usize>(
                self,
                $simd: S,
                $x: [$t::Vector<S>; N],
            ) -> [[$t::Vector<S>; N]; 2] {
                $both
            }
        }
    )*};
}

/// The logistic function.
#[inline(always)]
fn logistic<T: Real, S: Simd, const N: usize>(simd: S, x: [T::Vector<S>; N]) -> [T::Vector<S>; N] {
    let one = T::splat(simd, T::ONE);
    let exp = T::exp_each(simd, each!(x, |i| T::negative(simd, x[i])));
    each!(exp, |i| T::over(simd, one, T::plus(simd, one, exp[i])))
}

/// Of a function that falls before it rises.
const FALLS: bool = true;

// Comparisons are written so that NaN falls through to a branch that keeps it.
functions! {
    Relu: |T, simd, x| {
        let (zero, one) = (T::splat(simd, T::ZERO), T::splat(simd, T::ONE));
        let value = each!(x, |i| T::choose_each(simd, T::at_least(simd, zero, x[i]), zero, x[i]));
        let slope = each!(x, |i| T::choose_each(simd, T::above(simd, x[i], zero), one, zero));
        [value, slope]
    }
    LeakyRelu: |T, simd, x| {
        let (zero, one) = (T::splat(simd, T::ZERO), T::splat(simd, T::ONE));
        let leak = T::splat(simd, T::of(LEAKY_SLOPE));
        let value = each!(x, |i| {
            let below = T::times(simd, x[i], leak);
            T::choose_each(simd, T::above(simd, x[i], zero), x[i], below)
        });
        let slope = each!(x, |i| T::choose_each(simd, T::above(simd, x[i], zero), one, leak));
        [value, slope]
    }
    Sigmoid: |T, simd, x| {
        let one = T::splat(simd, T::ONE);
        let y = logistic::<T, S, N>(simd, x);
        [y, each!(y, |i| T::times(simd, y[i], T::minus(simd, one, y[i])))]
    }
    Tanh: |T, simd, x| {
        let one = T::splat(simd, T::ONE);
        let y = T::tanh_each(simd, x);
        [y, each!(y, |i| T::minus(simd, one, T::times(simd, y[i], y[i])))]
    }
    Gelu, FALLS: |T, simd, x| {
        let half = T::splat(simd, T::of(-0.5));
        let root = T::splat(simd, T::of(0.398_942_280_401_432_7));
        let cdf = T::normal_cdf_each(simd, x);
        let square = each!(x, |i| T::times(simd, T::times(simd, x[i], x[i]), half));
        let exp = T::exp_each(simd, square);
        let slope = each!(x, |i| {
            let density = T::times(simd, exp[i], root);
            T::mul_add(simd, x[i], density, cdf[i])
        });
        [each!(x, |i| T::times(simd, x[i], cdf[i])), slope]
    }
    Silu, FALLS: |T, simd, x| {
        let one = T::splat(simd, T::ONE);
        let y = logistic::<T, S, N>(simd, x);
        let slope = each!(x, |i| {
            let rest = T::mul_add(simd, x[i], T::minus(simd, one, y[i]), one);
            T::times(simd, y[i], rest)
        });
        [each!(x, |i| T::times(simd, x[i], y[i])), slope]
    }
    Elu: |T, simd, x| {
        let (zero, one) = (T::splat(simd, T::ZERO), T::splat(simd, T::ONE));
        let below = each!(x, |i| T::choose_each(simd, T::above(simd, x[i], zero), zero, x[i]));
        let value = T::exp_m1_of_negative_each(simd, below);
        let value = each!(x, |i| {
            T::choose_each(simd, T::above(simd, x[i], zero), x[i], value[i])
        });
        let slope = T::exp_each(simd, below);
        let slope = each!(x, |i| {
            T::choose_each(simd, T::above(simd, x[i], zero), one, slope[i])
        });
        [value, slope]
    }
}

/// No activation.
#[derive(Clone, Copy)]
pub(super) struct Identity;

impl<T: Real> Function<T> for Identity {
    const IDENTITY: bool = true;

    #[inline(always)]
    fn both<S: Simd, const N: usize>(
        self,
        simd: S,
        x: [T::Vector<S>; N],
    ) -> [[T::Vector<S>; N]; 2] {
        [x, [T::splat(simd, T::ONE); N]]
    }
}

/// Runs `$body` with `$f` bound to the type of the activation, or `$otherwise` if it has no kernel.
macro_rules! with_function {
    (@ $activation:expr, $f:ident => $body:expr, else $otherwise:expr,
        $($variant:ident: $function:ident,)*
    ) => {
        $(if $activation == $crate::activation::Activation::$variant {
            let $f = $crate::cpu::epilogue::functions::$function;
            $body
        } else)* {
            $otherwise
        }
    };
    ($activation:expr, $f:ident => $body:expr, else $otherwise:expr) => {
        $crate::cpu::epilogue::functions::with_function!(
            @ $activation, $f => $body, else $otherwise,
            Relu: Relu,
            LeakyRelu: LeakyRelu,
            Sigmoid: Sigmoid,
            Tanh: Tanh,
            Gelu: Gelu,
            Silu: Silu,
            Elu: Elu,
            Linear: Identity,
        )
    };
    ($activation:expr, $f:ident => $body:expr) => {
        $crate::cpu::epilogue::functions::with_function!($activation, $f => $body, else {
            panic!("`{}` has no kernel", $activation.name())
        })
    };
}

pub(super) use with_function;
