//! Activations and their slopes, as in [`Activation::forward`].

use super::arguments::NormSpec;
use crate::activation::{Activation, LEAKY_SLOPE};
use crate::position::Position;
use burn_cubecl::cubecl::{self, prelude::*};
use std::f32::consts::{FRAC_1_SQRT_2, PI};

/// An activation that has a GPU kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Function {
    Relu,
    LeakyRelu,
    Sigmoid,
    Tanh,
    Gelu,
    Silu,
    Elu,
    Identity,
}

impl Function {
    /// The kernel of `activation`; `None` if it has none.
    pub(super) fn of(activation: Activation) -> Option<Self> {
        const KERNELS: [(Activation, Function); 8] = [
            (Activation::Relu, Function::Relu),
            (Activation::LeakyRelu, Function::LeakyRelu),
            (Activation::Sigmoid, Function::Sigmoid),
            (Activation::Tanh, Function::Tanh),
            (Activation::Gelu, Function::Gelu),
            (Activation::Silu, Function::Silu),
            (Activation::Elu, Function::Elu),
            (Activation::Linear, Function::Identity),
        ];
        let mut kernels = KERNELS.into_iter();
        let found = kernels.find(|(known, _)| *known == activation);
        found.map(|(_, kernel)| kernel)
    }
}

/// Activation and order of norm and activation, for which kernels are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NormFunction {
    pub(super) activation: Function,
    /// Whether the norm comes after the activation.
    pub(super) norm_after: bool,
}

impl NormFunction {
    /// No activation.
    pub(super) const IDENTITY: Self = Self {
        activation: Function::Identity,
        norm_after: false,
    };
}

impl From<&NormSpec> for NormFunction {
    fn from(spec: &NormSpec) -> Self {
        Self {
            activation: Function::of(spec.activation)
                .unwrap_or_else(|| panic!("`{}` has no GPU kernel", spec.activation.name())),
            norm_after: spec.position == Position::After,
        }
    }
}

/// Input of the norm: `x`, or its activation if the norm comes after.
#[cube]
pub(super) fn norm_input<N: Size>(
    x: Vector<f32, N>,
    #[comptime] function: NormFunction,
) -> Vector<f32, N> {
    if comptime!(function.norm_after) {
        value(x, function.activation)
    } else {
        x
    }
}

/// The activation of `x`.
#[cube]
pub(super) fn value<N: Size>(
    x: Vector<f32, N>,
    #[comptime] activation: Function,
) -> Vector<f32, N> {
    let zero = Vector::new(0.0f32);
    match comptime![activation] {
        Function::Relu => select_many(x.less_equal(&zero), zero, x),
        Function::LeakyRelu => select_many(
            x.greater_than(&zero),
            x,
            x * Vector::new(LEAKY_SLOPE as f32),
        ),
        Function::Sigmoid => logistic(x),
        Function::Tanh => Vector::tanh(x),
        Function::Gelu => x * normal_cdf(x),
        Function::Silu => x * logistic(x),
        Function::Elu => {
            let below = Vector::exp(select_many(x.greater_than(&zero), zero, x));
            select_many(x.greater_than(&zero), x, below - Vector::new(1.0f32))
        }
        Function::Identity => x,
    }
}

/// The derivative at `x`; at a kink, the one from below.
#[cube]
pub(super) fn slope<N: Size>(
    x: Vector<f32, N>,
    #[comptime] activation: Function,
) -> Vector<f32, N> {
    let zero = Vector::new(0.0f32);
    let one = Vector::new(1.0f32);
    match comptime![activation] {
        Function::Relu => select_many(x.less_equal(&zero), zero, one),
        Function::LeakyRelu => {
            select_many(x.greater_than(&zero), one, Vector::new(LEAKY_SLOPE as f32))
        }
        Function::Sigmoid => {
            let y = logistic(x);
            y * (one - y)
        }
        Function::Tanh => {
            let y = Vector::tanh(x);
            one - y * y
        }
        Function::Gelu => {
            let density = Vector::exp(x * x * Vector::new(-0.5f32));
            normal_cdf(x) + x * density * Vector::new(comptime!(1.0 / (2.0 * PI).sqrt()))
        }
        Function::Silu => {
            let y = logistic(x);
            y * (one + x * (one - y))
        }
        Function::Elu => Vector::exp(select_many(x.greater_than(&zero), zero, x)),
        Function::Identity => one,
    }
}

#[cube]
fn logistic<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let half = Vector::new(0.5f32);
    Vector::tanh(x * half) * half + half
}

#[cube]
fn normal_cdf<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let half = Vector::new(0.5f32);
    Vector::erf(x * Vector::new(FRAC_1_SQRT_2)) * half + half
}
