//! The interface to trainers: a job to train, how far it is, and a flag to stop it.
//!
//! Everything around training is tested with a trainer that trains nothing.

use crate::recipe::{DataConfig, Probe, TrainConfig};
use crate::record::CellRecord;
use ablate_models::zoo::ModelConfig;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};

/// Cells that differ only in seed and learning rate and may be trained as one stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Name of the arm.
    pub arm: String,
    /// Name of the device.
    pub device: String,
    /// Data.
    pub data: DataConfig,
    /// Model.
    pub model: ModelConfig,
    /// Training.
    pub train: TrainConfig,
    /// Probes.
    pub probes: Vec<Probe>,
    /// Cells.
    pub cells: Vec<JobCell>,
    /// Last epoch or step to train, in the unit of the training's length; `None` trains all of it.
    /// Records up to there are the same as in a full training, and no probe runs on the trained
    /// net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<usize>,
}

impl Job {
    /// Epochs or steps after which the net is evaluated.
    pub fn evaluations(&self) -> Vec<usize> {
        let mut times = self.train.evaluations();
        times.retain(|time| self.until.is_none_or(|until| *time <= until));
        times
    }

    /// Whether [`Self::until`] ends it before its training is over.
    pub fn stops_early(&self) -> bool {
        self.evaluations().len() < self.train.evaluations().len()
    }
}

/// One cell of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobCell {
    /// Id of the cell.
    pub id: String,
    /// Seed.
    pub seed: u64,
    /// Learning rate.
    pub learning_rate: f64,
}

/// A request to stop at the next safe point.
#[derive(Debug, Default)]
pub struct StopFlag(AtomicBool);

impl StopFlag {
    /// Raises the flag.
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether the flag is raised.
    pub fn stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Receives the progress of jobs.
pub trait Progress: Sync {
    /// All cells of `job` have finished `done` epochs or steps.
    fn advanced(&self, job: &Job, done: usize);
}

/// Trains jobs.
pub trait Trainer: Sync {
    /// Trains every cell of `job` and returns one record per cell, in the order of `job.cells`.
    ///
    /// A cell that diverges or fails has a record that says so. Returns `None` if `stop` was raised
    /// before the job was done; the job is then trained again by the next run.
    fn train(&self, job: &Job, progress: &dyn Progress, stop: &StopFlag)
    -> Option<Vec<CellRecord>>;

    /// Raises the number of threads per job to `threads`, because fewer jobs remain than workers.
    /// Results must not depend on it.
    fn raise_threads(&self, threads: usize) {
        let _ = threads;
    }

    /// Seconds that `job` takes on one worker alone, extrapolated from a few steps; `None` if it
    /// cannot be run.
    fn estimate(&self, job: &Job) -> Option<f64>;
}
