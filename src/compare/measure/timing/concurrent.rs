//! Jobs that train beside each other step by step, as the runner has them.

use crate::data::Dataset;
use crate::machine::{cores, threads_per_job};
use crate::plan::company;
use crate::train::{TrainError, Training};
use crate::trainer::Job;
use ablate_models::zoo::Cost;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// A net whose training went out of bounds while it was timed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the loss of a net is no longer finite; lower `train.learning_rate`")]
pub struct NotFinite;

/// The cells of `job`, whose nets cost `cost` each, in jobs for `workers` workers, as the planner cuts
/// them: as many to a job as train fastest in lockstep ([`company`]), and at least a job for each
/// worker where there are cells for it.
pub fn spread(job: &Job, cost: Cost, workers: usize) -> Vec<Job> {
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

/// How many of `jobs` jobs train at one time.
fn at_one_time(jobs: usize) -> usize {
    cores().min(jobs).max(1)
}

/// Threads that the kernels of each of `jobs` jobs use.
pub fn threads(jobs: usize) -> usize {
    threads_per_job(at_one_time(jobs))
}

/// Jobs in training, on threads that never share a core.
pub struct SideBySide<'a> {
    /// What each worker trains, one after the other.
    workers: Vec<Vec<Training<'a>>>,
}

impl<'a> SideBySide<'a> {
    /// `jobs` before their first step, on a data set that is at hand, each with `threads` threads.
    ///
    /// # Errors
    /// If one of them cannot be trained.
    pub fn on(dataset: &Arc<Dataset>, jobs: &'a [Job], threads: usize) -> Result<Self, TrainError> {
        let count = at_one_time(jobs.len());
        let mut workers: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
        for (k, job) in jobs.iter().enumerate() {
            workers[k % count].push(Training::on(dataset, job, threads)?);
        }
        Ok(Self { workers })
    }

    /// Seconds until every job has taken `n` steps, each worker's jobs one after the other.
    ///
    /// # Errors
    /// If a loss is not finite any more.
    ///
    /// # Panics
    /// If `n` is 0, or where a device panics.
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
