//! The interface to trainers: a job to train, how far it is, and a flag to stop it.
//!
//! Everything around training is tested with a trainer that trains nothing.

use crate::recipe::{DataConfig, Probe, Recipe, TrainConfig};
use crate::record::{CellRecord, Outcome};
use ablate_models::zoo::ModelConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cells that differ only in seed and learning rate and may be trained as one stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Name of the arm.
    pub arm: String,
    /// Name of the device.
    pub device: String,
    /// What is trained.
    pub recipe: Recipe,
    /// Cells.
    pub cells: Vec<JobCell>,
    /// Last epoch or step to train, in the unit of the training's length; `None` trains all of it.
    /// Records up to there are the same as in a full training, and no probe runs on the trained
    /// net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<usize>,
}

impl Job {
    /// The job with the parts of its recipe, if it trains nets.
    pub fn net(&self) -> Option<NetJob<'_>> {
        let net = self.recipe.net()?;
        Some(NetJob {
            job: self,
            device: &self.device,
            data: &net.data,
            model: &net.model,
            train: &net.train,
            probes: &net.probes,
            cells: &self.cells,
        })
    }

    /// The record of `cell`, one of its cells, with nothing measured yet.
    pub fn record(&self, cell: &JobCell, outcome: Outcome) -> CellRecord {
        CellRecord {
            id: cell.id.clone(),
            arm: self.arm.clone(),
            seed: cell.seed,
            learning_rate: cell.learning_rate,
            device: self.device.clone(),
            outcome,
            epochs: Vec::new(),
            probes: BTreeMap::new(),
            traces: BTreeMap::new(),
            series: BTreeMap::new(),
            misclassified: None,
        }
    }

    /// Epochs or steps after which it is evaluated; `None` for a program, which decides for itself.
    pub fn evaluations(&self) -> Option<Vec<usize>> {
        let mut times = self.recipe.evaluations()?;
        times.retain(|time| self.until.is_none_or(|until| *time <= until));
        Some(times)
    }
}

/// A job that trains nets, with the parts of its recipe.
#[derive(Clone, Copy, Debug)]
pub struct NetJob<'a> {
    /// The job.
    pub job: &'a Job,
    /// Name of the device.
    pub device: &'a str,
    /// Data.
    pub data: &'a DataConfig,
    /// Model.
    pub model: &'a ModelConfig,
    /// Training.
    pub train: &'a TrainConfig,
    /// Probes.
    pub probes: &'a [Probe],
    /// Cells.
    pub cells: &'a [JobCell],
}

impl NetJob<'_> {
    /// Epochs or steps after which the nets are evaluated.
    pub fn evaluations(&self) -> Vec<usize> {
        self.job.evaluations().unwrap_or_default()
    }

    /// Whether [`Job::until`] ends it before its training is over.
    pub fn stops_early(&self) -> bool {
        self.evaluations().len() < self.train.evaluations().len()
    }

    /// The learning rate of each cell.
    ///
    /// # Panics
    /// If a cell has none, which the spec does not allow for nets.
    pub fn learning_rates(&self) -> Vec<f64> {
        let rates = self.cells.iter().map(|cell| cell.learning_rate);
        rates
            .map(|rate| rate.expect("a net has a learning rate"))
            .collect()
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
    /// Learning rate; `None` for a program without one.
    pub learning_rate: Option<f64>,
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

    /// Seconds that `job` takes on one worker alone, extrapolated from a few steps or from cells that
    /// have run; `None` if that is unknown.
    fn estimate(&self, job: &Job) -> Option<f64>;
}
