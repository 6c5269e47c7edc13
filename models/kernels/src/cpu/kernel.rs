//! Inner loops compiled once per instruction set; the best one is chosen at run time.

use pulp::{Simd, WithSimd};

/// An inner loop with its arguments, left to the compiler to vectorize.
///
/// Implementations mark `run` and everything it calls `#[inline(always)]`: a function that is not
/// inlined is not compiled for the instruction set.
pub(crate) trait Kernel {
    fn run(self);
}

/// A kernel as an operation that pulp can dispatch.
pub(crate) struct Dispatched<K>(pub(crate) K);

impl<K: Kernel> WithSimd for Dispatched<K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.run();
    }
}
