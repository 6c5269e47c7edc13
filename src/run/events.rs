//! Events of a run, for progress displays. Nothing here prints.

use crate::record::CellRecord;
use crate::trainer::{Job, Progress};

/// Receives the events of a run, from any of its threads.
pub trait Events: Progress {
    /// Called when `job` starts.
    fn job_started(&self, job: &Job) {
        let _ = job;
    }

    /// Called when `job` has ended and its `records` are on disk.
    fn job_done(&self, job: &Job, records: &[CellRecord]) {
        let _ = (job, records);
    }

    /// Called when the cells of `job` were recorded by another process.
    fn job_elsewhere(&self, job: &Job) {
        let _ = job;
    }

    /// Called with a message for the user, as a sentence fragment.
    fn notice(&self, text: &str) {
        let _ = text;
    }
}

/// Ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn advanced(&self, _: &Job, _: usize) {}
}

impl Events for Silent {}
