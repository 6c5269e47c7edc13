//! Jobs that train at the same time on the cores of a CPU, as the runner schedules them.

use crate::data::Dataset;
use crate::machine::{cores, threads_per_job};
use crate::plan::company;
use crate::train::{TrainError, Training};
use crate::trainer::Job;
use ablate_models::zoo::Cost;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// A loss that became infinite or NaN during the timing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the loss of a net became infinite or NaN; lower `train.learning_rate`")]
pub struct NotFinite;

/// Splits `job`, whose nets cost `cost` each, into jobs for `workers` workers, as the planner does: as
/// many cells per job as train fastest in one stack ([`company`]), and at least one job per worker if
/// there are enough cells.
pub fn split_jobs(job: &Job, cost: Cost, workers: usize) -> Vec<Job> {
    let cells = job.cells.len().max(1);
    let each = cells.div_ceil(workers.clamp(1, cells));
    let jobs = cells.div_ceil(company(cost, &job.device, each));
    let dealt = |k: usize| job.cells.iter().skip(k).step_by(jobs).cloned().collect();
    (0..jobs)
        .map(|k| Job {
            cells: dealt(k),
            ..job.clone()
        })
        .collect()
}

/// How many of `jobs` jobs train at the same time.
fn concurrent_jobs(jobs: usize) -> usize {
    cores().min(jobs).max(1)
}

/// Kernel threads of each of `jobs` jobs.
pub fn kernel_threads(jobs: usize) -> usize {
    threads_per_job(concurrent_jobs(jobs))
}

/// Jobs in training, one worker thread per core.
pub struct ConcurrentJobs<'a> {
    /// The trainings of each worker, which it steps one after the other.
    workers: Vec<Vec<Training<'a>>>,
}

impl<'a> ConcurrentJobs<'a> {
    /// `jobs` on `dataset` before their first step, each with `threads` kernel threads.
    ///
    /// # Errors
    /// If a job cannot be trained.
    pub fn new(
        dataset: &Arc<Dataset>,
        jobs: &'a [Job],
        threads: usize,
    ) -> Result<Self, TrainError> {
        let count = concurrent_jobs(jobs.len());
        let mut workers: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
        for (k, job) in jobs.iter().enumerate() {
            workers[k % count].push(Training::on(dataset, job, threads)?);
        }
        Ok(Self { workers })
    }

    /// Takes `n` steps of every job and returns the seconds this took.
    ///
    /// # Errors
    /// If a loss is no longer finite.
    ///
    /// # Panics
    /// If `n` is 0 or a device panics.
    pub fn steps(&mut self, n: usize) -> Result<f64, NotFinite> {
        let started = Instant::now();
        let take = |jobs: &mut Vec<Training<'_>>| -> Vec<f64> {
            jobs.iter_mut().flat_map(|job| job.steps(n)).collect()
        };
        let losses: Vec<f64> = match &mut self.workers[..] {
            [only] => take(only),
            several => thread::scope(|scope| {
                let workers: Vec<_> = (several.iter_mut())
                    .map(|jobs| scope.spawn(|| take(jobs)))
                    .collect();
                let join = |worker: thread::ScopedJoinHandle<'_, Vec<f64>>| {
                    let losses = worker.join();
                    losses.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
                };
                workers.into_iter().flat_map(join).collect()
            }),
        };
        let seconds = started.elapsed().as_secs_f64();
        match losses.iter().all(|loss| loss.is_finite()) {
            true => Ok(seconds),
            false => Err(NotFinite),
        }
    }
}
