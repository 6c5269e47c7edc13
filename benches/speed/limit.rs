//! The limit that arithmetic sets on this machine: the multiply-adds of a step, computed in registers on
//! all cores, without memory access or branches.

use super::peer::PRODUCT_SIDE;
use super::record::{PeerComparison, RoundTimes};
use super::report::{against_best, with_interval};
use super::summary::median;
use super::workload::{Net, Workload};
use ablate::compare::analysis::time_ratio;
use ablate::compare::measure::timing::stopwatch::Stepper;
use ablate::stats::Estimate;
use ablate::text::markdown::{Align, Table};
use ablate::text::number::{compact, fixed};
use ablate_kernels::InstructionSet;
use pulp::{Arch, Simd, WithSimd};
use std::hint::black_box;
use std::thread;
use std::time::Instant;

/// Name of the limit in records and tables.
pub(crate) const NAME: &str = "multiply-adds in registers";

/// Independent sums: enough to hide the latency of a multiply-add, few enough for the registers of AVX2.
const SUMS: usize = 12;

/// Multiply-adds of the linear maps and convolutions of all replicas in a step: once forward and twice
/// backward, without the gradient of the images, which no one needs.
pub(crate) fn multiply_adds(workload: &Workload) -> f64 {
    let first = match &workload.net {
        Net::Mlp { hidden } => hidden
            .first()
            .map(|units| workload.side * workload.side * units),
        Net::Cnn { channels, .. } => {
            (channels.first()).map(|c| workload.side * workload.side * 9 * c)
        }
    };
    let first = first.unwrap_or_default() * workload.batch * workload.replicas;
    workload.multiply_adds() - first as f64
}

/// `rounds` rounds of [`SUMS`] vector multiply-adds in single precision.
struct InRegisters {
    rounds: usize,
}

impl WithSimd for InRegisters {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        // Hidden from the compiler, which would otherwise merge the sums.
        let hidden = black_box([0.5, 1.0]);
        let [factor, term] = hidden.map(|x| simd.splat_f32s(x));
        // One variable per sum: without optimization of loops, an array would stay in memory.
        macro_rules! run {
            ($($sum:ident)*) => {{
                $(let mut $sum = simd.splat_f32s(black_box(1.0));)*
                for _ in 0..self.rounds {
                    $($sum = simd.mul_add_e_f32s($sum, factor, term);)*
                }
                let sums = [$($sum),*];
                const { assert!(SUMS == [$(stringify!($sum)),*].len()) };
                sums.iter().map(|sum| simd.reduce_sum_f32s(*sum)).sum()
            }};
        }
        run!(a b c d e f g h i j k l)
    }
}

/// Number of `f32` lanes of a vector.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Runs `op` with the vectors of our kernels.
fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    #[cfg(target_arch = "x86_64")]
    if InstructionSet::current() == InstructionSet::Avx2 {
        let simd = pulp::x86::V3::try_new().expect("the set is one that the CPU has");
        return Simd::vectorize(simd, op);
    }
    Arch::new().dispatch(op)
}

/// The multiply-adds of a step, in equal parts on all cores.
pub(crate) struct Limit {
    threads: usize,
    /// Rounds per thread and step.
    rounds: f64,
}

impl Limit {
    pub(crate) fn new(workload: &Workload) -> Self {
        let threads = ablate::machine::cores();
        let round = SUMS * dispatch(Lanes);
        Self {
            threads,
            rounds: multiply_adds(workload) / (threads * round) as f64,
        }
    }
}

impl Stepper for Limit {
    fn steps(&mut self, n: usize) -> Result<f64, String> {
        let rounds = (self.rounds * n as f64).ceil() as usize;
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(move || black_box(dispatch(InRegisters { rounds })));
            }
        });
        Ok(started.elapsed().as_secs_f64())
    }
}

/// The section of the report on the limit, for the workloads with a goal. Empty if it was not measured.
pub(crate) fn section(compared: &[PeerComparison]) -> String {
    let rows: Vec<_> = compared.iter().flat_map(rows).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        ("workload", Align::Left),
        ("multiply-adds, millions", Align::Right),
        ("in registers, ms", Align::Right),
        ("ratio to the best peer", Align::Right),
        ("goal", Align::Right),
        ("ours", Align::Left),
        ("share of our time", Align::Right),
        ("our rate over PyTorch's product", Align::Right),
    ]);
    rows.into_iter().for_each(|row| table.row(row));
    format!(
        "\n## The arithmetic alone\n\nTime of the multiply-adds of a step in registers on all cores, measured \
         in the same rounds. A library that computes all of them cannot exceed this ratio to the best \
         peer. Ours computes fewer: dense layers skip zeros and the background of images, and 3x3 \
         convolutions with many channels use minimal filtering (Winograd). The last column divides our \
         multiply-adds per second, counting the skipped ones, by those of PyTorch in a product of square \
         matrices of side {PRODUCT_SIDE} on all cores, in the same rounds.\n\n{}",
        table.render()
    )
}

/// One row per device of ours.
fn rows(comparison: &PeerComparison) -> Vec<[String; 8]> {
    let (Some(goal), Some(limit)) = (comparison.goal, &comparison.limit) else {
        return Vec::new();
    };
    let of_best = against_best(comparison, limit);
    let row = |ours: &RoundTimes| {
        let share = time_ratio(&limit.milliseconds, &ours.milliseconds);
        [
            comparison.workload.title(),
            fixed(multiply_adds(&comparison.workload) / 1e6, 1),
            median(&limit.milliseconds).map(compact).unwrap_or_default(),
            of_best.map(with_interval).unwrap_or_default(),
            fixed(goal, 1),
            ours.name.clone(),
            share.map(with_interval).unwrap_or_default(),
            product_share(comparison, ours)
                .map(with_interval)
                .unwrap_or_default(),
        ]
    };
    comparison.ours.iter().map(row).collect()
}

/// Our multiply-adds per second, counting those that we skip, over those of a matrix product in PyTorch.
fn product_share(comparison: &PeerComparison, ours: &RoundTimes) -> Option<Estimate> {
    let product = comparison.product.as_ref()?;
    let work = multiply_adds(&comparison.workload) / PRODUCT_SIDE.pow(3) as f64;
    let of_same_work: Vec<f64> = (product.milliseconds.iter())
        .map(|time| time * work)
        .collect();
    time_ratio(&of_same_work, &ours.milliseconds)
}
