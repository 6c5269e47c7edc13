//! This project's side: jobs beside each other, as the runner has them.

use super::contest::{Contestant, Failure};
use super::work::Work;
use ablate::data::Dataset;
use ablate::plan::Job;
use ablate::run::{cores, threads_a_job};
use ablate::train::Training;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// The jobs of a work in training, on threads that never share a core.
pub(crate) struct Ours<'a> {
    name: String,
    /// What each worker trains, one after the other.
    workers: Vec<Vec<Training<'a>>>,
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
        let count = cores().min(jobs.len());
        let threads = threads_a_job(count);
        let mut workers: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
        for (k, job) in jobs.iter().enumerate() {
            let training = Training::on(dataset, job, threads);
            workers[k % count].push(training.map_err(|e| Failure(e.to_string()))?);
        }
        Ok(Self {
            name: name.to_owned(),
            workers,
            step: 0.0,
        })
    }

    /// Seconds until every job has taken `n` steps, each worker's jobs one after the other.
    pub(crate) fn steps(&mut self, n: usize) -> Result<f64, Failure> {
        let started = Instant::now();
        let take = |trainings: &mut Vec<Training<'_>>| -> Vec<f64> {
            let each = trainings.iter_mut().flat_map(|training| training.steps(n));
            each.collect()
        };
        let losses: Vec<f64> = match &mut self.workers[..] {
            [only] => take(only),
            several => thread::scope(|scope| {
                let workers: Vec<_> = (several.iter_mut())
                    .map(|trainings| scope.spawn(|| take(trainings)))
                    .collect();
                let join = |worker: thread::ScopedJoinHandle<'_, Vec<f64>>| {
                    worker.join().expect("a step does not panic")
                };
                workers.into_iter().flat_map(join).collect()
            }),
        };
        let seconds = started.elapsed().as_secs_f64();
        if losses.iter().any(|loss| !loss.is_finite()) {
            return Err(Failure(format!("a loss is not finite: {losses:?}")));
        }
        Ok(seconds)
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
        let n = steps_for(seconds, self.step);
        self.step = self.steps(n)? / n as f64;
        Ok(1e3 * self.step)
    }
}

/// Steps of `step` seconds that fill about `seconds`.
fn steps_for(seconds: f64, step: f64) -> usize {
    (seconds / step).round().clamp(1.0, 1e7) as usize
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
    let jobs = work.jobs(device, cores());
    let mut ours = Ours::new(&name(device), &jobs, &dataset)?;
    ours.warm_up(seconds)?;
    (0..rounds).map(|_| ours.measure(seconds)).collect()
}
