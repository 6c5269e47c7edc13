//! Training of a job step by step, for timing.

use super::{JobThreads, SplitPart, StackedTraining, TrainError, host_f64};
use crate::data::{self, Dataset};
use crate::train::net::scores;
use crate::train::statistics::evaluation_model;
use crate::trainer::{Job, NetJob, StopFlag};
use std::sync::Arc;
use std::time::Instant;

/// Steps before the timed ones, and steps per measurement.
const WARM_UP: usize = 3;
const TIMED_STEPS: usize = 4;
/// Shortest total time of a measurement in seconds; short calls are repeated until then.
const MIN_SECONDS: f64 = 0.05;

/// The cells of a job in training, with their own threads. It takes the same steps in the same
/// order as [`BurnTrainer`](super::BurnTrainer), but the caller decides how many.
pub struct Training<'a> {
    stacked: StackedTraining<'a>,
    threads: JobThreads,
    /// Order of the examples in the current epoch, one list per replica.
    orders: Vec<Vec<u32>>,
    epoch: usize,
    /// Steps taken in the current epoch.
    taken: usize,
}

impl<'a> Training<'a> {
    /// Prepares the nets of `job`, with kernels on `threads` threads.
    ///
    /// # Errors
    /// If the job trains a program, the device cannot be opened, the data not loaded or the model not
    /// built, or if a batch is larger than the training split.
    pub fn new(job: &'a Job, threads: usize) -> Result<Self, TrainError> {
        let net = job.net().ok_or(TrainError::Program)?;
        Self::of(&data::load(net.data)?, net, threads)
    }

    /// Like [`Self::new`], but trains on `dataset` whatever data set `job` names.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn on(dataset: &Arc<Dataset>, job: &'a Job, threads: usize) -> Result<Self, TrainError> {
        Self::of(dataset, job.net().ok_or(TrainError::Program)?, threads)
    }

    fn of(dataset: &Arc<Dataset>, job: NetJob<'a>, threads: usize) -> Result<Self, TrainError> {
        let threads = JobThreads::new(job.device, threads);
        let stacked = threads.install(|| StackedTraining::new(job, dataset))?;
        Ok(Self {
            orders: stacked.batches.orders(0),
            stacked,
            threads,
            epoch: 0,
            taken: 0,
        })
    }

    /// Takes `n` steps, waits until the last one has finished, and returns its loss per replica.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn steps(&mut self, n: usize) -> Vec<f64> {
        let (stacked, orders) = (&mut self.stacked, &mut self.orders);
        let (epoch, taken) = (&mut self.epoch, &mut self.taken);
        let losses = self.threads.install(|| {
            let mut losses = None;
            for _ in 0..n {
                if *taken == stacked.steps_per_epoch {
                    *epoch += 1;
                    *taken = 0;
                    *orders = stacked.batches.orders(*epoch);
                }
                losses = Some(stacked.step(orders, *taken));
                *taken += 1;
            }
            losses.map(host_f64)
        });
        losses.expect("at least one step")
    }

    /// Estimates the seconds that the whole job takes. It times a few steps, an evaluation and the
    /// probes on nets that have hardly been trained.
    pub(super) fn estimate(mut self) -> f64 {
        self.steps(WARM_UP);
        let step = median_seconds(|| {
            self.steps(TIMED_STEPS);
        }) / TIMED_STEPS as f64;
        let (stacked, threads) = (&self.stacked, &self.threads);
        let (job, net, batches) = (&stacked.job, &stacked.net, &stacked.batches);
        let evaluation = median_seconds(|| {
            let _ = threads.install(|| {
                let model = evaluation_model(job, net.model(), batches);
                scores(&model, batches, SplitPart::Test)
            });
        });
        let examples = batches.len(SplitPart::Test) + batches.len(SplitPart::Validation);
        let share = examples as f64 / batches.len(SplitPart::Test) as f64;
        let started = Instant::now();
        self.threads.install(|| self.stacked.probe_epoch());
        let probes = started.elapsed().as_secs_f64();
        let train = &self.stacked.job.train;
        let steps = train.length.steps(self.stacked.steps_per_epoch) as f64;
        let evaluations = train.evaluations().len() as f64;
        let training = steps * step + evaluations * (share * evaluation + probes);
        let started = Instant::now();
        let Self {
            stacked, threads, ..
        } = self;
        threads.install(|| stacked.finish(&StopFlag::default()));
        training + started.elapsed().as_secs_f64()
    }
}

/// Median time of `f` in seconds. Short calls are repeated, so that the first ones, which fill
/// caches and buffers, do not count.
fn median_seconds(mut f: impl FnMut()) -> f64 {
    let mut calls: Vec<f64> = Vec::new();
    while calls.iter().sum::<f64>() < MIN_SECONDS {
        let started = Instant::now();
        f();
        calls.push(started.elapsed().as_secs_f64());
    }
    calls.sort_by(f64::total_cmp);
    calls[calls.len() / 2]
}
