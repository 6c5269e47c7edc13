//! Activation functions.

use burn::tensor::{DType, Tensor, activation};
use serde::{Deserialize, Serialize};

/// The activation of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `max(x, 0.01 x)` (Maas, Hannun and Ng 2013).
    LeakyRelu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `x Phi(x)`, exact (Hendrycks and Gimpel 2016).
    Gelu,
    /// `x sigmoid(x)` (Elfwing, Uchibe and Doya 2018).
    Silu,
    /// `x` above zero, `exp(x) - 1` below (Clevert, Unterthiner and Hochreiter 2016).
    Elu,
    /// `x`.
    Linear,
}

impl Activation {
    /// Every activation, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Relu,
        Self::LeakyRelu,
        Self::Sigmoid,
        Self::Tanh,
        Self::Gelu,
        Self::Silu,
        Self::Elu,
        Self::Linear,
    ];

    /// The name used in configuration files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky_relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Elu => "elu",
            Self::Linear => "linear",
        }
    }
}

impl Activation {
    /// Applies the activation element by element.
    ///
    /// # Shapes
    /// Any; the output has the input's.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => activation::relu(x),
            Self::LeakyRelu => activation::leaky_relu(x, LEAKY_SLOPE),
            Self::Sigmoid => sigmoid_of(x),
            Self::Tanh => activation::tanh(x),
            Self::Gelu => gelu_of(x),
            Self::Silu => sigmoid_of(x.clone()) * x,
            Self::Elu => activation::elu(x, 1.0),
            Self::Linear => x,
        }
    }

    /// Whether `f(a x) = a f(x)` for every `a > 0`, so that a positive scale in front of it can
    /// move behind it.
    pub const fn is_positively_homogeneous(self) -> bool {
        matches!(self, Self::Relu | Self::LeakyRelu | Self::Linear)
    }
}

/// The logistic function in the precision of `x`. burn 0.22's own goes through single precision on
/// every backend that brings no kernel for it.
fn sigmoid_of<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match x.dtype() {
        DType::F64 => (x * 0.5).tanh() * 0.5 + 0.5,
        _ => activation::sigmoid(x),
    }
}

/// `x Phi(x)`. burn 0.22's own pairs this value with the gradient of the tanh approximation, off by
/// up to 9e-4, on every backend that brings no kernel for it.
fn gelu_of<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cdf = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    x * cdf
}

/// Slope of `leaky_relu` below zero.
pub const LEAKY_SLOPE: f64 = 0.01;

impl Activation {
    /// The value at one point, in double precision.
    pub fn value(self, x: f64) -> f64 {
        match self {
            Self::Relu => x.max(0.0),
            Self::LeakyRelu => x.max(LEAKY_SLOPE * x),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::Gelu => x * normal_cdf(x),
            Self::Silu => x * sigmoid(x),
            Self::Elu => x.max(x.min(0.0).exp_m1()),
            Self::Linear => x,
        }
    }

    /// The derivative at one point; at a kink, the one from below.
    pub fn slope(self, x: f64) -> f64 {
        match self {
            Self::Relu => f64::from(x > 0.0),
            Self::LeakyRelu => {
                if x > 0.0 {
                    1.0
                } else {
                    LEAKY_SLOPE
                }
            }
            Self::Sigmoid => sigmoid(x) * (1.0 - sigmoid(x)),
            Self::Tanh => 1.0 - x.tanh().powi(2),
            Self::Gelu => {
                let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
                normal_cdf(x) + x * density
            }
            Self::Silu => sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))),
            Self::Elu => x.min(0.0).exp(),
            Self::Linear => 1.0,
        }
    }

    /// The largest size of the derivative anywhere.
    pub fn largest_slope(self) -> f64 {
        match self {
            Self::Sigmoid => 0.25,
            // At sqrt(2), where the second derivative of x Phi(x) is zero.
            Self::Gelu => self.slope(std::f64::consts::SQRT_2),
            // At the root of x tanh(x / 2) = 2.
            Self::Silu => self.slope(2.399_357_280_520_022),
            _ => 1.0,
        }
    }

    /// `H(f) = max |f(a x) - a f(x)| / |a f(x)|` over `a` in {1/4, 1/2, 2, 4} and `x` on a grid of
    /// step 1/16 over `[-8, 8]`, leaving out points where `f(x)` is zero: 0 for a positively
    /// homogeneous function.
    pub fn homogeneity_error(self) -> f64 {
        let grid = (-128..=128).map(|i| f64::from(i) / 16.0);
        let pairs = grid.flat_map(|x| [0.25, 0.5, 2.0, 4.0].map(|a| (a, x)));
        let error = |(a, x): (f64, f64)| {
            let scaled = a * self.value(x);
            let error = (self.value(a * x) - scaled).abs() / scaled.abs();
            if scaled == 0.0 { 0.0 } else { error }
        };
        pairs.map(error).fold(0.0, f64::max)
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}
