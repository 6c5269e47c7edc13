//! A job in training step by step, for whoever times it.

use super::{JobThreads, SplitPart, StackedTraining, TrainError, host_f64};
use crate::data::{self, Dataset};
use crate::train::net::scores;
use crate::train::statistics::evaluation_model;
use crate::trainer::{Job, StopFlag};
use std::sync::Arc;
use std::time::Instant;

/// Steps before any are timed for an estimate, and steps timed together.
const WARM_UP: usize = 3;
const TIMED_STEPS: usize = 4;
/// Seconds for which anything short is timed again and again.
const LEAST_TIMED: f64 = 0.05;

/// The cells of a job in training, with threads of their own. It takes the very steps that
/// [`BurnTrainer`](super::BurnTrainer) takes, in the same order, but as many as it is asked to.
pub struct Training<'a> {
    stacked: StackedTraining<'a>,
    threads: JobThreads,
    /// The order of the examples in the current epoch, one list a replica.
    orders: Vec<Vec<u32>>,
    epoch: usize,
    /// Steps taken of the current epoch.
    taken: usize,
}

impl<'a> Training<'a> {
    /// The nets of `job` before their first step, whose kernels use `threads` threads.
    ///
    /// # Errors
    /// If the device, the data or the model cannot be had, or there are fewer training examples
    /// than a batch takes.
    pub fn new(job: &'a Job, threads: usize) -> Result<Self, TrainError> {
        Self::on(&data::load(job.data.name)?, job, threads)
    }

    /// The same on a data set that is at hand, whatever name `job` gives.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn on(dataset: &Arc<Dataset>, job: &'a Job, threads: usize) -> Result<Self, TrainError> {
        let threads = JobThreads::new(&job.device, threads);
        let stacked = threads.install(|| StackedTraining::new(job, dataset))?;
        Ok(Self {
            orders: stacked.batches.orders(0),
            stacked,
            threads,
            epoch: 0,
            taken: 0,
        })
    }

    /// Takes `n` steps, one after the other, and waits for the last one to end; the loss of each
    /// replica at that step.
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

    /// Seconds the whole job takes, from timing a few steps, an evaluation and what the probes do at
    /// the end, on nets that have hardly been trained.
    pub(super) fn estimate(mut self) -> f64 {
        self.steps(WARM_UP);
        let step = usual_seconds(|| {
            self.steps(TIMED_STEPS);
        }) / TIMED_STEPS as f64;
        let (stacked, threads) = (&self.stacked, &self.threads);
        let (net, batches) = (&stacked.net, &stacked.batches);
        let evaluation = usual_seconds(|| {
            let _ = threads.install(|| {
                let model = evaluation_model(stacked.job, net.model(), batches);
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

/// Seconds that `f` usually takes: the median of some calls where it is short, so that the first ones,
/// which still fill caches and buffers, do not count.
fn usual_seconds(mut f: impl FnMut()) -> f64 {
    let mut calls: Vec<f64> = Vec::new();
    while calls.iter().sum::<f64>() < LEAST_TIMED {
        let started = Instant::now();
        f();
        calls.push(started.elapsed().as_secs_f64());
    }
    calls.sort_by(f64::total_cmp);
    calls[calls.len() / 2]
}
