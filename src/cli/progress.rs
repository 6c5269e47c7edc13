//! Progress of a run: a table and a bar on a terminal, one line per finished job elsewhere.

use super::console::Console;
use super::live::Table;
use crate::record::{CellRecord, Outcome};
use crate::run::Events;
use crate::text::counted;
use crate::trainer::{Job, Progress};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Prints the events of one experiment's run to the console.
#[derive(Debug)]
pub(crate) struct RunProgress<'a> {
    console: &'a Console,
    experiment: &'a str,
    jobs: usize,
    /// The row of the table that all jobs count for, unless each arm has its own.
    row: Option<&'a str>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    finished_jobs: usize,
    table: Option<Table>,
    /// Finished epochs or steps of the running jobs, by the id of their first cell.
    finished_units: HashMap<String, usize>,
}

/// The size of a job on the progress bar: its epochs or steps times its cells.
pub(crate) fn units(job: &Job) -> u64 {
    (job.cells.len() * length(job)) as u64
}

/// Epochs or steps of a cell; a program counts as one.
fn length(job: &Job) -> usize {
    job.net().map_or(1, |net| net.train.length.count())
}

impl<'a> RunProgress<'a> {
    /// Progress of a run of `jobs` jobs.
    pub(crate) fn new(console: &'a Console, experiment: &'a str, jobs: usize) -> Self {
        Self {
            console,
            experiment,
            jobs,
            row: None,
            state: Mutex::default(),
        }
    }

    /// The same with a table, in which all jobs count for `row` if it is given, else for their arms.
    #[must_use]
    pub(crate) fn with_table(mut self, table: Table, row: Option<&'a str>) -> Self {
        self.row = row;
        self.with_state(|state| state.table = Some(table));
        self
    }

    /// The table as it is now.
    pub(crate) fn into_table(self) -> Option<Table> {
        self.with_state(|state| state.table.take())
    }

    /// Changes the row of `job` and draws the table.
    fn draw(&self, job: &Job, change: impl FnOnce(&mut Table, &str)) {
        let row = self.row.unwrap_or(&job.arm);
        let text = format!("{}: {}", self.experiment, job.arm);
        self.with_state(|state| match &mut state.table {
            None => self.console.bar().set_message(text),
            Some(table) => {
                change(table, row);
                self.console.show(table, &text);
            }
        });
    }

    fn with_state<T>(&self, update: impl FnOnce(&mut State) -> T) -> T {
        update(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn key(job: &Job) -> String {
    job.cells.first().map_or_else(String::new, |c| c.id.clone())
}

impl Progress for RunProgress<'_> {
    fn advanced(&self, job: &Job, done: usize) {
        let before = self.with_state(|state| state.finished_units.insert(key(job), done));
        let more = done.saturating_sub(before.unwrap_or(0)) * job.cells.len();
        self.console.bar().inc(more as u64);
        self.draw(job, |table, row| {
            table.advance(row, more as f64 / length(job) as f64);
        });
        let unit = job.net().map_or("cell", |net| net.train.length.unit());
        self.console.detail(&format!(
            "{}: `{}`: {unit} {done} of {}, {}",
            self.experiment,
            job.arm,
            length(job),
            counted(job.cells.len(), "cell"),
        ));
    }
}

impl Events for RunProgress<'_> {
    fn job_started(&self, job: &Job) {
        self.draw(job, |table, row| table.begin(row, job.cells.len()));
    }

    fn job_done(&self, job: &Job, records: &[CellRecord]) {
        let (finished, reached) = self.with_state(|state| {
            state.finished_jobs += 1;
            let reached = state.finished_units.remove(&key(job));
            (state.finished_jobs, reached.unwrap_or(0))
        });
        // Cells that diverged or failed skip their remaining epochs.
        let skipped = length(job).saturating_sub(reached) * job.cells.len();
        self.console.bar().inc(skipped as u64);
        let part = (reached * job.cells.len()) as f64 / length(job) as f64;
        self.draw(job, |table, row| {
            table.end(row, job.cells.len(), part);
            table.add(records.iter());
        });
        if self.console.bar().is_hidden() {
            self.console.info(&format!(
                "{}: finished job {finished} of {} (`{}`, {}{})",
                self.experiment,
                self.jobs,
                job.arm,
                counted(records.len(), "cell"),
                diverged(records),
            ));
        }
        for error in errors(records) {
            self.console.warn(&format!(
                "{}: a cell of arm `{}` failed: {error}",
                self.experiment, job.arm
            ));
        }
    }

    fn job_elsewhere(&self, job: &Job) {
        self.console.bar().inc(units(job));
        self.draw(job, |table, row| table.done_elsewhere(row, job.cells.len()));
        let (name, cells) = (self.experiment, counted(job.cells.len(), "cell"));
        self.console.detail(&format!(
            "{name}: another process trained {cells} of `{}`",
            job.arm
        ));
    }

    fn notice(&self, text: &str) {
        self.console.info(&format!("{}: {text}", self.experiment));
    }
}

fn diverged(records: &[CellRecord]) -> String {
    let diverged = |r: &&CellRecord| matches!(r.outcome, Outcome::Diverged { .. });
    match records.iter().filter(diverged).count() {
        0 => String::new(),
        n => format!(", {n} diverged"),
    }
}

/// The distinct errors of a job.
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
