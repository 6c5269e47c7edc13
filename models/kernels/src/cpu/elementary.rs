//! Elementary functions of SIMD vectors. Several vectors are computed together: each function is a
//! long chain of dependent operations, and independent chains hide their latency.

use super::simd::SimdElement;
use bytemuck::Pod;
use pulp::{Scalar, Simd};

/// An element type with elementary functions of `N` vectors at once. NaN gives NaN.
pub(crate) trait Elementary: SimdElement {
    /// `exp(x)`; saturates near the ends of the range.
    fn exp_each<S: Simd, const N: usize>(simd: S, x: [Self::Vector<S>; N]) -> [Self::Vector<S>; N];
    /// `exp(x) - 1` for `x <= 0`.
    fn exp_m1_of_negative_each<S: Simd, const N: usize>(
        simd: S,
        x: [Self::Vector<S>; N],
    ) -> [Self::Vector<S>; N];
    fn tanh_each<S: Simd, const N: usize>(simd: S, x: [Self::Vector<S>; N])
    -> [Self::Vector<S>; N];
    /// The standard normal distribution function; its error is absolute, not relative.
    fn normal_cdf_each<S: Simd, const N: usize>(
        simd: S,
        x: [Self::Vector<S>; N],
    ) -> [Self::Vector<S>; N];
}

/// An array of `$value` for every index `$i` of the array `$like`.
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

/// A fused multiply-add, rounded once. Vector functions always use it, in software if the CPU has no
/// instruction, so that results are the same on all machines.
const FUSED: bool = true;
/// A multiplication and an addition, rounded twice.
const SEPARATE: bool = false;

/// `a b + c`.
#[inline(always)]
fn mul_add<S: Simd, const FMA: bool>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    if FMA {
        simd.mul_add_f32s(a, b, c)
    } else {
        simd.add_f32s(simd.mul_f32s(a, b), c)
    }
}

/// A polynomial by Horner's method, with the coefficient of the highest power first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize, const C: usize, const FMA: bool>(
    simd: S,
    x: [S::f32s; N],
    coefficients: [f32; C],
) -> [S::f32s; N] {
    let mut p = [simd.splat_f32s(coefficients[0]); N];
    for c in 1..C {
        let c = simd.splat_f32s(coefficients[c]);
        p = each!(p, |i| mul_add::<S, FMA>(simd, p[i], x[i], c));
    }
    p
}

/// The coefficients of `factor * p(s / 2)`, from those of `p(s)`.
const fn halve_argument<const C: usize>(coefficients: [f64; C], factor: f64) -> [f32; C] {
    let (mut out, mut c, mut factor) = ([0.0; C], C, factor);
    while c > 0 {
        c -= 1;
        out[c] = (coefficients[c] * factor) as f32;
        factor *= 0.5;
    }
    out
}

/// `x` limited to the range from `low` to `high`; NaN stays NaN.
#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
    // The x86 instructions return the second operand if one is NaN; those of other architectures may
    // return the other operand.
    if cfg!(target_arch = "x86_64") && S::F32_LANES > 1 {
        return simd.min_f32s(high, simd.max_f32s(low, x));
    }
    let x = simd.select_f32s(simd.less_than_f32s(x, low), low, x);
    simd.select_f32s(simd.greater_than_f32s(x, high), high, x)
}

/// `exp(x) = 2^k exp(r)` with `|r| <= ln 2 / 2` and a polynomial of degree 6 for `exp(r)`. Relative error
/// below 3e-7 between -87 and 88, where arguments are not clamped.
#[inline(always)]
fn exp<S: Simd, const N: usize, const FMA: bool>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer, in the low bits.
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
    let shifted = each!(x, |i| mul_add::<S, FMA>(simd, x[i], log2_e, shift));
    let k = each!(x, |i| simd.sub_f32s(shifted[i], shift));
    let r = each!(x, |i| mul_add::<S, FMA>(simd, k[i], high, x[i]));
    let r = each!(x, |i| mul_add::<S, FMA>(simd, k[i], low, r[i]));
    let p = polynomial::<S, N, _, FMA>(simd, r, TERMS);
    let bias = simd.splat_u32s(127u32.wrapping_sub(SHIFT.to_bits()));
    let mantissa = simd.splat_u32s(23);
    each!(p, |i| {
        let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted[i]), bias);
        let scale = simd.wrapping_dyn_shl_u32s(exponent, mantissa);
        simd.mul_f32s(p[i], simd.transmute_f32s_u32s(scale))
    })
}

