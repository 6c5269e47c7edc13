//! The numbers of one step of a stream, in sequence.
//!
//! The types are concrete, so their code is compiled and optimized in this crate, whatever the
//! optimization level of the crate that draws.

use crate::threefry::threefry4x32;

/// The 32-bit words of a step, without end.
#[derive(Clone, Debug)]
pub struct Words {
    key: [u32; 4],
    step: u64,
    /// Number of the next block.
    block: u64,
    buffer: [u32; 4],
    /// Index of the next word in `buffer`; 4 if all are used.
    next: usize,
}

impl Words {
    pub(crate) const fn new(key: [u32; 4], step: u64) -> Self {
        Self {
            key,
            step,
            block: 0,
            buffer: [0; 4],
            next: 4,
        }
    }

    fn draw(&mut self) -> u32 {
        if self.next == 4 {
            let (block, step) = (self.block, self.step);
            self.buffer = threefry4x32(
                self.key,
                [
                    block as u32,
                    (block >> 32) as u32,
                    step as u32,
                    (step >> 32) as u32,
                ],
            );
            self.block += 1;
            self.next = 0;
        }
        self.next += 1;
        self.buffer[self.next - 1]
    }
}

impl Iterator for Words {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        Some(self.draw())
    }
}

/// Uniform numbers in `[0, 1)` with 53 random bits, without end.
#[derive(Clone, Debug)]
pub struct Uniforms {
    words: Words,
}

impl Uniforms {
    pub(crate) const fn new(words: Words) -> Self {
        Self { words }
    }

    fn draw(&mut self) -> f64 {
        let (low, high) = (self.words.draw(), self.words.draw());
        let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
        bits as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

impl Iterator for Uniforms {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        Some(self.draw())
    }
}

/// Standard normal numbers, without end.
#[derive(Clone, Debug)]
pub struct Normals {
    uniforms: Uniforms,
    /// The second number of the last pair.
    spare: Option<f64>,
}

impl Normals {
    pub(crate) const fn new(uniforms: Uniforms) -> Self {
        Self {
            uniforms,
            spare: None,
        }
    }
}

impl Iterator for Normals {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        if let Some(second) = self.spare.take() {
            return Some(second);
        }
        let (u, v) = (self.uniforms.draw(), self.uniforms.draw());
        let radius = (-2.0 * (1.0 - u).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        self.spare = Some(radius * sin);
        Some(radius * cos)
    }
}

/// A source of uniform integers below a bound; see [`Stream::indices`](crate::Stream::indices).
#[derive(Clone, Debug)]
pub struct Indices {
    words: Words,
}

impl Indices {
    pub(crate) const fn new(words: Words) -> Self {
        Self { words }
    }

    /// The next uniform integer in `0..bound`.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "the bound of a draw must be positive");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let wide = u64::from(self.words.draw()) * u64::from(bound);
            if wide as u32 >= threshold {
                return (wide >> 32) as u32;
            }
        }
    }
}
