//! Dropout masks drawn in place.

use crate::streams::Stream;

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

impl Masks {
    /// The factor of a kept element.
    pub(super) fn factor(&self) -> f64 {
        1.0 / (1.0 - f64::from(self.threshold) / 65536.0)
    }
}

/// Whether each element of replica `r` is kept.
#[inline(always)]
pub(super) fn draw(masks: &Masks, r: usize, channels: usize, kept: &mut [u8]) {
    let stream = &masks.streams[r];
    let keep = |u: u16| u8::from(u32::from(u) >= masks.threshold);
    if masks.shared_rows == 1 {
        for (chunk, kept) in kept.chunks_mut(128).enumerate() {
            let numbers = stream.half_words(masks.step, chunk as u64);
            for (k, u) in kept.iter_mut().zip(numbers) {
                *k = keep(u);
            }
        }
        return;
    }
    let image = masks.shared_rows * channels;
    let numbers = kept.len() / masks.shared_rows;
    let mut mask = vec![0u8; numbers];
    for (chunk, mask) in mask.chunks_mut(128).enumerate() {
        let numbers = stream.half_words(masks.step, chunk as u64);
        for (k, u) in mask.iter_mut().zip(numbers) {
            *k = keep(u);
        }
    }
    for (kept, mask) in kept
        .chunks_exact_mut(image)
        .zip(mask.chunks_exact(channels))
    {
        for row in kept.chunks_exact_mut(channels) {
            row.copy_from_slice(mask);
        }
    }
}
