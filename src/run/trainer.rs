//! The expensive step behind a trait, so that everything around it is tested without training.

pub use crate::plan::{Job, JobCell};

use crate::record::CellRecord;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks running work to end at the next safe point.
#[derive(Debug, Default)]
pub struct StopFlag(AtomicBool);

impl StopFlag {
    /// Raises the flag.
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it is raised.
    pub fn stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Told how far a job is.
pub trait Progress: Sync {
    /// `done` of the epochs or steps of `job` are done for all its cells.
    fn advanced(&self, job: &Job, done: usize);
}

/// Trains jobs.
pub trait Trainer: Sync {
    /// Trains every cell of `job` and returns one record a cell, in the order of `job.cells`.
    /// A cell that diverges or cannot be run is a record that says so. Returns `None` when `stop`
    /// was raised before the job was done; nothing of it is kept then.
    fn train(&self, job: &Job, progress: &dyn Progress, stop: &StopFlag)
    -> Option<Vec<CellRecord>>;

    /// Told that nothing waits any more while `jobs` jobs are left in training, which may share what
    /// the others gave up. Results must not depend on it.
    fn last_jobs(&self, jobs: usize) {
        let _ = jobs;
    }

    /// Seconds that `job` will take alone on one worker, from timing a few of its steps; `None`
    /// when it cannot be run.
    fn estimate(&self, job: &Job) -> Option<f64>;
}
