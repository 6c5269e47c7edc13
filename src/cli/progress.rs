//! A run as it is watched: a bar on a terminal, a line a job elsewhere.

use super::console::Console;
use crate::record::{CellRecord, Outcome};
use crate::report::format::counted;
use crate::run::Events;
use crate::run::trainer::{Job, Progress};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Tells the console of one spec's run.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    console: &'a Console,
    spec: &'a str,
    jobs: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    done: usize,
    /// Finished epochs of the jobs that have begun, by their first cell.
    epochs: HashMap<String, usize>,
}

/// What the bar counts: epochs of cells.
pub(crate) fn units(job: &Job) -> u64 {
    (job.cells.len() * job.train.epochs) as u64
}

impl<'a> Watch<'a> {
    /// For a run of `jobs` jobs.
    pub(crate) fn new(console: &'a Console, spec: &'a str, jobs: usize) -> Self {
        let state = Mutex::default();
        Self {
            console,
            spec,
            jobs,
            state,
        }
    }

    fn with_state<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn key(job: &Job) -> String {
    job.cells.first().map_or_else(String::new, |c| c.id.clone())
}

impl Progress for Watch<'_> {
    fn epoch_done(&self, job: &Job, epoch: usize) {
        self.with_state(|state| state.epochs.insert(key(job), epoch));
        self.console.bar().inc(job.cells.len() as u64);
        self.console.say_more(&format!(
            "{}: `{}` epoch {epoch} of {}, {}",
            self.spec,
            job.arm,
            job.train.epochs,
            counted(job.cells.len(), "cell"),
        ));
    }
}

impl Events for Watch<'_> {
    fn job_started(&self, job: &Job) {
        let bar = self.console.bar();
        bar.set_message(format!("{}: {}", self.spec, job.arm));
    }

    fn job_done(&self, job: &Job, records: &[CellRecord]) {
        let (done, epochs) = self.with_state(|state| {
            state.done += 1;
            (state.done, state.epochs.remove(&key(job)).unwrap_or(0))
        });
        // Cells that diverged or failed leave epochs out.
        let rest = job.train.epochs.saturating_sub(epochs) * job.cells.len();
        self.console.bar().inc(rest as u64);
        if self.console.bar().is_hidden() {
            self.console.say(&format!(
                "{}: job {done} of {}: `{}`, {}{}",
                self.spec,
                self.jobs,
                job.arm,
                counted(records.len(), "cell"),
                diverged(records),
            ));
        }
        for error in errors(records) {
            self.console.warn(&format!(
                "{}: a cell of `{}` failed: {error}",
                self.spec, job.arm
            ));
        }
    }

    fn notice(&self, text: &str) {
        self.console.say(&format!("{}: {text}", self.spec));
    }
}

fn diverged(records: &[CellRecord]) -> String {
    let diverged = |r: &&CellRecord| matches!(r.outcome, Outcome::Diverged { .. });
    match records.iter().filter(diverged).count() {
        0 => String::new(),
        n => format!(" ({n} diverged)"),
    }
}

/// The errors of a job, each once.
fn errors(records: &[CellRecord]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for record in records {
        if let Outcome::Failed { error } = &record.outcome
            && !found.contains(&error.as_str())
        {
            found.push(error);
        }
    }
    found
}
