//! A program without dependencies, for `ablate`: how far a random walk gets in 100 steps.
//!
//! ```sh
//! rustc -O examples/program/walk.rs -o walk
//! ablate vs --arm plain='./walk {seed} 0' --arm drift='./walk {seed} 0.1' \
//!   --metric 'distance>' --margin 1
//! ```

use std::env;

/// A linear congruential generator with Knuth's constants.
struct Random(u64);

impl Random {
    /// Uniform in [0, 1).
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn main() {
    let mut arguments = env::args().skip(1);
    let seed: u64 = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .expect("a seed");
    let drift: f64 = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .expect("a drift");
    let mut random = Random(seed);
    let mut place = 0.0;
    for step in 1..=100 {
        place += 2.0 * random.next() - 1.0 + drift;
        if step % 25 == 0 {
            println!("{{\"step\": {step}, \"distance\": {place}}}");
        }
    }
}
