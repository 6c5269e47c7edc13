//! Activation functions: the one table of them, with plain burn operations and `f64` references.
//!
//! A new activation is one entry of `activations!` and works everywhere: in configuration files, in
//! every block and in every measurement that asks for its derivative. A kernel of its own, which makes
//! it faster and changes nothing else, goes into `cpu/epilogue/functions.rs` and `gpu/functions.rs`;
//! without one, blocks compute it with [`Activation::forward`].

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// Slope of `leaky_relu` below zero.
pub const LEAKY_SLOPE: f64 = 0.01;

/// Declares [`Activation`] from a table. Each entry has a name for configuration files and
///
/// - `forward`: the function of a tensor, element by element, in plain burn operations;
/// - `value` and `slope`: the function and its derivative (at a kink, from below) of an `f64`;
/// - `largest_slope`: the largest absolute value of the derivative;
/// - `homogeneous`: whether `f(a x) = a f(x)` for every `a > 0`.
macro_rules! activations {
    ($(
        $(#[$attribute:meta])*
        $variant:ident = $name:literal {
            forward: |$tensor:ident| $forward:expr,
            value: |$x:ident| $value:expr,
            slope: |$at:ident| $slope:expr,
            largest_slope: $largest:expr,
            homogeneous: $homogeneous:literal,
        }
    )*) => {
        /// The activation of a block.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Activation {
            $($(#[$attribute])* #[serde(rename = $name)] $variant,)*
        }

        impl Activation {
            /// Every activation, in the order of the documentation.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name used in configuration files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Applies the activation element by element.
            ///
            /// # Shapes
            /// The output has the shape of the input.
            pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
                match self { $(Self::$variant => { let $tensor = x; $forward })* }
            }

            /// The value at `x` in double precision.
            pub fn value(self, x: f64) -> f64 {
                match self { $(Self::$variant => { let $x = x; $value })* }
            }

            /// The derivative at `x`; at a kink, the derivative from below.
            pub fn slope(self, x: f64) -> f64 {
                match self { $(Self::$variant => { let $at = x; $slope })* }
            }

            /// The largest absolute value of the derivative.
            pub fn largest_slope(self) -> f64 {
                match self { $(Self::$variant => $largest,)* }
            }

            /// True if `f(a x) = a f(x)` for every `a > 0`, so that a positive scale before the
            /// activation can move behind it.
            pub const fn is_positively_homogeneous(self) -> bool {
                match self { $(Self::$variant => $homogeneous,)* }
            }
        }
    };
}

activations! {
    /// `max(x, 0)`.
    #[default]
    Relu = "relu" {
        forward: |x| activation::relu(x),
        value: |x| x.max(0.0),
        slope: |x| f64::from(x > 0.0),
        largest_slope: 1.0,
        homogeneous: true,
    }
    /// `max(x, 0.01 x)` (Maas, Hannun and Ng 2013).
    LeakyRelu = "leaky_relu" {
        forward: |x| activation::leaky_relu(x, LEAKY_SLOPE),
        value: |x| x.max(LEAKY_SLOPE * x),
        slope: |x| if x > 0.0 { 1.0 } else { LEAKY_SLOPE },
        largest_slope: 1.0,
        homogeneous: true,
    }
    /// `1 / (1 + exp(-x))`.
    Sigmoid = "sigmoid" {
        forward: |x| logistic(x),
        value: |x| sigmoid(x),
        slope: |x| sigmoid(x) * (1.0 - sigmoid(x)),
        largest_slope: 0.25,
        homogeneous: false,
    }
    /// `tanh(x)`.
    Tanh = "tanh" {
        forward: |x| activation::tanh(x),
        value: |x| x.tanh(),
        slope: |x| 1.0 - x.tanh().powi(2),
        largest_slope: 1.0,
        homogeneous: false,
    }
    /// `x Phi(x)` with the exact normal distribution function (Hendrycks and Gimpel 2016).
    Gelu = "gelu" {
        // burn's own GELU uses the gradient of the tanh approximation, which is off by up to 9e-4.
        forward: |x| {
            let cdf = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
            x * cdf
        },
        value: |x| x * normal_cdf(x),
        slope: |x| {
            let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            normal_cdf(x) + x * density
        },
        // At sqrt(2), where the second derivative of x Phi(x) is zero.
        largest_slope: Self::Gelu.slope(std::f64::consts::SQRT_2),
        homogeneous: false,
    }
    /// `x sigmoid(x)`, also called swish (Elfwing, Uchibe and Doya 2018).
    Silu = "silu" {
        forward: |x| x.clone() * logistic(x),
        value: |x| x * sigmoid(x),
        slope: |x| sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))),
        // At the root of x tanh(x / 2) = 2.
        largest_slope: Self::Silu.slope(2.399_357_280_520_022),
        homogeneous: false,
    }
    /// `x` above zero, `exp(x) - 1` below (Clevert, Unterthiner and Hochreiter 2016).
    Elu = "elu" {
        forward: |x| elu(x),
        value: |x| x.max(x.min(0.0).exp_m1()),
        slope: |x| x.min(0.0).exp(),
        largest_slope: 1.0,
        homogeneous: false,
    }
    /// `x`: no activation.
    Linear = "linear" {
        forward: |x| x,
        value: |x| x,
        slope: |_x| 1.0,
        largest_slope: 1.0,
        homogeneous: true,
    }
}

