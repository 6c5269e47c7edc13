//! The element types of the kernels, with elementary functions that vectors can take part in.

use super::vector::{self, Kernel};
use super::vectors::Vectors;
use burn::tensor::Element;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

/// `f32` or `f64`.
pub(crate) trait Real:
    Element
    + Vectors
    + bytemuck::Pod
    + Copy
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + MulAssign
{
    const ZERO: Self;
    const ONE: Self;

    /// Runs an inner loop on numbers of this type.
    fn run(kernel: impl Kernel);

    fn of(value: f64) -> Self;
    fn sqrt(self) -> Self;
    /// `exp(x)`; saturates near the ends of the range, keeps NaN.
    fn exp(self) -> Self;
    /// `exp(x) - 1` for `x <= 0`.
    fn exp_m1_of_negative(self) -> Self;
    fn tanh(self) -> Self;
    /// The standard normal distribution function, with an absolute error.
    fn normal_cdf(self) -> Self;

    /// The columns of four rows.
    #[inline(always)]
    fn turned(rows: [[Self; 4]; 4]) -> [[Self; 4]; 4] {
        let mut columns = [[Self::ZERO; 4]; 4];
        for k in 0..4 {
            for l in 0..4 {
                columns[l][k] = rows[k][l];
            }
        }
        columns
    }

    /// `yes` or `no`.
    #[inline(always)]
    fn choose(test: bool, yes: Self, no: Self) -> Self {
        if test { yes } else { no }
    }

    #[inline(always)]
    #[expect(clippy::eq_op, reason = "only NaN differs from itself")]
    fn is_nan(self) -> bool {
        self != self
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    /// Double precision serves checks, not speed: it is compiled for the base vectors alone.
    fn run(kernel: impl Kernel) {
        kernel.run();
    }

    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn exp(self) -> Self {
        self.exp()
    }

    #[inline(always)]
    fn exp_m1_of_negative(self) -> Self {
        self.exp_m1()
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        self.tanh()
    }

    #[inline(always)]
    fn normal_cdf(self) -> Self {
        0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2)
    }
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn run(kernel: impl Kernel) {
        vector::run(kernel);
    }

    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn exp(self) -> Self {
        exp_f32(self)
    }

    #[inline(always)]
    fn exp_m1_of_negative(self) -> Self {
        // Near zero the difference cancels; there the series has the accuracy.
        let x = self;
        let series = x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0)))));
        if x > -0.125 { series } else { exp_f32(x) - 1.0 }
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        let x = self;
        let s = x * x;
        let tail = s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)));
        let series = x * (1.0 + s * (-1.0 / 3.0) + s * tail);
        let wide = 1.0 - 2.0 / (exp_f32(2.0 * x) + 1.0);
        if s < 0.0625 { series } else { wide }
    }

    #[inline(always)]
    fn normal_cdf(self) -> Self {
        // erf as a quotient of polynomials, with the coefficients of Eigen's single precision
        // (absolute error below 3e-7); beyond 4 it is 1 to this precision.
        let x = (self * std::f32::consts::FRAC_1_SQRT_2).clamp(-4.0, 4.0);
        let s = x * x;
        let mut above = -2.726_142_3e-10_f32;
        for c in [
            2.770_681_4e-8,
            -2.101_024e-6,
            -5.692_506_4e-5,
            -7.349_906_3e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ] {
            above = above * s + c;
        }
        let mut below = -1.456_607_2e-5_f32;
        for c in [
            -2.133_740_6e-4,
            -1.682_827e-3,
            -7.373_329e-3,
            -1.426_473_9e-2,
        ] {
            below = below * s + c;
        }
        0.5 + 0.5 * (x * above / below)
    }

    /// In vectors that every such machine has; compilers see no use for them here.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn turned(rows: [[Self; 4]; 4]) -> [[Self; 4]; 4] {
        use std::arch::x86_64::{
            __m128, _mm_movehl_ps, _mm_movelh_ps, _mm_unpackhi_ps, _mm_unpacklo_ps,
        };
        let [a, b, c, d]: [__m128; 4] = bytemuck::cast(rows);
        // SAFETY: SSE is part of the architecture.
        let columns = unsafe {
            let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
            [
                _mm_movelh_ps(ab, cd),
                _mm_movehl_ps(cd, ab),
                _mm_movelh_ps(ab_high, cd_high),
                _mm_movehl_ps(cd_high, ab_high),
            ]
        };
        bytemuck::cast(columns)
    }
}

/// `exp` by reduction to `2^k exp(r)`, `|r| <= ln 2 / 2`, and a polynomial of degree 6; relative
/// error below 3e-7 on the range it does not clamp.
#[inline(always)]
fn exp_f32(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer in the low bits.
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = clamped * std::f32::consts::LOG2_E + SHIFT;
    let k = shifted - SHIFT;
    let r = (clamped - k * 0.693_359_4) - k * -2.121_944_4e-4;
    let mut p = 1.0 / 720.0;
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    let scale = f32::from_bits(
        shifted
            .to_bits()
            .wrapping_add(127)
            .wrapping_sub(0x4B40_0000)
            << 23,
    );
    p * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
        let points = (0..=200_000).map(|i| (from + (to - from) * f64::from(i) / 2e5) as f32);
        let error = |x: f32| {
            let exact = exact(f64::from(x));
            (f64::from(f(x)) - exact).abs() / exact.abs().max(1e-30)
        };
        points.map(error).fold(0.0, f64::max)
    }

    #[test]
    fn single_precision_functions_are_within_their_stated_error() {
        assert!(worst(Real::exp, f64::exp, -86.0, 87.0) < 3e-7);
        assert!(worst(Real::exp_m1_of_negative, f64::exp_m1, -20.0, -1e-6) < 1e-6);
        assert!(worst(Real::tanh, f64::tanh, -12.0, 12.0) < 1e-6);
        // An absolute error: a sum with 1 of what is nearly -1 has no other.
        let cdf = |x: f64| 1.0 + Real::normal_cdf(x);
        assert!(worst(|x| 1.0 + Real::normal_cdf(x), cdf, -8.0, 8.0) < 5e-7);
    }

    #[test]
    fn nan_stays_nan_so_that_divergence_shows() {
        assert!(Real::exp(f32::NAN).is_nan());
        assert!(Real::tanh(f32::NAN).is_nan());
        assert!(Real::normal_cdf(f32::NAN).is_nan());
        assert!(Real::exp_m1_of_negative(f32::NAN).is_nan());
    }

    #[test]
    fn large_arguments_saturate() {
        assert_eq!(Real::tanh(500.0f32), 1.0);
        assert_eq!(Real::tanh(-500.0f32), -1.0);
        assert!(Real::exp(-1000.0f32) < 1e-37);
        assert!(Real::exp(1000.0f32) > 1e38);
    }
}
