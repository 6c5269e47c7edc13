//! Memory that is asked for before it is read.

/// A cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Asks for `bytes`, so that they are in the cache by the time they are read. It changes nothing else.
#[cfg(target_arch = "x86_64")]
pub(super) fn prefetch(bytes: &[u8]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for line in bytes.chunks(LINE) {
        // SAFETY: SSE is part of the architecture, and a hint neither reads nor writes.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

/// Elsewhere there is no hint to give.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn prefetch(_: &[u8]) {}
