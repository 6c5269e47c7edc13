//! Elementary functions of vectors. Several vectors take each step together: a function is a long
//! chain of steps that wait for each other, and the others' steps fill the wait.

use super::vectors::Vectors;
use bytemuck::Pod;
use pulp::{Scalar, Simd};

/// A number with elementary functions, of several vectors at once. NaN stays NaN.
pub(crate) trait Elementary: Vectors {
    /// `exp(x)`; saturates near the ends of the range.
    fn exp_each<S: Simd, const N: usize>(simd: S, x: [Self::Vector<S>; N]) -> [Self::Vector<S>; N];
    /// `exp(x) - 1` for `x <= 0`.
    fn exp_m1_of_negative_each<S: Simd, const N: usize>(
        simd: S,
        x: [Self::Vector<S>; N],
    ) -> [Self::Vector<S>; N];
    fn tanh_each<S: Simd, const N: usize>(simd: S, x: [Self::Vector<S>; N])
    -> [Self::Vector<S>; N];
    /// The standard normal distribution function, with an absolute error.
    fn normal_cdf_each<S: Simd, const N: usize>(
        simd: S,
        x: [Self::Vector<S>; N],
    ) -> [Self::Vector<S>; N];
}

/// An array of `$value` for every place `$i` of the array `$like`.
macro_rules! each {
    ($like:expr, |$i:ident| $value:expr) => {{
        let mut out = $like;
        for $i in 0..out.len() {
            out[$i] = $value;
        }
        out
    }};
}

pub(crate) use each;

/// How often a multiply-add rounds. The functions of vectors round once, with and without an instruction
/// for it, so that all machines agree on them.
const ONCE: u8 = 1;
const TWICE: u8 = 2;

/// `a b + c`.
#[inline(always)]
fn mul_add<S: Simd, const ROUNDS: u8>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    match ROUNDS {
        ONCE => simd.mul_add_f32s(a, b, c),
        _ => simd.add_f32s(simd.mul_f32s(a, b), c),
    }
}

/// A polynomial by Horner's rule, the coefficient of the highest power first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize, const C: usize, const ROUNDS: u8>(
    simd: S,
    x: [S::f32s; N],
    coefficients: [f32; C],
) -> [S::f32s; N] {
    let mut p = [simd.splat_f32s(coefficients[0]); N];
    for c in 1..C {
        let c = simd.splat_f32s(coefficients[c]);
        p = each!(p, |i| mul_add::<S, ROUNDS>(simd, p[i], x[i], c));
    }
    p
}

/// The coefficients of `factor * p(s / 2)`, from those of `p(s)`.
const fn of_half<const C: usize>(coefficients: [f64; C], factor: f64) -> [f32; C] {
    let (mut out, mut c, mut factor) = ([0.0; C], C, factor);
    while c > 0 {
        c -= 1;
        out[c] = (coefficients[c] * factor) as f32;
        factor *= 0.5;
    }
    out
}

/// `x` where it is between `low` and `high`, the nearer of them where it is not, and NaN.
#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
    // The instruction gives the second number where one is NaN; others skip the NaN.
    if cfg!(target_arch = "x86_64") && S::F32_LANES > 1 {
        return simd.min_f32s(high, simd.max_f32s(low, x));
    }
    let x = simd.select_f32s(simd.less_than_f32s(x, low), low, x);
    simd.select_f32s(simd.greater_than_f32s(x, high), high, x)
}

/// `exp(x)` by reduction to `2^k exp(r)`, `|r| <= ln 2 / 2`, and a polynomial of degree 6; relative error
/// below 3e-7 on the range it does not clamp.
#[inline(always)]
fn exp<S: Simd, const N: usize, const ROUNDS: u8>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer in the low bits.
    const TERMS: [f32; 7] = [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    let shift = simd.splat_f32s(SHIFT);
    let log2_e = simd.splat_f32s(std::f32::consts::LOG2_E);
    // -ln 2 in two parts.
    let (high, low) = (
        simd.splat_f32s(-0.693_359_4),
        simd.splat_f32s(2.121_944_4e-4),
    );
    let x = each!(x, |i| clamp(simd, x[i], -87.0, 88.0));
    let shifted = each!(x, |i| mul_add::<S, ROUNDS>(simd, x[i], log2_e, shift));
    let k = each!(x, |i| simd.sub_f32s(shifted[i], shift));
    let r = each!(x, |i| mul_add::<S, ROUNDS>(simd, k[i], high, x[i]));
    let r = each!(x, |i| mul_add::<S, ROUNDS>(simd, k[i], low, r[i]));
    let p = polynomial::<S, N, _, ROUNDS>(simd, r, TERMS);
    let bias = simd.splat_u32s(127u32.wrapping_sub(SHIFT.to_bits()));
    let mantissa = simd.splat_u32s(23);
    each!(p, |i| {
        let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted[i]), bias);
        let scale = simd.wrapping_dyn_shl_u32s(exponent, mantissa);
        simd.mul_f32s(p[i], simd.transmute_f32s_u32s(scale))
    })
}

