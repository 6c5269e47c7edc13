//! Dropout masks drawn in place.

use super::{Place, Real};
use crate::cpu::columns::{Columns, ColumnsMut};
use crate::cpu::vector::Kernel;
use ablate_streams::Stream;

/// Where dropout's masks come from.
#[derive(Clone, Debug)]
pub struct Masks {
    /// One stream a replica.
    pub streams: Vec<Stream>,
    /// The training step.
    pub step: u64,
    /// A 16-bit number below this drops.
    pub threshold: u32,
    /// Positions that share a mask number: 1, or all of an image for spatial dropout.
    pub shared_rows: usize,
}

/// Numbers that [`Stream::half_words`] draws at once.
const CHUNK: usize = 128;

impl Masks {
    /// The factor of a kept element.
    pub(super) fn factor(&self) -> f64 {
        1.0 / (1.0 - f64::from(self.threshold) / 65536.0)
    }
}

/// Draws whether each element is kept, for a block of columns.
pub(super) struct Draw<'a, 'b> {
    pub(super) masks: &'a Masks,
    pub(super) place: Place,
    pub(super) kept: &'a mut ColumnsMut<'b, u8>,
}

impl Kernel for Draw<'_, '_> {
    #[inline(always)]
    fn run(self) {
        let Self { masks, place, kept } = self;
        let mut numbers = Numbers {
            stream: &masks.streams[place.r],
            step: masks.step,
            threshold: masks.threshold,
            chunk: u64::MAX,
            kept: [0; CHUNK],
        };
        for i in 0..kept.rows() {
            let row = (place.row + i) / masks.shared_rows;
            numbers.copy(row * place.columns + place.column, kept.row_mut(i));
        }
    }
}

/// The mask numbers of one layer and step, a chunk at hand.
struct Numbers<'a> {
    stream: &'a Stream,
    step: u64,
    threshold: u32,
    chunk: u64,
    kept: [u8; CHUNK],
}

impl Numbers<'_> {
    /// Copies what numbers from the `from`-th on say.
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

/// Multiplies what is kept by `factor`, and sets the rest to zero.
pub(super) struct Drop<'a, 'b, T> {
    pub(super) factor: T,
    pub(super) kept: Columns<'a, u8>,
    pub(super) y: &'a mut ColumnsMut<'b, T>,
}

impl<T: Real> Kernel for Drop<'_, '_, T> {
    #[inline(always)]
    fn run(self) {
        for i in 0..self.y.rows() {
            for (y, &k) in self.y.row_mut(i).iter_mut().zip(self.kept.row(i)) {
                *y = T::choose(u32::from(k) == 0, T::ZERO, *y * self.factor);
            }
        }
    }
}
