//! What follows the weights, number by number: activations and their slopes, as
//! [`Activation::forward`] has them.

use crate::Position;
use crate::activation::{Activation, LEAKY_SLOPE};
use crate::spec::NormSpec;
use burn_cubecl::cubecl::{self, prelude::*};
use std::f32::consts::{FRAC_1_SQRT_2, PI};

/// What follows the weights, for which kernels are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Epilogue {
    pub(super) activation: Activation,
    /// The norm stands behind the activation.
    pub(super) after: bool,
}

impl Epilogue {
    /// Nothing.
    pub(super) const NONE: Self = Self {
        activation: Activation::Linear,
        after: false,
    };
}

impl From<&NormSpec> for Epilogue {
    fn from(spec: &NormSpec) -> Self {
        Self {
            activation: spec.activation,
            after: spec.position == Position::After,
        }
    }
}

/// What the norm sees of `x`.
#[cube]
pub(super) fn seen<N: Size>(x: Vector<f32, N>, #[comptime] epilogue: Epilogue) -> Vector<f32, N> {
    if comptime!(epilogue.after) {
        value(x, epilogue.activation)
    } else {
        x
    }
}

/// The value at `x`.
#[cube]
pub(super) fn value<N: Size>(
    x: Vector<f32, N>,
    #[comptime] activation: Activation,
) -> Vector<f32, N> {
    let zero = Vector::new(0.0f32);
    match comptime![activation] {
        Activation::Relu => select_many(x.less_equal(&zero), zero, x),
        Activation::LeakyRelu => select_many(
            x.greater_than(&zero),
            x,
            x * Vector::new(LEAKY_SLOPE as f32),
        ),
        Activation::Sigmoid => logistic(x),
        Activation::Tanh => Vector::tanh(x),
        Activation::Gelu => x * normal_cdf(x),
        Activation::Silu => x * logistic(x),
        Activation::Elu => {
            let below = Vector::exp(select_many(x.greater_than(&zero), zero, x));
            select_many(x.greater_than(&zero), x, below - Vector::new(1.0f32))
        }
        Activation::Linear => x,
    }
}

/// The slope at `x`; at a kink, the one from below.
#[cube]
pub(super) fn slope<N: Size>(
    x: Vector<f32, N>,
    #[comptime] activation: Activation,
) -> Vector<f32, N> {
    let zero = Vector::new(0.0f32);
    let one = Vector::new(1.0f32);
    match comptime![activation] {
        Activation::Relu => select_many(x.less_equal(&zero), zero, one),
        Activation::LeakyRelu => {
            select_many(x.greater_than(&zero), one, Vector::new(LEAKY_SLOPE as f32))
        }
        Activation::Sigmoid => {
            let y = logistic(x);
            y * (one - y)
        }
        Activation::Tanh => {
            let y = Vector::tanh(x);
            one - y * y
        }
        Activation::Gelu => {
            let density = Vector::exp(x * x * Vector::new(-0.5f32));
            normal_cdf(x) + x * density * Vector::new(comptime!(1.0 / (2.0 * PI).sqrt()))
        }
        Activation::Silu => {
            let y = logistic(x);
            y * (one + x * (one - y))
        }
        Activation::Elu => Vector::exp(select_many(x.greater_than(&zero), zero, x)),
        Activation::Linear => one,
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
