//! Inner loops compiled once for each vector extension, the best one chosen as the program runs.

use pulp::{Arch, Simd, WithSimd};

/// An inner loop with its arguments. Implementations mark `run` and all it calls
/// `#[inline(always)]`: what is not inlined is not compiled for the extension.
pub(crate) trait Kernel {
    fn run(self);
}

struct Dispatched<K>(K);

impl<K: Kernel> WithSimd for Dispatched<K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.run();
    }
}

/// Runs `kernel` with the widest vectors the machine has.
pub(crate) fn run(kernel: impl Kernel) {
    Arch::new().dispatch(Dispatched(kernel));
}
