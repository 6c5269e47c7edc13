//! What a run tells whoever watches it. Nothing here prints.

use crate::record::CellRecord;
use crate::trainer::{Job, Progress};

/// Told of a run as it happens, from any of its threads.
pub trait Events: Progress {
    /// `job` begins.
    fn job_started(&self, job: &Job) {
        let _ = job;
    }

    /// `job` has ended and its `records` are on the disk.
    fn job_done(&self, job: &Job, records: &[CellRecord]) {
        let _ = (job, records);
    }

    /// Something that a person should know, as a sentence fragment.
    fn notice(&self, text: &str) {
        let _ = text;
    }
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn advanced(&self, _: &Job, _: usize) {}
}

impl Events for Silent {}
