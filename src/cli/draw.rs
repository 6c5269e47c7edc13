//! A random choice that can be repeated.

use ablate_streams::{Purpose, Stream};
use std::hash::{BuildHasher, Hasher, RandomState};

/// A seed that differs each time, short enough to be typed.
pub(crate) fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000
}

/// `count` different numbers below `n` in ascending order; all of them if there are not more. Every one is
/// drawn with the same probability. `name` makes the draws of one seed independent.
pub(crate) fn indices(n: usize, count: usize, seed: u64, name: &str) -> Vec<usize> {
    let stream = Stream::new(seed, Purpose::Resample, &format!("draw {name}"));
    let keys = stream.uniforms(0).take(n);
    let mut order: Vec<(f64, usize)> = keys.zip(0..).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut drawn: Vec<usize> = order.into_iter().take(count).map(|(_, i)| i).collect();
    drawn.sort_unstable();
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_the_same_cells() {
        assert_eq!(indices(100, 5, 7, "a"), indices(100, 5, 7, "a"));
        assert_ne!(indices(100, 5, 7, "a"), indices(100, 5, 8, "a"));
        assert_ne!(indices(100, 5, 7, "a"), indices(100, 5, 7, "b"));
        assert_eq!(indices(3, 5, 7, "a"), [0, 1, 2]);
        assert!(indices(0, 5, 7, "a").is_empty());
    }

    #[test]
    fn every_cell_is_drawn_equally_often() {
        let mut counts = [0u32; 10];
        for seed in 0..2_000 {
            for i in indices(10, 3, seed, "a") {
                counts[i] += 1;
            }
        }
        // 600 are expected; the standard deviation is 20.
        assert!(counts.iter().all(|n| (500..700).contains(n)), "{counts:?}");
    }
}
