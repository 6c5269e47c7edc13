//! What this machine's arithmetic allows: the multiply-adds of a work's step, done in registers on all
//! cores, with nothing read, written or decided between them.

use super::contest::{Contestant, Failure};
use super::ratio::{median, ratio};
use super::record::{Comparison, Times};
use super::report::shown;
use super::work::{Net, Work};
use ablate::compare::measure::timing::stopwatch::steps_for;
use ablate::text::markdown::{Align, Table};
use ablate::text::number::{compact, fixed};
use pulp::{Arch, Simd, WithSimd};
use std::hint::black_box;
use std::thread;
use std::time::Instant;

/// Sums side by side: enough to keep every unit at work until its last result is there, and few enough
/// for the registers of AVX2.
const SUMS: usize = 12;

/// Multiply-adds of all replicas' linear maps and convolutions in a step, one for one as written down
/// on paper: forward, and twice as many backward, but for the gradient of the images, which nobody
/// needs.
pub(crate) fn multiply_adds(work: &Work) -> f64 {
    let first = match &work.net {
        Net::Mlp { hidden } => hidden.first().map(|units| work.side * work.side * units),
        Net::Cnn { channels, .. } => (channels.first()).map(|c| work.side * work.side * 9 * c),
    };
    let first = first.unwrap_or_default() * work.batch * work.replicas;
    work.multiply_adds() - first as f64
}

/// `rounds` times [`SUMS`] vectors of multiply-adds in single precision.
struct InRegisters {
    rounds: usize,
}

impl WithSimd for InRegisters {
    /// The sum of all sums.
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        // Not known to the compiler, or it would make one sum of the twelve.
        let hidden = black_box([0.5, 1.0]);
        let [factor, term] = hidden.map(|x| simd.splat_f32s(x));
        let mut sums = [factor; SUMS];
        for (k, sum) in sums.iter_mut().enumerate() {
            *sum = simd.splat_f32s(black_box(k as f32));
        }
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, term);
            }
        }
        sums.iter().map(|sum| simd.reduce_sum_f32s(*sum)).sum()
    }
}

/// Lanes of a vector.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// The multiply-adds of a step, on every core as many.
pub(crate) struct Limit {
    threads: usize,
    /// Rounds of a thread a step.
    rounds: f64,
    /// Seconds a step took when last looked at.
    step: f64,
}

impl Limit {
    pub(crate) fn new(work: &Work) -> Self {
        let threads = ablate::machine::cores();
        let round = SUMS * Arch::new().dispatch(Lanes);
        Self {
            threads,
            rounds: multiply_adds(work) / (threads * round) as f64,
            step: 0.0,
        }
    }

    /// Seconds that `n` steps take.
    fn steps(&self, n: usize) -> f64 {
        let rounds = (self.rounds * n as f64).ceil() as usize;
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(move || black_box(Arch::new().dispatch(InRegisters { rounds })));
            }
        });
        started.elapsed().as_secs_f64()
    }
}

impl Contestant for Limit {
    fn name(&self) -> &str {
        "multiply-adds in registers"
    }

    fn warm_up(&mut self, seconds: f64) -> Result<(), Failure> {
        // Many at once from the start: a step may be shorter than it takes to start a thread.
        let mut n = 1;
        loop {
            let took = self.steps(n);
            self.step = took / n as f64;
            if took >= seconds {
                return Ok(());
            }
            n *= 2;
        }
    }

    fn measure(&mut self, seconds: f64) -> Result<f64, Failure> {
        let n = steps_for(seconds, self.step);
        self.step = self.steps(n) / n as f64;
        Ok(1e3 * self.step)
    }
}

/// The part of the report: what the arithmetic alone would give, for the works that have a goal.
/// Empty where it was not taken.
pub(crate) fn section(compared: &[Comparison]) -> String {
    let rows: Vec<_> = compared.iter().flat_map(rows).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        ("work", Align::Left),
        ("multiply-adds, millions", Align::Right),
        ("in registers, ms", Align::Right),
        ("ratio to the best peer", Align::Right),
        ("goal", Align::Right),
        ("ours", Align::Left),
        ("share of our time", Align::Right),
    ]);
    rows.into_iter().for_each(|row| table.row(row));
    format!(
        "\n## The arithmetic alone\n\nHow long the multiply-adds of a step take in registers on all cores, \
         in the same rounds: with nothing else to do, and every one of them done, nobody would come out \
         above this ratio. Ours need fewer: dense layers pass over zeros and the background of images, \
         and 3x3 convolutions of many channels go by minimal filtering.\n\n{}",
        table.render()
    )
}

/// A row for each of ours.
fn rows(comparison: &Comparison) -> Vec<[String; 7]> {
    let (Some(goal), Some(limit)) = (comparison.goal, &comparison.limit) else {
        return Vec::new();
    };
    let peers = comparison.peers.iter().map(|t| t.milliseconds.as_slice());
    let peers: Vec<&[f64]> = peers.filter(|times| !times.is_empty()).collect();
    let row = |ours: &Times| {
        let share = ratio(&[&limit.milliseconds], &ours.milliseconds);
        let of_best = ratio(&peers, &limit.milliseconds);
        [
            comparison.work.title(),
            fixed(multiply_adds(&comparison.work) / 1e6, 1),
            median(&limit.milliseconds).map(compact).unwrap_or_default(),
            of_best.map(shown).unwrap_or_default(),
            fixed(goal, 1),
            ours.name.clone(),
            share.map(shown).unwrap_or_default(),
        ]
    };
    comparison.ours.iter().map(row).collect()
}
