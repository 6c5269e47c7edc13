//! Prefetching of memory before it is read.

/// Bytes per cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Prefetches `bytes` into the caches. It has no other effect.
#[cfg(target_arch = "x86_64")]
pub(super) fn prefetch(bytes: &[u8]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for line in bytes.chunks(LINE) {
        // SAFETY: SSE is part of every x86-64 processor, and a prefetch hint accesses no memory.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

/// Does nothing on architectures without a stable prefetch intrinsic.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn prefetch(_: &[u8]) {}