/// `exp(x)` of one number, rounding as the loss always has: other last digits here are another training
/// of every net, and in numbers taken one by one there is no time to gain.
#[inline(always)]
pub(crate) fn exp_of_one(x: f32) -> f32 {
    exp::<Scalar, 1, TWICE>(Scalar::new(), [x])[0]
}

impl Elementary for f32 {
    #[inline(always)]
    fn exp_each<S: Simd, const N: usize>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
        exp::<S, N, ONCE>(simd, x)
    }

    #[inline(always)]
    fn exp_m1_of_negative_each<S: Simd, const N: usize>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
        // Near zero the difference cancels; there the series has the accuracy.
        const TERMS: [f32; 5] = [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
        let series = polynomial::<S, N, _, ONCE>(simd, x, TERMS);
        let exp = Self::exp_each(simd, x);
        let (one, near) = (simd.splat_f32s(1.0), simd.splat_f32s(-0.125));
        each!(x, |i| {
            let (series, wide) = (simd.mul_f32s(x[i], series[i]), simd.sub_f32s(exp[i], one));
            simd.select_f32s(simd.greater_than_f32s(x[i], near), series, wide)
        })
    }

    #[inline(always)]
    fn tanh_each<S: Simd, const N: usize>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
        // Near zero the difference cancels; there the series has the accuracy.
        const TERMS: [f32; 5] = [62.0 / 2835.0, -17.0 / 315.0, 2.0 / 15.0, -1.0 / 3.0, 1.0];
        let (one, two) = (simd.splat_f32s(1.0), simd.splat_f32s(2.0));
        let near = simd.splat_f32s(0.0625);
        let s = each!(x, |i| simd.mul_f32s(x[i], x[i]));
        let series = polynomial::<S, N, _, ONCE>(simd, s, TERMS);
        let exp = Self::exp_each(simd, each!(x, |i| simd.mul_f32s(two, x[i])));
        each!(x, |i| {
            let series = simd.mul_f32s(x[i], series[i]);
            let wide = simd.sub_f32s(one, simd.div_f32s(two, simd.add_f32s(exp[i], one)));
            simd.select_f32s(simd.less_than_f32s(s[i], near), series, wide)
        })
    }

    /// erf as a quotient of polynomials, with the coefficients of Eigen's single precision (absolute
    /// error below 3e-7); beyond 4 it is 1 to this precision.
    #[inline(always)]
    fn normal_cdf_each<S: Simd, const N: usize>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
        // In x^2 / 2, and half of erf(x / sqrt(2)).
        const ABOVE: [f32; 7] = of_half(
            [
                -2.726_142_3e-10,
                2.770_681_4e-8,
                -2.101_024e-6,
                -5.692_506_4e-5,
                -7.349_906_3e-4,
                -2.954_6e-3,
                -1.609_603_3e-2,
            ],
            0.5 * std::f64::consts::FRAC_1_SQRT_2,
        );
        const BELOW: [f32; 5] = of_half(
            [
                -1.456_607_2e-5,
                -2.133_740_6e-4,
                -1.682_827e-3,
                -7.373_329e-3,
                -1.426_473_9e-2,
            ],
            1.0,
        );
        const END: f32 = 4.0 * std::f32::consts::SQRT_2;
        let half = simd.splat_f32s(0.5);
        let x = each!(x, |i| clamp(simd, x[i], -END, END));
        let s = each!(x, |i| simd.mul_f32s(x[i], x[i]));
        let above = polynomial::<S, N, _, ONCE>(simd, s, ABOVE);
        let below = polynomial::<S, N, _, ONCE>(simd, s, BELOW);
        each!(x, |i| {
            let erf = simd.div_f32s(simd.mul_f32s(x[i], above[i]), below[i]);
            simd.add_f32s(half, erf)
        })
    }
}

/// Double precision serves checks, not speed: number by number.
impl Elementary for f64 {
    #[inline(always)]
    fn exp_each<S: Simd, const N: usize>(_: S, x: [S::f64s; N]) -> [S::f64s; N] {
        one_by_one(x, f64::exp)
    }

