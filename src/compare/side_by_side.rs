//! Jobs that train beside each other step by step, as the runner has them.

use crate::data::Dataset;
use crate::plan::Job;
use crate::train::{TrainError, Training};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// A net whose training went out of bounds while it was timed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the loss of a net is no longer finite; lower `train.learning_rate`")]
pub struct NotFinite;

/// The cells of `job` dealt out to `workers` jobs in turn, or to fewer where there are fewer cells.
pub fn spread(job: &Job, workers: usize) -> Vec<Job> {
    let workers = workers.clamp(1, job.cells.len().max(1));
    let dealt = |k: usize| job.cells.iter().skip(k).step_by(workers).cloned().collect();
    (0..workers)
        .map(|k| Job {
            cells: dealt(k),
            ..job.clone()
        })
        .collect()
}

/// Jobs in training, on threads that never share a core.
pub struct SideBySide<'a>(Vec<Training<'a>>);

impl<'a> SideBySide<'a> {
    /// `jobs` before their first step, on a data set that is at hand, each with `threads` threads.
    ///
    /// # Errors
    /// If one of them cannot be trained.
    pub fn on(dataset: &Arc<Dataset>, jobs: &'a [Job], threads: usize) -> Result<Self, TrainError> {
        let begin = |job| Training::on(dataset, job, threads);
        let trainings = jobs.iter().map(begin).collect::<Result<_, _>>()?;
        Ok(Self(trainings))
    }

    /// Seconds until every job has taken `n` steps.
    ///
    /// # Errors
    /// If a loss is not finite any more.
    ///
    /// # Panics
    /// If `n` is 0, or where a device panics.
    pub fn steps(&mut self, n: usize) -> Result<f64, NotFinite> {
        let started = Instant::now();
        let losses: Vec<f64> = match &mut self.0[..] {
            [only] => only.steps(n),
            several => thread::scope(|scope| {
                let workers: Vec<_> = (several.iter_mut())
                    .map(|training| scope.spawn(|| training.steps(n)))
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
