//! Training steps of this project, with the jobs on the cores as `ablate run` puts them there.

use super::rounds::Failure;
use super::workload::Workload;
use ablate::compare::measure::timing::concurrent::{ConcurrentJobs, kernel_threads};
use ablate::compare::measure::timing::stopwatch::Stepper;
use ablate::data::Dataset;
use ablate::machine::cores;
use ablate::trainer::Job;
use std::sync::Arc;

/// Fewest steps that a job takes at a time if several jobs share a core. In `ablate run` a job keeps
/// its core for all of its steps, so it does not start every step with another job's data in the
/// caches.
pub(crate) const STEPS_PER_TURN: usize = 16;

/// The jobs of a workload in training.
pub(crate) struct Ours<'a> {
    jobs: ConcurrentJobs<'a>,
    min_steps: usize,
}

impl<'a> Ours<'a> {
    /// `jobs` from [`Workload::jobs`], before their first step.
    pub(crate) fn new(jobs: &'a [Job], dataset: &Arc<Dataset>) -> Result<Self, Failure> {
        let min_steps = match jobs.len() > cores() {
            true => STEPS_PER_TURN,
            false => 1,
        };
        let jobs = ConcurrentJobs::new(dataset, jobs, kernel_threads(jobs.len()));
        Ok(Self {
            jobs: jobs.map_err(|e| Failure(e.to_string()))?,
            min_steps,
        })
    }
}

impl Stepper for Ours<'_> {
    fn steps(&mut self, n: usize) -> Result<f64, String> {
        self.jobs.steps(n).map_err(|e| e.to_string())
    }

    fn min_steps(&self) -> usize {
        self.min_steps
    }
}

/// The name of this project on `device` in tables.
pub(crate) fn name(device: &str) -> String {
    format!("ablate {device}")
}

/// The jobs of `workload` on `device`, for all cores.
pub(crate) fn jobs(workload: &Workload, device: &str) -> Vec<Job> {
    workload.jobs(device, cores())
}