impl Activation {
    /// The largest relative violation of positive homogeneity, `|f(a x) - a f(x)| / |a f(x)|`, over
    /// `a` in {1/4, 1/2, 2, 4} and `x` on a grid of step 1/16 over `[-8, 8]`.
    ///
    /// Points where `f(x)` is zero are left out. The result is 0 for positively homogeneous functions.
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

/// The logistic function by way of `tanh`: burn's own is accurate to nine digits only in `f64`.
fn logistic<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    (x * 0.5).tanh() * 0.5 + 0.5
}

/// ELU that takes the exponential of negative values only. burn's own also takes it above zero, where
/// it overflows from 89 on in `f32` and makes the gradient NaN.
fn elu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::relu(x.clone()) + (x.clamp_max(0.0).exp() - 1.0)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, for_each_device, values};
    use burn::tensor::{DType, Device, TensorData};

    /// A tensor of `values`, row-major, converted to `dtype`.
    fn tensor<const D: usize>(
        values: Vec<f64>,
        shape: [usize; D],
        device: &Device,
        dtype: DType,
    ) -> Tensor<D> {
        let data = TensorData::new(values, shape).convert_dtype(dtype);
        Tensor::from_data(data, (device, dtype))
    }

    // import torch, torch.nn.functional as F
    // x = torch.tensor([-2.5, -0.3, 0.7, 3.], dtype=torch.float64, requires_grad=True)
    // for f in F.relu, F.leaky_relu, torch.sigmoid, torch.tanh, F.gelu, F.silu, F.elu:
    //     print(f(x).tolist(), torch.autograd.grad(f(x).sum(), x)[0].tolist())
    const POINTS: [f64; 4] = [-2.5, -0.3, 0.7, 3.0];
    const PYTORCH: [(Activation, [f64; 4], [f64; 4]); 7] = [
        (Activation::Relu, [0.0, 0.0, 0.7, 3.0], [0.0, 0.0, 1.0, 1.0]),
        (
            Activation::LeakyRelu,
            [-0.025, -0.003, 0.7, 3.0],
            [0.01, 0.01, 1.0, 1.0],
        ),
        (
            Activation::Sigmoid,
            [
                0.075_858_180_021_243_55,
                0.425_557_483_188_341,
                0.668_187_772_168_166_2,
                0.952_574_126_822_433_4,
            ],
            [
                0.070_103_716_545_108_15,
                0.244_458_311_690_745_86,
                0.221_712_873_293_109_04,
                0.045_176_659_730_912,
            ],
        ),
        (
            Activation::Tanh,
            [
                -0.986_614_298_151_430_3,
                -0.291_312_612_451_590_9,
                0.604_367_777_117_163_5,
                0.995_054_753_686_730_5,
            ],
            [
                0.026_592_226_683_160_57,
                0.915_136_961_826_629_2,
                0.634_739_589_982_458_6,
                0.009_866_037_165_440_166,
            ],
        ),
        (
            Activation::Gelu,
            [
                -0.015_524_163_314_440_398,
                -0.114_626_573_343_314_2,
                0.530_625_443_443_848_9,
                2.995_950_305_905_11,
            ],
            [
                -0.037_611_085_908_145_19,
                0.267_672_233_172_890_13,
                0.976_614_101_133_659_9,
                1.011_945_647_204_184,
            ],
        ),
        (
            Activation::Silu,
            [
                -0.189_645_450_053_108_87,
                -0.127_667_244_956_502_3,
                0.467_731_440_517_716_26,
                2.857_722_380_467_299_8,
            ],
            [
                -0.099_401_111_341_526_83,
                0.352_219_989_681_117_3,
                0.823_386_783_473_342_5,
                1.088_104_106_015_169_3,
            ],
        ),
        (
            Activation::Elu,
            [-0.917_915_001_376_101_3, -0.259_181_779_318_282_1, 0.7, 3.0],
            [0.082_084_998_623_898_8, 0.740_818_220_681_717_9, 1.0, 1.0],
        ),
    ];

    #[test]
    fn values_and_slopes_match_pytorch() {
        for (activation, expected, slopes) in PYTORCH {
            assert_close(&POINTS.map(|x| activation.value(x)), &expected, 1e-15);
            assert_close(&POINTS.map(|x| activation.slope(x)), &slopes, 1e-15);
        }
    }

    fn grid() -> Vec<f64> {
        // Half a step off the kink at 0.
        (-160..160).map(|i| (f64::from(i) + 0.5) / 16.0).collect()
    }

    #[test]
    fn tensors_match_the_scalar_functions() {
        for_each_device(|device| {
            let device = device.clone().autodiff();
            for (dtype, bound) in [(DType::F32, 2e-6), (DType::F64, 2e-15)] {
                for activation in Activation::ALL {
                    let x: Tensor<1> = tensor(grid(), [320], &device, dtype).require_grad();
                    let y = activation.forward(x.clone());
                    let expected: Vec<f64> = grid().iter().map(|&x| activation.value(x)).collect();
                    assert_close(&values(y.clone()), &expected, bound);
                    // Adding a constant gives the identity a node in the graph.
                    let gradients = (y + 1.0).sum().backward();
                    let slopes = values(x.grad(&gradients).expect("a gradient"));
                    let expected: Vec<f64> = grid().iter().map(|&x| activation.slope(x)).collect();
                    assert_close(&slopes, &expected, bound);
                }
            }
        });
    }

    #[test]
    fn large_inputs_give_finite_values_and_slopes() {
        for_each_device(|device| {
            let device = device.clone().autodiff();
            for dtype in [DType::F32, DType::F64] {
                for activation in Activation::ALL {
                    let x: Tensor<1> = tensor(vec![-1e4, -100.0, 100.0, 1e4], [4], &device, dtype);
                    let x = x.require_grad();
                    let y = activation.forward(x.clone());
                    let gradients = (y.clone() + 1.0).sum().backward();
                    let slopes = x.grad(&gradients).expect("a gradient");
                    let finite = |list: Vec<f64>| list.iter().all(|x| x.is_finite());
                    assert!(
                        finite(values(y)) && finite(values(slopes)),
                        "{activation:?}"
                    );
                }
            }
        });
    }

    #[test]
    fn largest_slope_is_the_maximum_over_a_grid() {
        for activation in Activation::ALL {
            let grid = (-80_000..=80_000).map(|i| f64::from(i) / 1e4);
            let steepest = grid.map(|x| activation.slope(x).abs()).fold(0.0, f64::max);
            let stated = activation.largest_slope();
            assert!(
                steepest <= stated + 1e-15,
                "{activation:?}: {steepest} > {stated}"
            );
            assert!(
                stated - steepest < 1e-8,
                "{activation:?}: {steepest} < {stated}"
            );
        }
    }

    #[test]
    fn homogeneity_error_is_zero_only_if_homogeneous() {
        for activation in Activation::ALL {
            let error = activation.homogeneity_error();
            if activation.is_positively_homogeneous() {
                assert_eq!(error, 0.0, "{activation:?}");
            } else {
                assert!(error > 0.5, "{activation:?}: {error}");
            }
        }
    }

    #[test]
    fn name_matches_serde() {
        for activation in Activation::ALL {
            let name = serde_json::to_string(&activation).expect("a name");
            assert_eq!(name, format!("\"{}\"", activation.name()));
        }
    }
}
