//! The element types of the kernels, and what their numbers do alone.

use super::elementary::{Elementary, exp_of_one};
use super::vector::{self, Kernel};
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

    /// Runs an inner loop on numbers of this type.
    fn run(kernel: impl Kernel);

    fn of(value: f64) -> Self;
    fn sqrt(self) -> Self;
    /// `exp(x)`; saturates near the ends of the range, keeps NaN.
    fn exp(self) -> Self;

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
        exp_of_one(self)
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
