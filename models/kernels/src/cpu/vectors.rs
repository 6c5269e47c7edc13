//! Numbers side by side in a register, for the inner loops that are laid out by hand.

use pulp::{MemMask, Simd};

/// A number of which vectors hold several.
pub(crate) trait Vectors: Copy {
    /// As many numbers as a register holds.
    type Vector<S: Simd>: Copy;
    /// Which lanes of a vector are meant.
    type Mask<S: Simd>: Copy;
    /// In which lanes a comparison holds.
    type Test<S: Simd>: Copy;

    /// Numbers in a vector.
    fn lanes<S: Simd>() -> usize;
    /// The first `count` lanes.
    fn first<S: Simd>(simd: S, count: usize) -> Self::Mask<S>;
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a - b`.
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn times<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a / b`.
    fn over<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `-a`.
    fn negative<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// Where `a > b`; nowhere with NaN, as for all comparisons.
    fn above<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Test<S>;
    /// Where `a >= b`.
    fn at_least<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Test<S>;
    /// Where `a == b`.
    fn equal<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Test<S>;
    /// Where `a` is NaN.
    fn not_a_number<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Test<S>;
    /// Where one of the two holds.
    fn either<S: Simd>(simd: S, a: Self::Test<S>, b: Self::Test<S>) -> Self::Test<S>;
    /// `yes` where `test` holds, `no` elsewhere.
    fn choose_each<S: Simd>(
        simd: S,
        test: Self::Test<S>,
        yes: Self::Vector<S>,
        no: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// `a b + c`, rounded once where the machine has vectors with an instruction for it.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// # Safety
    /// The numbers in the lanes of `mask` from `from` on can be read.
    unsafe fn load_some<S: Simd>(
        simd: S,
        mask: Self::Mask<S>,
        from: *const Self,
    ) -> Self::Vector<S>;

    /// # Safety
    /// The numbers in the lanes of `mask` from `to` on can be written.
    unsafe fn store_some<S: Simd>(
        simd: S,
        mask: Self::Mask<S>,
        to: *mut Self,
        value: Self::Vector<S>,
    );

    /// # Safety
    /// A vector's numbers from `from` on can be read.
    #[inline(always)]
    unsafe fn load<S: Simd>(_: S, from: *const Self) -> Self::Vector<S> {
        // SAFETY: the caller's promise; any bits are a vector, and the read asks for no alignment.
        unsafe { from.cast::<Self::Vector<S>>().read_unaligned() }
    }

    /// # Safety
    /// A vector's numbers from `to` on can be written.
    #[inline(always)]
    unsafe fn store<S: Simd>(_: S, to: *mut Self, value: Self::Vector<S>) {
        // SAFETY: the caller's promise; the write asks for no alignment.
        unsafe { to.cast::<Self::Vector<S>>().write_unaligned(value) }
    }
}

macro_rules! vectors {
    ($t:ty, $vector:ident, $mask:ident, $lanes:ident, $first:ident, $count:ty, $splat:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $greater:ident, $at_least:ident,
     $equal:ident, $not:ident, $or:ident, $select:ident, $mul_add:ident, $load:ident, $store:ident) => {
        impl Vectors for $t {
            type Vector<S: Simd> = S::$vector;
            type Mask<S: Simd> = MemMask<S::$mask>;
            type Test<S: Simd> = S::$mask;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn first<S: Simd>(simd: S, count: usize) -> Self::Mask<S> {
                // Made anew from the bare mask: with its shortcuts it would be a call a load.
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
            fn over<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$div(a, b)
            }

            #[inline(always)]
            fn negative<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S> {
                // Zero less `a` would lose the sign of zeros.
                simd.$sub(simd.$splat(-0.0), a)
            }

            #[inline(always)]
            fn above<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Test<S> {
                simd.$greater(a, b)
            }

            #[inline(always)]
            fn at_least<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Test<S> {
                simd.$at_least(a, b)
            }

            #[inline(always)]
            fn equal<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Test<S> {
                simd.$equal(a, b)
            }

            #[inline(always)]
            fn not_a_number<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Test<S> {
                simd.$not(simd.$equal(a, a))
            }

            #[inline(always)]
            fn either<S: Simd>(simd: S, a: Self::Test<S>, b: Self::Test<S>) -> Self::Test<S> {
                simd.$or(a, b)
            }

            #[inline(always)]
            fn choose_each<S: Simd>(
                simd: S,
                test: Self::Test<S>,
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
            unsafe fn load_some<S: Simd>(
                simd: S,
                mask: Self::Mask<S>,
                from: *const Self,
            ) -> Self::Vector<S> {
                // SAFETY: the caller's promise is the one asked for.
                unsafe { simd.$load(mask, from) }
            }

            #[inline(always)]
            unsafe fn store_some<S: Simd>(
                simd: S,
                mask: Self::Mask<S>,
                to: *mut Self,
                value: Self::Vector<S>,
            ) {
                // SAFETY: the caller's promise is the one asked for.
                unsafe { simd.$store(mask, to, value) }
            }
        }
    };
}

vectors!(
    f32,
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
vectors!(
    f64,
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