    #[inline(always)]
    fn exp_m1_of_negative_each<S: Simd, const N: usize>(_: S, x: [S::f64s; N]) -> [S::f64s; N] {
        one_by_one(x, f64::exp_m1)
    }

    #[inline(always)]
    fn tanh_each<S: Simd, const N: usize>(_: S, x: [S::f64s; N]) -> [S::f64s; N] {
        one_by_one(x, f64::tanh)
    }

    #[inline(always)]
    fn normal_cdf_each<S: Simd, const N: usize>(_: S, x: [S::f64s; N]) -> [S::f64s; N] {
        one_by_one(x, |x| {
            0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
        })
    }
}

/// Applies `f` to every number of the vectors.
fn one_by_one<V: Pod, const N: usize>(mut x: [V; N], f: impl Fn(f64) -> f64) -> [V; N] {
    for x in bytemuck::cast_slice_mut::<V, f64>(&mut x) {
        *x = f(*x);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    type Each = fn(Scalar, [f32; 1]) -> [f32; 1];

    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
        let points = (0..=200_000).map(|i| (from + (to - from) * f64::from(i) / 2e5) as f32);
        let error = |x: f32| {
            let exact = exact(f64::from(x));
            (f64::from(f(x)) - exact).abs() / exact.abs().max(1e-30)
        };
        points.map(error).fold(0.0, f64::max)
    }

    fn of(f: Each, x: f32) -> f32 {
        f(Scalar::new(), [x])[0]
    }

    const FUNCTIONS: [Each; 4] = [
        f32::exp_each,
        f32::exp_m1_of_negative_each,
        f32::tanh_each,
        f32::normal_cdf_each,
    ];

    #[test]
    fn single_precision_functions_are_within_their_stated_error() {
        let [exp, exp_m1, tanh, normal_cdf] = FUNCTIONS;
        assert!(worst(|x| of(exp, x), f64::exp, -86.0, 87.0) < 3e-7);
        assert!(worst(exp_of_one, f64::exp, -86.0, 87.0) < 3e-7);
        assert!(worst(|x| of(exp_m1, x), f64::exp_m1, -20.0, -1e-6) < 1e-6);
        assert!(worst(|x| of(tanh, x), f64::tanh, -12.0, 12.0) < 1e-6);
        // An absolute error: a sum with 1 of what is nearly -1 has no other.
        let cdf = |x: f64| 1.0 + f64::normal_cdf_each(Scalar::new(), [x])[0];
        assert!(worst(|x| 1.0 + of(normal_cdf, x), cdf, -8.0, 8.0) < 5e-7);
    }

    #[test]
    fn large_arguments_saturate() {
        let [exp, _, tanh, _] = FUNCTIONS;
        assert_eq!(of(tanh, 500.0), 1.0);
        assert_eq!(of(tanh, -500.0), -1.0);
        assert!(of(exp, -1000.0) < 1e-37);
        assert!(of(exp, 1000.0) > 1e38);
    }

    /// Every function of one vector, in the vectors of the machine.
    struct OfVectors<'a> {
        x: &'a [f32],
        out: &'a mut [Vec<f32>; 4],
    }

    impl pulp::WithSimd for OfVectors<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (vectors, rest) = S::as_simd_f32s(self.x);
            assert!(rest.is_empty());
            for x in vectors.chunks_exact(2) {
                let x = [x[0], x[1]];
                let y = [
                    f32::exp_each(simd, x),
                    f32::exp_m1_of_negative_each(simd, x),
                    f32::tanh_each(simd, x),
                    f32::normal_cdf_each(simd, x),
                ];
                for (y, out) in y.iter().zip(&mut *self.out) {
                    out.extend_from_slice(bytemuck::cast_slice(y));
                }
            }
        }
    }

    #[test]
    fn vectors_hold_what_each_number_gives_alone_and_nan_stays_nan() {
        let wave = |i: u32| (i as f32 * 0.37).sin() * (i as f32 * 0.013).exp();
        let mut x: Vec<f32> = (0..64 * 16).map(wave).collect();
        x[17] = f32::NAN;
        x[40..43].copy_from_slice(&[f32::INFINITY, f32::NEG_INFINITY, -0.0]);
        let mut out = [const { Vec::new() }; 4];
        pulp::Arch::new().dispatch(OfVectors {
            x: &x,
            out: &mut out,
        });
        for (f, out) in FUNCTIONS.into_iter().zip(&out) {
            for (&x, y) in x.iter().zip(out) {
                let alone = of(f, x);
                assert_eq!(x.is_nan(), alone.is_nan());
                assert!(alone.to_bits() == y.to_bits() || alone.is_nan() && y.is_nan());
            }
        }
    }
}
