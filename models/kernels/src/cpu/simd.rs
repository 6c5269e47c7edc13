//! SIMD vectors of `f32` and `f64`, for inner loops that are vectorized by hand.

use crate::instructions::InstructionSet;
use pulp::{MemMask, Simd, WithSimd};
use std::marker::PhantomData;

/// An element type of SIMD vectors.
pub(crate) trait SimdElement: Copy {
    /// A vector register's worth of elements.
    type Vector<S: Simd>: Copy;
    /// Lanes that a partial load or store touches.
    type Mask<S: Simd>: Copy;
    /// Result of a comparison, per lane.
    type Comparison<S: Simd>: Copy;

    /// Elements in a vector of AVX2. Wider vectors have no use for rows of at most so many elements.
    const NARROW: usize;

    /// Runs `op` for the current instruction set.
    fn dispatch<Op: WithSimd>(op: Op) -> Op::Output;
    /// [`Self::dispatch`], without wider vectors than those of AVX2.
    fn dispatch_narrow<Op: WithSimd>(op: Op) -> Op::Output;
    /// Elements in a vector.
    fn lanes<S: Simd>() -> usize;
    /// A mask of the first `count` lanes.
    fn first_lanes<S: Simd>(simd: S, count: usize) -> Self::Mask<S>;
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a - b`.
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn times<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a / b`.
    fn divide<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `-a`.
    fn negate<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// `a > b`; false if a value is NaN, as in all comparisons.
    fn greater<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Comparison<S>;
    /// `a >= b`.
    fn greater_equal<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
    ) -> Self::Comparison<S>;
    /// `a == b`.
    fn equal<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Comparison<S>;
    /// Whether `a` is NaN.
    fn is_nan_each<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Comparison<S>;
    /// Whether one of two comparisons holds.
    fn or<S: Simd>(simd: S, a: Self::Comparison<S>, b: Self::Comparison<S>) -> Self::Comparison<S>;
    /// `yes` in lanes where `test` holds, else `no`.
    fn select_each<S: Simd>(
        simd: S,
        test: Self::Comparison<S>,
        yes: Self::Vector<S>,
        no: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// `a b + c`; a fused multiply-add, rounded once, if the instruction set has one.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// Loads the lanes of `mask`.
    ///
    /// # Safety
    /// The elements at `from` in the lanes of `mask` must be readable.
    unsafe fn load_partial<S: Simd>(
        simd: S,
        mask: Self::Mask<S>,
        from: *const Self,
    ) -> Self::Vector<S>;

    /// Stores the lanes of `mask`.
    ///
    /// # Safety
    /// The elements at `to` in the lanes of `mask` must be writable.
    unsafe fn store_partial<S: Simd>(
        simd: S,
        mask: Self::Mask<S>,
        to: *mut Self,
        value: Self::Vector<S>,
    );

    /// Loads a vector.
    ///
    /// # Safety
    /// A vector's elements from `from` on must be readable.
    #[inline(always)]
    unsafe fn load<S: Simd>(_: S, from: *const Self) -> Self::Vector<S> {
        // SAFETY: the caller guarantees readability; any bits are a valid vector, and the read needs
        // no alignment.
        unsafe { from.cast::<Self::Vector<S>>().read_unaligned() }
    }

    /// Stores a vector.
    ///
    /// # Safety
    /// A vector's elements from `to` on must be writable.
    #[inline(always)]
    unsafe fn store<S: Simd>(_: S, to: *mut Self, value: Self::Vector<S>) {
        // SAFETY: the caller guarantees writability; the write needs no alignment.
        unsafe { to.cast::<Self::Vector<S>>().write_unaligned(value) }
    }
}

/// Facts about vectors of `T` in instruction set `S` that are known at compile time.
///
/// `if const { .. }` on them keeps code that an instruction set cannot reach from being compiled.
pub(crate) struct VectorFacts<T, S>(PhantomData<(T, S)>);

impl<T: SimdElement, S: Simd> VectorFacts<T, S> {
    /// Whether a vector holds a single element, as on CPUs without a supported instruction set.
    pub(crate) const IS_SCALAR: bool = size_of::<T::Vector<S>>() == size_of::<T>();
    /// Whether there are 32 vector registers, as in AVX-512, and not 16.
    pub(crate) const HAS_32_REGISTERS: bool = S::REGISTER_COUNT >= 32;
}

