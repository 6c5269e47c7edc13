//! A trainer that trains its jobs in worker processes.

use super::client::Workers;
use super::error::WorkerError;
use super::protocol::{Reply, Request};
use crate::record::CellRecord;
use crate::run::all_failed;
use crate::trainer::{Job, Progress, StopFlag, Trainer};
use std::path::PathBuf;

/// Trains each job in a worker process. If the process dies, the cells of its job fail.
#[derive(Debug)]
pub struct WorkerTrainer {
    workers: Workers,
    threads: usize,
    weights: Option<PathBuf>,
}

impl WorkerTrainer {
    /// Creates a trainer with `threads` threads of CPU kernels per job.
    pub const fn new(workers: Workers, threads: usize) -> Self {
        Self {
            workers,
            threads,
            weights: None,
        }
    }

    /// The trainer that also writes the weights of every trained cell into `folder`.
    #[must_use]
    pub fn keeping(mut self, folder: PathBuf) -> Self {
        self.weights = Some(folder);
        self
    }

    fn records(
        &self,
        job: &Job,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Result<Option<Vec<CellRecord>>, WorkerError> {
        let request = Request::Train {
            job: job.clone(),
            threads: self.threads,
            weights: self.weights.clone(),
        };
        let report = |done| progress.advanced(job, done);
        match self.workers.call(&request, report, stop)? {
            None => Ok(None),
            Some(Reply::Records(records)) => Ok(Some(records)),
            Some(_) => Err(WorkerError::Unexpected),
        }
    }
}

impl Trainer for WorkerTrainer {
    fn train(
        &self,
        job: &Job,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Option<Vec<CellRecord>> {
        self.records(job, progress, stop)
            .unwrap_or_else(|error| Some(all_failed(job, &error.to_string())))
    }

    fn estimate(&self, job: &Job) -> Option<f64> {
        let request = Request::Estimate {
            job: job.clone(),
            threads: self.threads,
        };
        match self.workers.call(&request, |_| (), &StopFlag::default()) {
            Ok(Some(Reply::Seconds(seconds))) => seconds,
            _ => None,
        }
    }
}
