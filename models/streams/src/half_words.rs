//! The generator in SIMD vectors, one block per lane.

use crate::threefry::{ROTATIONS, key_schedule};
use pulp::{Simd, WithSimd};

/// Blocks per chunk.
pub(super) const BLOCKS: usize = 16;

/// Numbers per chunk: two halves of four words per block.
pub(super) const NUMBERS: usize = 8 * BLOCKS;

const LANES: [u32; BLOCKS] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Draws a chunk of [`Stream::half_words`](crate::Stream::half_words).
pub(super) struct HalfWords<'a> {
    pub(super) key: [u32; 4],
    pub(super) step: u64,
    pub(super) chunk: u64,
    pub(super) out: &'a mut [u16; NUMBERS],
}

impl WithSimd for HalfWords<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ks = key_schedule(self.key);
        for from in (0..BLOCKS).step_by(S::U32_LANES) {
            // No chunk crosses a multiple of 2^32, so its blocks differ only in their low words.
            let first = self.chunk * BLOCKS as u64 + from as u64;
            let counter = [
                first as u32,
                (first >> 32) as u32,
                self.step as u32,
                (self.step >> 32) as u32,
            ];
            let mut x = [simd.splat_u32s(0); 4];
            for i in 0..4 {
                x[i] = simd.splat_u32s(counter[i].wrapping_add(ks[i]));
            }
            let lanes = bytemuck::cast_slice(&LANES[..S::U32_LANES]);
            x[0] = simd.add_u32s(x[0], bytemuck::pod_read_unaligned(lanes));
            // Unrolled, so that rotations are constants and words stay in registers.
            four_rounds::<S, 0>(simd, &mut x, &ks, 1);
            four_rounds::<S, 4>(simd, &mut x, &ks, 2);
            four_rounds::<S, 0>(simd, &mut x, &ks, 3);
            four_rounds::<S, 4>(simd, &mut x, &ks, 4);
            four_rounds::<S, 0>(simd, &mut x, &ks, 5);
            for (word, x) in x.iter().enumerate() {
                let values: &[u32] = bytemuck::cast_slice(std::slice::from_ref(x));
                let low = &mut self.out[BLOCKS * word + from..][..S::U32_LANES];
                for (low, &value) in low.iter_mut().zip(values) {
                    *low = value as u16;
                }
                let high = &mut self.out[NUMBERS / 2 + BLOCKS * word + from..][..S::U32_LANES];
                for (high, &value) in high.iter_mut().zip(values) {
                    *high = (value >> 16) as u16;
                }
            }
        }
    }
}

/// Four rounds with the rotations from index `FIRST` on, then key injection number `inject`.
#[inline(always)]
fn four_rounds<S: Simd, const FIRST: usize>(
    simd: S,
    [x0, x1, x2, x3]: &mut [S::u32s; 4],
    ks: &[u32; 5],
    inject: usize,
) {
    mix(simd, x0, x1, ROTATIONS[FIRST][0]);
    mix(simd, x2, x3, ROTATIONS[FIRST][1]);
    mix(simd, x0, x3, ROTATIONS[FIRST + 1][0]);
    mix(simd, x2, x1, ROTATIONS[FIRST + 1][1]);
    mix(simd, x0, x1, ROTATIONS[FIRST + 2][0]);
    mix(simd, x2, x3, ROTATIONS[FIRST + 2][1]);
    mix(simd, x0, x3, ROTATIONS[FIRST + 3][0]);
    mix(simd, x2, x1, ROTATIONS[FIRST + 3][1]);
    *x0 = simd.add_u32s(*x0, simd.splat_u32s(ks[inject % 5]));
    *x1 = simd.add_u32s(*x1, simd.splat_u32s(ks[(inject + 1) % 5]));
    *x2 = simd.add_u32s(*x2, simd.splat_u32s(ks[(inject + 2) % 5]));
    let last = ks[(inject + 3) % 5].wrapping_add(inject as u32);
    *x3 = simd.add_u32s(*x3, simd.splat_u32s(last));
}

/// The mix function of Threefry: addition, rotation and exclusive or.
#[inline(always)]
fn mix<S: Simd>(simd: S, x: &mut S::u32s, y: &mut S::u32s, rotation: u32) {
    *x = simd.add_u32s(*x, *y);
    let left = simd.wrapping_dyn_shl_u32s(*y, simd.splat_u32s(rotation));
    let right = simd.wrapping_dyn_shr_u32s(*y, simd.splat_u32s(32 - rotation));
    *y = simd.xor_u32s(simd.or_u32s(left, right), *x);
}
