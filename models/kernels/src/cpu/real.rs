//! Element types of the kernels.

use super::elementary::{Elementary, exp_scalar};
use super::kernel::{Dispatched, Kernel};
use super::simd::SimdElement;
use burn::tensor::Element;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

/// `f32` or `f64`.
pub(crate) trait Real:
    Element
    + Elementary
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
    /// Whether the type serves only as a reference in checks. Its kernels are compiled in fewer
    /// variants, which give the same bits.
    const REFERENCE: bool;

    /// Runs an inner loop on values of this type, for the best available instruction set.
    fn run(kernel: impl Kernel);

    fn from_f64(value: f64) -> Self;
    fn sqrt(self) -> Self;
    /// `exp(x)`; saturates near the ends of the range and keeps NaN.
    fn exp(self) -> Self;

    /// The transpose of a 4x4 matrix.
    #[inline(always)]
    fn transpose_4x4(rows: [[Self; 4]; 4]) -> [[Self; 4]; 4] {
        let mut columns = [[Self::ZERO; 4]; 4];
        for k in 0..4 {
            for l in 0..4 {
                columns[l][k] = rows[k][l];
            }
        }
        columns
    }

    /// `yes` if `test` holds, else `no`.
    #[inline(always)]
    fn select(test: bool, yes: Self, no: Self) -> Self {
        if test { yes } else { no }
    }

    #[inline(always)]
    #[expect(clippy::eq_op, reason = "only NaN differs from itself")]
    fn is_nan(self) -> bool {
        self != self
    }

    /// The larger value; `self` if the values are equal or `other` is NaN.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const REFERENCE: bool = true;

    /// Compiled only for the baseline instruction set.
    fn run(kernel: impl Kernel) {
        kernel.run();
    }

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
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
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const REFERENCE: bool = false;

    fn run(kernel: impl Kernel) {
        f32::dispatch(Dispatched(kernel));
    }

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn exp(self) -> Self {
        exp_scalar(self)
    }

    /// With SSE shuffles, which the compiler does not find by itself.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn transpose_4x4(rows: [[Self; 4]; 4]) -> [[Self; 4]; 4] {
        use std::arch::x86_64::{
            __m128, _mm_movehl_ps, _mm_movelh_ps, _mm_unpackhi_ps, _mm_unpacklo_ps,
        };
        let [a, b, c, d]: [__m128; 4] = bytemuck::cast(rows);
        // SAFETY: every x86-64 CPU has SSE.
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
