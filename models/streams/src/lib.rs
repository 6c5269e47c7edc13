//! Named random streams: every random draw of the project, addressed rather than consumed.
//!
//! A value is a pure function of (seed, purpose, path, step, index). Nothing is shared and nothing
//! advances, so removing a bias moves no other weight, a stacked replica draws what it would draw
//! alone, and every device and thread count sees the same bits.
//!
//! The generator is Threefry-4x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3", SC 2011, section 3.3). Its key is the first 16 bytes of
//! SHA-256 over `seed (8 bytes, little endian) | purpose | 0x00 | path`.

mod half_words;

use half_words::HalfWords;
use pulp::Arch;
use sha2::{Digest, Sha256};

/// What a stream is drawn for. The name enters the key, so purposes never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Start weights; the path is the parameter's.
    Init,
    /// The order of the examples; the step is the epoch.
    Order,
    /// Dropout masks; the path is the layer's, the step is the training step.
    Mask,
    /// Which examples form a subset, a fold or a validation split.
    Split,
    /// Which labels are replaced, and by what.
    LabelNoise,
    /// Which single weights are trained where not all are.
    Trained,
    /// Resampling in the statistics.
    Resample,
    /// Which units are corrupted, and by what.
    Fault,
    /// What a probe looks at; the path is the probe's.
    Probe,
}

impl Purpose {
    /// The name that enters the key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Order => "order",
            Self::Mask => "mask",
            Self::Split => "split",
            Self::LabelNoise => "label-noise",
            Self::Trained => "trained",
            Self::Resample => "resample",
            Self::Fault => "fault",
            Self::Probe => "probe",
        }
    }
}

/// One named stream: a random-access sequence of 32-bit words for each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 4],
}

/// How far a round turns its two words.
pub const ROTATIONS: [[u32; 2]; 8] = [
    [10, 26],
    [11, 21],
    [13, 27],
    [23, 5],
    [6, 20],
    [17, 11],
    [25, 10],
    [18, 20],
];

/// The Threefry-4x32-20 block function.
#[inline(always)]
pub fn threefry4x32(key: [u32; 4], counter: [u32; 4]) -> [u32; 4] {
    let ks = key_schedule(key);
    let mut x = [0u32; 4];
    for i in 0..4 {
        x[i] = counter[i].wrapping_add(ks[i]);
    }
    for round in 0..20 {
        let [a, b] = ROTATIONS[round % 8];
        let (lo, hi) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
        x[0] = x[0].wrapping_add(x[lo]);
        x[lo] = x[lo].rotate_left(a) ^ x[0];
        x[2] = x[2].wrapping_add(x[hi]);
        x[hi] = x[hi].rotate_left(b) ^ x[2];
        if round % 4 == 3 {
            let inject = round / 4 + 1;
            for i in 0..4 {
                x[i] = x[i].wrapping_add(ks[(inject + i) % 5]);
            }
            x[3] = x[3].wrapping_add(inject as u32);
        }
    }
    x
}

/// A key and its parity, which the rounds add in turn.
#[inline(always)]
pub fn key_schedule(key: [u32; 4]) -> [u32; 5] {
    let parity = 0x1BD1_1BDA ^ key[0] ^ key[1] ^ key[2] ^ key[3];
    [key[0], key[1], key[2], key[3], parity]
}

impl Stream {
    /// The stream of `seed` for `purpose` at `path` (a parameter's or layer's dotted path, or any
    /// name; may be empty).
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

    /// The stream's 128-bit key, for kernels that draw in place.
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
    pub fn words(&self, step: u64) -> impl Iterator<Item = u32> + use<> {
        let stream = *self;
        (0u64..).flat_map(move |b| stream.block(step, b))
    }

    /// 16-bit numbers `128 chunk .. 128 chunk + 128` of step `step`, in an order that vectors fill
    /// without shuffling: number `64 half + 16 word + lane` of a chunk is the low (`half` 0) or high
    /// (`half` 1) half of word `word` of block `16 chunk + lane`.
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

    /// Uniform numbers in `[0, 1)` with 53 random bits, two words each.
    pub fn uniforms(&self, step: u64) -> impl Iterator<Item = f64> + use<> {
        let mut words = self.words(step);
        std::iter::from_fn(move || {
            let (lo, hi) = (words.next()?, words.next()?);
            let bits = (u64::from(hi) << 32 | u64::from(lo)) >> 11;
            Some(bits as f64 * (1.0 / (1u64 << 53) as f64))
        })
    }

    /// Standard normal numbers by the Box-Muller transform (Box and Muller 1958), two words each.
    pub fn normals(&self, step: u64) -> impl Iterator<Item = f64> + use<> {
        let mut uniforms = self.uniforms(step);
        let mut spare = None;
        std::iter::from_fn(move || {
            if let Some(second) = spare.take() {
                return Some(second);
            }
            let (u, v) = (uniforms.next()?, uniforms.next()?);
            let radius = (-2.0 * (1.0 - u).ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
            spare = Some(radius * sin);
            Some(radius * cos)
        })
    }

    /// Uniform integers below `bound`, without bias (Lemire 2019), for `bound > 0`.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn indices(&self, step: u64) -> Indices<impl Iterator<Item = u32> + use<>> {
        Indices {
            words: self.words(step),
        }
    }

    /// A uniform random permutation of `0..n` (Fisher-Yates from the last place down).
    pub fn permutation(&self, step: u64, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        let mut indices = self.indices(step);
        for i in (1..n).rev() {
            order.swap(i, indices.below(i as u32 + 1) as usize);
        }
        order
    }
}

/// A source of unbiased bounded integers; see [`Stream::indices`].
#[derive(Debug)]
pub struct Indices<I> {
    words: I,
}

impl<I: Iterator<Item = u32>> Indices<I> {
    /// The next integer in `0..bound`.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "a bounded draw needs a bound above zero");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let word = self.words.next().expect("streams do not end");
            let wide = u64::from(word) * u64::from(bound);
            if wide as u32 >= threshold {
                return (wide >> 32) as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution for threefry4x32 with 20 rounds.
    #[test]
    fn threefry_gives_the_published_answers() {
        assert_eq!(
            threefry4x32([0; 4], [0; 4]),
            [0x9c6c_a96a, 0xe17e_ae66, 0xfc10_ecd4, 0x5256_a7d8]
        );
        assert_eq!(
            threefry4x32([u32::MAX; 4], [u32::MAX; 4]),
            [0x2a88_1696, 0x5701_2287, 0xf6c7_446e, 0xa16a_6732]
        );
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let key = [0xa409_3822, 0x299f_31d0, 0x082e_fa98, 0xec4e_6c89];
        assert_eq!(
            threefry4x32(key, pi),
            [0x59cd_1dbb, 0xb887_9579, 0x86b5_d00c, 0xac8b_6d84]
        );
    }

    #[test]
    fn a_stream_is_reproducible_from_its_documented_key() {
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
    fn half_words_are_the_blocks_halves_in_their_documented_order() {
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
    fn permutations_hold_every_index_once_and_differ_by_step() {
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