/// `exp(x)` of a single value, for the loss. It rounds twice per step: existing records of trained
/// models depend on these bits, and a scalar function would not be faster with another rounding.
#[inline(always)]
pub(crate) fn exp_scalar(x: f32) -> f32 {
    exp::<Scalar, 1, SEPARATE>(Scalar::new(), [x])[0]
}

impl Elementary for f32 {
    #[inline(always)]
    fn exp_each<S: Simd, const N: usize>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
        exp::<S, N, FUSED>(simd, x)
    }

    #[inline(always)]
    fn exp_m1_of_negative_each<S: Simd, const N: usize>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
        // Near zero `exp(x) - 1` cancels, so a series is used there.
        const TERMS: [f32; 5] = [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
        let series = polynomial::<S, N, _, FUSED>(simd, x, TERMS);
        let exp = Self::exp_each(simd, x);
        let (one, near) = (simd.splat_f32s(1.0), simd.splat_f32s(-0.125));
        each!(x, |i| {
            let (series, wide) = (simd.mul_f32s(x[i], series[i]), simd.sub_f32s(exp[i], one));
            simd.select_f32s(simd.greater_than_f32s(x[i], near), series, wide)
        })
    }

    #[inline(always)]
    fn tanh_each<S: Simd, const N: usize>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
        // Near zero `1 - 2 / (exp(2x) + 1)` cancels, so a series is used there.
        const TERMS: [f32; 5] = [62.0 / 2835.0, -17.0 / 315.0, 2.0 / 15.0, -1.0 / 3.0, 1.0];
        let (one, two) = (simd.splat_f32s(1.0), simd.splat_f32s(2.0));
        let near = simd.splat_f32s(0.0625);
        let s = each!(x, |i| simd.mul_f32s(x[i], x[i]));
        let series = polynomial::<S, N, _, FUSED>(simd, s, TERMS);
        let exp = Self::exp_each(simd, each!(x, |i| simd.mul_f32s(two, x[i])));
        each!(x, |i| {
            let series = simd.mul_f32s(x[i], series[i]);
            let wide = simd.sub_f32s(one, simd.div_f32s(two, simd.add_f32s(exp[i], one)));
            simd.select_f32s(simd.less_than_f32s(s[i], near), series, wide)
        })
    }

    /// By erf as a quotient of polynomials, with the single-precision coefficients of Eigen (absolute
    /// error below 3e-7). Beyond 4, erf is 1 in single precision.
    #[inline(always)]
    fn normal_cdf_each<S: Simd, const N: usize>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
        // Rescaled to give `erf(x / sqrt(2)) / 2` as a function of `x^2`.
        const NUMERATOR: [f32; 7] = halve_argument(
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
        const DENOMINATOR: [f32; 5] = halve_argument(
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
        let numerator = polynomial::<S, N, _, FUSED>(simd, s, NUMERATOR);
        let denominator = polynomial::<S, N, _, FUSED>(simd, s, DENOMINATOR);
        each!(x, |i| {
            let erf = simd.div_f32s(simd.mul_f32s(x[i], numerator[i]), denominator[i]);
            simd.add_f32s(half, erf)
        })
    }
}

/// Double precision serves only as a reference: one value at a time, by the standard library.
impl Elementary for f64 {
    #[inline(always)]
    fn exp_each<S: Simd, const N: usize>(_: S, x: [S::f64s; N]) -> [S::f64s; N] {
        each_element(x, f64::exp)
    }

    #[inline(always)]
    fn exp_m1_of_negative_each<S: Simd, const N: usize>(_: S, x: [S::f64s; N]) -> [S::f64s; N] {
        each_element(x, f64::exp_m1)
    }