/// Runs `op` for the given instruction set, which the CPU has.
///
/// `f64` serves only as a reference: without AVX-512 its kernels compile in less time and give the same
/// bits, because no result depends on the width of a vector.
#[cfg(target_arch = "x86_64")]
fn dispatch<Op: WithSimd, const WIDEST: bool>(op: Op) -> Op::Output {
    use pulp::x86::{V3, V4};
    match InstructionSet::current() {
        InstructionSet::Avx512 if const { WIDEST } => {
            // SAFETY: the current set is one that the CPU has.
            Simd::vectorize(unsafe { V4::new_unchecked() }, op)
        }
        InstructionSet::Avx512 | InstructionSet::Avx2 => {
            // SAFETY: the current set is one that the CPU has, and AVX-512 includes AVX2.
            Simd::vectorize(unsafe { V3::new_unchecked() }, op)
        }
        InstructionSet::Scalar | InstructionSet::Native => Simd::vectorize(pulp::Scalar::new(), op),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn dispatch<Op: WithSimd, const WIDEST: bool>(op: Op) -> Op::Output {
    match InstructionSet::current() {
        InstructionSet::Native => pulp::Arch::new().dispatch(op),
        _ => Simd::vectorize(pulp::Scalar::new(), op),
    }
}

macro_rules! simd_element {
    ($t:ty, $widest:literal, $vector:ident, $mask:ident, $lanes:ident, $first:ident, $count:ty, $splat:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $greater:ident, $at_least:ident,
     $equal:ident, $not:ident, $or:ident, $select:ident, $mul_add:ident, $load:ident, $store:ident) => {
        impl SimdElement for $t {
            type Vector<S: Simd> = S::$vector;
            type Mask<S: Simd> = MemMask<S::$mask>;
            type Comparison<S: Simd> = S::$mask;

            const NARROW: usize = 32 / size_of::<Self>();

            fn dispatch_narrow<Op: WithSimd>(op: Op) -> Op::Output {
                dispatch::<Op, false>(op)
            }

            fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
                dispatch::<Op, $widest>(op)
            }

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn first_lanes<S: Simd>(simd: S, count: usize) -> Self::Mask<S> {
                // Rebuilt from the bare mask: pulp's special case for full masks would cost a call
                // per load.
                MemMask::from(simd.$first(0, count as $count).mask())
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S> {
                simd.$splat(value)
            }

            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$sub(a, b)
            }

            #[inline(always)]
            fn times<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$mul(a, b)
            }

            #[inline(always)]
            fn divide<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$div(a, b)
            }

            #[inline(always)]
            fn negate<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S> {
                // `0 - a` would lose the sign of zeros.
                simd.$sub(simd.$splat(-0.0), a)
            }

            #[inline(always)]
            fn greater<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
            ) -> Self::Comparison<S> {
                simd.$greater(a, b)
            }

            #[inline(always)]
            fn greater_equal<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
            ) -> Self::Comparison<S> {
                simd.$at_least(a, b)
            }

            #[inline(always)]
            fn equal<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
            ) -> Self::Comparison<S> {
                simd.$equal(a, b)
            }

            #[inline(always)]
            fn is_nan_each<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Comparison<S> {
                simd.$not(simd.$equal(a, a))
            }

            #[inline(always)]
            fn or<S: Simd>(
                simd: S,
                a: Self::Comparison<S>,
                b: Self::Comparison<S>,
            ) -> Self::Comparison<S> {
                simd.$or(a, b)
            }

            #[inline(always)]
            fn select_each<S: Simd>(
                simd: S,
                test: Self::Comparison<S>,
                yes: Self::Vector<S>,
                no: Self::Vector<S>,
            ) -> Self::Vector<S> {
                simd.$select(test, yes, no)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
                c: Self::Vector<S>,
            ) -> Self::Vector<S> {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            unsafe fn load_partial<S: Simd>(
                simd: S,
                mask: Self::Mask<S>,
                from: *const Self,
            ) -> Self::Vector<S> {
                // SAFETY: the caller guarantees what pulp requires.
                unsafe { simd.$load(mask, from) }
            }

            #[inline(always)]
            unsafe fn store_partial<S: Simd>(
                simd: S,
                mask: Self::Mask<S>,
                to: *mut Self,
                value: Self::Vector<S>,
            ) {
                // SAFETY: the caller guarantees what pulp requires.
                unsafe { simd.$store(mask, to, value) }
            }
        }
    };
}

simd_element!(
    f32,
    true,
    f32s,
    m32s,
    F32_LANES,
    mask_between_m32s,
    u32,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    div_f32s,
    greater_than_f32s,
    greater_than_or_equal_f32s,
    equal_f32s,
    not_m32s,
    or_m32s,
    select_f32s,
    mul_add_e_f32s,
    mask_load_ptr_f32s,
    mask_store_ptr_f32s
);
simd_element!(
    f64,
    false,
    f64s,
    m64s,
    F64_LANES,
    mask_between_m64s,
    u64,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    div_f64s,
    greater_than_f64s,
    greater_than_or_equal_f64s,
    equal_f64s,
    not_m64s,
    or_m64s,
    select_f64s,
    mul_add_e_f64s,
    mask_load_ptr_f64s,
    mask_store_ptr_f64s
);
