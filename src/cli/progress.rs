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
    /// Finished epochs or steps of the jobs that have begun, by their first cell.
    done_of: HashMap<String, usize>,
}

/// What the bar counts: epochs or steps of cells.
pub(crate) fn units(job: &Job) -> u64 {
    (job.cells.len() * job.train.length.count()) as u64
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
    fn advanced(&self, job: &Job, done: usize) {
        let before = self.with_state(|state| state.done_of.insert(key(job), done));
        let more = done.saturating_sub(before.unwrap_or(0)) * job.cells.len();
        self.console.bar().inc(more as u64);
        self.console.say_more(&format!(
            "{}: `{}` {} {done} of {}, {}",
            self.spec,
            job.arm,
            job.train.length.unit(),
            job.train.length.count(),
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
        let (done, reached) = self.with_state(|state| {
            state.done += 1;
            (state.done, state.done_of.remove(&key(job)).unwrap_or(0))
        });
        // Cells that diverged or failed leave the rest out.
        let rest = job.train.length.count().saturating_sub(reached) * job.cells.len();
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