    #[inline(always)]
    fn tanh_each<S: Simd, const N: usize>(_: S, x: [S::f64s; N]) -> [S::f64s; N] {
        each_element(x, f64::tanh)
    }

    #[inline(always)]
    fn normal_cdf_each<S: Simd, const N: usize>(_: S, x: [S::f64s; N]) -> [S::f64s; N] {
        each_element(x, |x| {
            0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
        })
    }
}

/// Applies `f` to every element of the vectors.
fn each_element<V: Pod, const N: usize>(mut x: [V; N], f: impl Fn(f64) -> f64) -> [V; N] {
    for x in bytemuck::cast_slice_mut::<V, f64>(&mut x) {
        *x = f(*x);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    type Each = fn(Scalar, [f32; 1]) -> [f32; 1];

    fn max_relative_error(
        f: impl Fn(f32) -> f32,
        exact: impl Fn(f64) -> f64,
        from: f64,
        to: f64,
    ) -> f64 {
        let points = (0..=200_000).map(|i| (from + (to - from) * f64::from(i) / 2e5) as f32);
        let error = |x: f32| {
            let exact = exact(f64::from(x));
            (f64::from(f(x)) - exact).abs() / exact.abs().max(1e-30)
        };
        points.map(error).fold(0.0, f64::max)
    }

    fn scalar(f: Each, x: f32) -> f32 {
        f(Scalar::new(), [x])[0]
    }

    const FUNCTIONS: [Each; 4] = [
        f32::exp_each,
        f32::exp_m1_of_negative_each,
        f32::tanh_each,
        f32::normal_cdf_each,
    ];

    #[test]
    fn single_precision_errors_are_within_bounds() {
        let [exp, exp_m1, tanh, normal_cdf] = FUNCTIONS;
        assert!(max_relative_error(|x| scalar(exp, x), f64::exp, -86.0, 87.0) < 3e-7);
        assert!(max_relative_error(exp_scalar, f64::exp, -86.0, 87.0) < 3e-7);
        assert!(max_relative_error(|x| scalar(exp_m1, x), f64::exp_m1, -20.0, -1e-6) < 1e-6);
        assert!(max_relative_error(|x| scalar(tanh, x), f64::tanh, -12.0, 12.0) < 1e-6);
        // 1 is added because the error is absolute.
        let cdf = |x: f64| 1.0 + f64::normal_cdf_each(Scalar::new(), [x])[0];
        assert!(max_relative_error(|x| 1.0 + scalar(normal_cdf, x), cdf, -8.0, 8.0) < 5e-7);
    }

    #[test]
    fn large_arguments_saturate() {
        let [exp, _, tanh, _] = FUNCTIONS;
        assert_eq!(scalar(tanh, 500.0), 1.0);
        assert_eq!(scalar(tanh, -500.0), -1.0);
        assert!(scalar(exp, -1000.0) < 1e-37);
        assert!(scalar(exp, 1000.0) > 1e38);
    }

    /// Every function, for the best available instruction set.
    struct AllFunctions<'a> {
        x: &'a [f32],
        out: &'a mut [Vec<f32>; 4],
    }

    impl pulp::WithSimd for AllFunctions<'_> {
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
    fn vector_and_scalar_functions_agree_and_keep_nan() {
        let wave = |i: u32| (i as f32 * 0.37).sin() * (i as f32 * 0.013).exp();
        let mut x: Vec<f32> = (0..64 * 16).map(wave).collect();
        x[17] = f32::NAN;
        x[40..43].copy_from_slice(&[f32::INFINITY, f32::NEG_INFINITY, -0.0]);
        let mut out = [const { Vec::new() }; 4];
        f32::dispatch(AllFunctions {
            x: &x,
            out: &mut out,
        });
        for (f, out) in FUNCTIONS.into_iter().zip(&out) {
            for (&x, y) in x.iter().zip(out) {
                let alone = scalar(f, x);
                assert_eq!(x.is_nan(), alone.is_nan());
                assert!(alone.to_bits() == y.to_bits() || alone.is_nan() && y.is_nan());
            }
        }
    }
}
