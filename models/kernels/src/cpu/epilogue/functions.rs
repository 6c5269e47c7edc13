//! Activations as types, so that the inner loops are compiled for each.

use crate::activation::{Activation, LEAKY_SLOPE};
use crate::cpu::elementary::each;
use crate::cpu::real::Real;
use crate::spec::EpilogueSpec;
use pulp::Simd;

/// An activation as a type.
pub(super) trait ActivationFunction<T: Real>: Copy {
    /// Whether this is the identity function.
    #[inline(always)]
    fn is_identity(self) -> bool {
        false
    }

    /// Whether the function is monotonic. The others fall and then rise.
    #[inline(always)]
    fn is_monotonic(self) -> bool {
        true
    }

    /// Values and slopes at several vectors. If only one of the two is used, the compiler removes
    /// the computation of the other.
    fn value_and_slope<S: Simd, const N: usize>(
        self,
        simd: S,
        x: [T::Vector<S>; N],
    ) -> [[T::Vector<S>; N]; 2];
}

macro_rules! functions {
    ($($name:ident$(, monotonic = $monotonic:literal)?: |$t:ident, $simd:ident, $x:ident| $value_and_slope:block)*) => {$(
        #[derive(Clone, Copy)]
        pub(super) struct $name;
        impl<$t: Real> ActivationFunction<$t> for $name {
            $(
                #[inline(always)]
                fn is_monotonic(self) -> bool {
                    $monotonic
                }
            )?
            #[inline(always)]
            fn value_and_slope<S: Simd, const N: usize>(
                self,
                $simd: S,
                $x: [$t::Vector<S>; N],
            ) -> [[$t::Vector<S>; N]; 2] {
                $value_and_slope
            }
        }
    )*};
}

/// The logistic function.
#[inline(always)]
fn logistic<T: Real, S: Simd, const N: usize>(simd: S, x: [T::Vector<S>; N]) -> [T::Vector<S>; N] {
    let one = T::splat(simd, T::ONE);
    let exp = T::exp_each(simd, each!(x, |i| T::negate(simd, x[i])));
    each!(exp, |i| T::divide(simd, one, T::plus(simd, one, exp[i])))
}

// Comparisons are written so that a NaN takes the branch that keeps it.
functions! {
    Relu: |T, simd, x| {
        let (zero, one) = (T::splat(simd, T::ZERO), T::splat(simd, T::ONE));
        let value = each!(x, |i| T::select_each(simd, T::greater_equal(simd, zero, x[i]), zero, x[i]));
        let slope = each!(x, |i| T::select_each(simd, T::greater(simd, x[i], zero), one, zero));
        [value, slope]
    }
    LeakyRelu: |T, simd, x| {
        let (zero, one) = (T::splat(simd, T::ZERO), T::splat(simd, T::ONE));
        let leak = T::splat(simd, T::from_f64(LEAKY_SLOPE));
        let value = each!(x, |i| {
            let below = T::times(simd, x[i], leak);
            T::select_each(simd, T::greater(simd, x[i], zero), x[i], below)
        });
        let slope = each!(x, |i| T::select_each(simd, T::greater(simd, x[i], zero), one, leak));
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
    Gelu, monotonic = false: |T, simd, x| {
        let half = T::splat(simd, T::from_f64(-0.5));
        let root = T::splat(simd, T::from_f64(0.398_942_280_401_432_7));
        let cdf = T::normal_cdf_each(simd, x);
        let square = each!(x, |i| T::times(simd, T::times(simd, x[i], x[i]), half));
        let exp = T::exp_each(simd, square);
        let slope = each!(x, |i| {
            let density = T::times(simd, exp[i], root);
            T::mul_add(simd, x[i], density, cdf[i])
        });
        [each!(x, |i| T::times(simd, x[i], cdf[i])), slope]
    }
    Silu, monotonic = false: |T, simd, x| {
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
        let below = each!(x, |i| T::select_each(simd, T::greater(simd, x[i], zero), zero, x[i]));
        let value = T::exp_m1_of_negative_each(simd, below);
        let value = each!(x, |i| {
            T::select_each(simd, T::greater(simd, x[i], zero), x[i], value[i])
        });
        let slope = T::exp_each(simd, below);
        let slope = each!(x, |i| {
            T::select_each(simd, T::greater(simd, x[i], zero), one, slope[i])
        });
        [value, slope]
    }
}

/// No activation.
#[derive(Clone, Copy)]
pub(super) struct Identity;

impl<T: Real> ActivationFunction<T> for Identity {
    #[inline(always)]
    fn is_identity(self) -> bool {
        true
    }

    #[inline(always)]
    fn value_and_slope<S: Simd, const N: usize>(
        self,
        simd: S,
        x: [T::Vector<S>; N],
    ) -> [[T::Vector<S>; N]; 2] {
        [x, [T::splat(simd, T::ONE); N]]
    }
}

/// Runs `$body` with `$f` bound to the activation as a type, or `$otherwise` if it has no kernel.
macro_rules! with_function_type {
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
        $crate::cpu::epilogue::functions::with_function_type!(
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
        $crate::cpu::epilogue::functions::with_function_type!($activation, $f => $body, else {
            panic!("`{}` has no kernel", $activation.name())
        })
    };
}

/// Runs `$body` with `$f` bound to the activation: as a type of its own, or in the reference
/// precision as [`AnyFunction`].
macro_rules! with_function {
    ($t:ty, $activation:expr, $f:ident => $body:expr) => {
        if const { <$t as $crate::cpu::real::Real>::REFERENCE } {
            let $f = $crate::cpu::epilogue::functions::AnyFunction($activation);
            $body
        } else {
            $crate::cpu::epilogue::functions::with_function_type!($activation, $f => $body)
        }
    };
}

pub(super) use {with_function, with_function_type};

impl EpilogueSpec {
    /// Whether the CPU kernels include `activation`.
    pub fn has_kernel(activation: Activation) -> bool {
        with_function_type!(activation, _function => true, else false)
    }
}

/// An activation chosen at run time, so that one compiled kernel serves all activations.
#[derive(Clone, Copy)]
pub(super) struct AnyFunction(pub(super) Activation);

impl<T: Real> ActivationFunction<T> for AnyFunction {
    #[inline(always)]
    fn is_identity(self) -> bool {
        with_function_type!(self.0, f => ActivationFunction::<T>::is_identity(f))
    }

    #[inline(always)]
    fn is_monotonic(self) -> bool {
        with_function_type!(self.0, f => ActivationFunction::<T>::is_monotonic(f))
    }

    #[inline(always)]
    fn value_and_slope<S: Simd, const N: usize>(
        self,
        simd: S,
        x: [T::Vector<S>; N],
    ) -> [[T::Vector<S>; N]; 2] {
        with_function_type!(self.0, f => ActivationFunction::<T>::value_and_slope(f, simd, x))
    }
}
