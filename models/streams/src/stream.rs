//! Random streams.

use crate::draws::{Indices, Normals, Uniforms, Words};
use crate::half_words::HalfWords;
use crate::purpose::Purpose;
use crate::threefry::threefry4x32;
use pulp::Arch;
use sha2::{Digest, Sha256};

/// One named stream: a random-access sequence of 32-bit words per step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 4],
}

impl Stream {
    /// The stream of `seed` for `purpose` at `path`: the dotted path of a parameter or layer, or any
    /// other name. The path may be empty.
    pub fn new(seed: u64, purpose: Purpose, path: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(purpose.name().as_bytes());
        hash.update([0]);
        hash.update(path.as_bytes());
        let digest = hash.finalize();
        let word = |i: usize| u32::from_le_bytes(digest[4 * i..4 * i + 4].try_into().expect("4"));
        Self {
            key: [word(0), word(1), word(2), word(3)],
        }
    }

    /// The stream's 128-bit key, for kernels that draw numbers themselves.
    pub const fn key(&self) -> [u32; 4] {
        self.key
    }

    /// Words `4 block .. 4 block + 4` of step `step`.
    #[inline(always)]
    pub fn block(&self, step: u64, block: u64) -> [u32; 4] {
        threefry4x32(
            self.key,
            [
                block as u32,
                (block >> 32) as u32,
                step as u32,
                (step >> 32) as u32,
            ],
        )
    }

    /// The words of `step` in order, from index 0.
    pub fn words(&self, step: u64) -> Words {
        Words::new(self.key, step)
    }

    /// 16-bit numbers `128 chunk .. 128 chunk + 128` of step `step`.
    ///
    /// Number `64 half + 16 word + lane` of a chunk is the low (`half` 0) or high (`half` 1) half of
    /// word `word` of block `16 chunk + lane`. SIMD code computes this order without shuffles.
    #[inline]
    pub fn half_words(&self, step: u64, chunk: u64) -> [u16; 128] {
        let mut out = [0; 128];
        Arch::new().dispatch(HalfWords {
            key: self.key,
            step,
            chunk,
            out: &mut out,
        });
        out
    }

    /// Uniform numbers in `[0, 1)` with 53 random bits, from two words each.
    pub fn uniforms(&self, step: u64) -> Uniforms {
        Uniforms::new(self.words(step))
    }

    /// Standard normal numbers by the Box-Muller transform (Box and Muller 1958), from two words each.
    pub fn normals(&self, step: u64) -> Normals {
        Normals::new(self.uniforms(step))
    }

    /// A source of uniform integers without modulo bias (Lemire 2019); see [`Indices::below`].
    pub fn indices(&self, step: u64) -> Indices {
        Indices::new(self.words(step))
    }

    /// A uniform random permutation of `0..n` (Fisher-Yates, from the last index down).
    pub fn permutation(&self, step: u64, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        let mut indices = self.indices(step);
        for i in (1..n).rev() {
            order.swap(i, indices.below(i as u32 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_follows_its_documentation() {
        // python3: hashlib.sha256((7).to_bytes(8,'little')+b'init\0layers.0.weight').digest()[:16]
        let stream = Stream::new(7, Purpose::Init, "layers.0.weight");
        let again = Stream::new(7, Purpose::Init, "layers.0.weight");
        assert_eq!(stream, again);
        assert_eq!(
            stream.key(),
            [0xbb2e_e91a, 0xce51_82c8, 0x4aaf_dfd2, 0xe515_9a6e]
        );
        assert_ne!(stream, Stream::new(8, Purpose::Init, "layers.0.weight"));
        assert_ne!(stream, Stream::new(7, Purpose::Mask, "layers.0.weight"));
        assert_ne!(stream, Stream::new(7, Purpose::Init, "layers.1.weight"));
        assert_eq!(
            stream.words(3).skip(4).take(4).collect::<Vec<_>>(),
            stream.block(3, 1).to_vec()
        );
    }

    #[test]
    fn half_words_have_the_documented_order() {
        let stream = Stream::new(3, Purpose::Mask, "a");
        let (step, chunk) = (5 + (7 << 32), 2);
        let halves = stream.half_words(step, chunk);
        for half in 0..2 {
            for word in 0..4 {
                for lane in 0..16 {
                    let block = stream.block(step, 16 * chunk + lane as u64);
                    let expected = (block[word] >> (16 * half)) as u16;
                    assert_eq!(halves[64 * half + 16 * word + lane], expected);
                }
            }
        }
    }

    #[test]
    fn normals_have_mean_zero_and_unit_variance() {
        let n = 200_000;
        let draws: Vec<f64> = Stream::new(1, Purpose::Init, "w")
            .normals(0)
            .take(n)
            .collect();
        let mean = draws.iter().sum::<f64>() / n as f64;
        let var = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 5.0 / (n as f64).sqrt(), "{mean}");
        assert!((var - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "{var}");
    }

    #[test]
    fn permutations_are_complete_and_differ_by_step() {
        let stream = Stream::new(0, Purpose::Order, "");
        let mut order = stream.permutation(0, 257);
        assert_ne!(order, stream.permutation(1, 257));
        order.sort_unstable();
        assert_eq!(order, (0..257).collect::<Vec<u32>>());
        assert!(stream.permutation(0, 0).is_empty());
    }

    #[test]
    fn bounded_draws_are_uniform() {
        let mut indices = Stream::new(5, Purpose::Split, "").indices(0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[indices.below(7) as usize] += 1;
        }
        let chi2: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4)
            .sum();
        assert!(chi2 < 22.5, "chi-square with 6 degrees of freedom: {chi2}");
    }
}
