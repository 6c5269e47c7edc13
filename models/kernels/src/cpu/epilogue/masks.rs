//! Dropout masks.

use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::kernel::{Dispatched, Kernel};
use crate::cpu::real::Real;
use crate::cpu::simd::SimdElement;
use crate::spec::Masks;
use ablate_streams::Stream;

/// Random numbers per call of [`Stream::half_words`].
const CHUNK: usize = 128;

/// Position of a block of columns in a replica's activations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnBlock {
    pub(crate) replica: usize,
    /// First row of the block.
    pub(crate) row: usize,
    /// First column of the block.
    pub(crate) column: usize,
    /// Number of columns of the whole matrix.
    pub(crate) columns: usize,
}

/// Draws the mask of a block: 1 for kept elements, 0 for dropped ones.
fn draw_mask(masks: &Masks, block: ColumnBlock, kept: &mut ColumnsMut<u8>) {
    f32::dispatch(Dispatched(Draw { masks, block, kept }));
}

/// Draws the mask of a block and applies it to `y`.
pub(crate) fn drop_out<T: Real>(
    masks: &Masks,
    block: ColumnBlock,
    kept: &mut ColumnsMut<u8>,
    y: &mut ColumnsMut<T>,
) {
    draw_mask(masks, block, kept);
    apply_mask(masks, kept.read(), y);
}

/// Sets dropped elements of `y` to zero and scales the others. Forward and backward are the same.
pub(crate) fn apply_mask<T: Real>(masks: &Masks, kept: Columns<u8>, y: &mut ColumnsMut<T>) {
    let factor = T::from_f64(masks.factor());
    T::run(Drop { factor, kept, y });
}

struct Draw<'a, 'b> {
    masks: &'a Masks,
    block: ColumnBlock,
    kept: &'a mut ColumnsMut<'b, u8>,
}

impl Kernel for Draw<'_, '_> {
    #[inline(always)]
    fn run(self) {
        let Self { masks, block, kept } = self;
        let mut numbers = MaskNumbers {
            stream: &masks.streams[block.replica],
            step: masks.step,
            threshold: masks.threshold,
            chunk: u64::MAX,
            kept: [0; CHUNK],
        };
        for i in 0..kept.rows() {
            let row = (block.row + i) / masks.shared_rows;
            numbers.copy(row * block.columns + block.column, kept.row_mut(i));
        }
    }
}

/// The mask of one layer and step, of which one chunk is drawn at a time.
struct MaskNumbers<'a> {
    stream: &'a Stream,
    step: u64,
    threshold: u32,
    chunk: u64,
    kept: [u8; CHUNK],
}

impl MaskNumbers<'_> {
    /// Copies mask elements, starting at element `from`.
    #[inline(always)]
    fn copy(&mut self, mut from: usize, mut out: &mut [u8]) {
        while !out.is_empty() {
            let (chunk, at) = ((from / CHUNK) as u64, from % CHUNK);
            if chunk != self.chunk {
                let numbers = self.stream.half_words(self.step, chunk);
                for (kept, number) in self.kept.iter_mut().zip(numbers) {
                    *kept = u8::from(u32::from(number) >= self.threshold);
                }
                self.chunk = chunk;
            }
            let n = out.len().min(CHUNK - at);
            let (now, rest) = out.split_at_mut(n);
            now.copy_from_slice(&self.kept[at..at + n]);
            (out, from) = (rest, from + n);
        }
    }
}

struct Drop<'a, 'b, T> {
    factor: T,
    kept: Columns<'a, u8>,
    y: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real> Kernel for Drop<'_, '_, T> {
    #[inline(always)]
    fn run(self) {
        for i in 0..self.y.rows() {
            for (y, &k) in self.y.row_mut(i).iter_mut().zip(self.kept.row(i)) {
                *y = T::select(u32::from(k) == 0, T::ZERO, *y * self.factor);
            }
        }
    }
}
