//! This project's side: jobs beside each other, as the runner has them.

use super::contest::{Contestant, Failure};
use super::work::Work;
use ablate::compare::measure::timing::concurrent::{SideBySide, threads};
use ablate::compare::measure::timing::stopwatch::steps_for;
use ablate::data::Dataset;
use ablate::trainer::Job;
use std::sync::Arc;
use std::time::Instant;

/// Steps that a job takes in one go, at least, where others wait for its core: a job of a run has its
/// core for all of its steps, and does not find the caches full of another one's numbers at each.
const AT_A_GO: usize = 16;

/// The jobs of a work in training.
pub(crate) struct Ours<'a> {
    name: String,
    jobs: SideBySide<'a>,
    /// Steps of a measure, at least.
    least: usize,
    /// Seconds a step took when last looked at.
    step: f64,
}

impl<'a> Ours<'a> {
    /// `jobs` from [`Work::jobs`], before their first step.
    pub(crate) fn new(
        name: &str,
        jobs: &'a [Job],
        dataset: &Arc<Dataset>,
    ) -> Result<Self, Failure> {
        let least = match jobs.len() > ablate::machine::cores() {
            true => AT_A_GO,
            false => 1,
        };
        let jobs = SideBySide::on(dataset, jobs, threads(jobs.len()));
        Ok(Self {
            name: name.to_owned(),
            least,
            jobs: jobs.map_err(|e| Failure(e.to_string()))?,
            step: 0.0,
        })
    }

    /// Seconds until every job has taken `n` steps.
    pub(crate) fn steps(&mut self, n: usize) -> Result<f64, Failure> {
        self.jobs.steps(n).map_err(|e| Failure(e.to_string()))
    }
}

impl Contestant for Ours<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn warm_up(&mut self, seconds: f64) -> Result<(), Failure> {
        let mut n = 1;
        let started = Instant::now();
        loop {
            self.step = self.steps(n)? / n as f64;
            let left = seconds - started.elapsed().as_secs_f64();
            if left <= 0.0 {
                return Ok(());
            }
            n = steps_for(left, self.step).min(2 * n);
        }
    }

    fn measure(&mut self, seconds: f64) -> Result<f64, Failure> {
        let n = steps_for(seconds, self.step).max(self.least);
        self.step = self.steps(n)? / n as f64;
        Ok(1e3 * self.step)
    }
}

/// Our name on `device`.
pub(crate) fn name(device: &str) -> String {
    format!("ablate {device}")
}

/// Times `work` on `device` with nothing beside it: milliseconds a step in each of `rounds`.
pub(crate) fn alone(
    work: &Work,
    device: &str,
    rounds: usize,
    seconds: f64,
) -> Result<Vec<f64>, Failure> {
    let dataset = work.dataset().map_err(|e| Failure(e.to_string()))?;
    let jobs = work.jobs(device, ablate::machine::cores());
    let mut ours = Ours::new(&name(device), &jobs, &dataset)?;
    ours.warm_up(seconds)?;
    (0..rounds).map(|_| ours.measure(seconds)).collect()
}
