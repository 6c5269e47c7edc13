//! End-to-end tests of runs with the fake trainer.

mod crashes;
mod damage;
mod failures;
mod mutations;
mod power_cut;
mod probes;
mod resume;
mod sharing;

use super::events::Silent;
use super::fake::{FakeTrainer, spec};
use super::lock::Lock;
use super::runs::read_runs;
use super::*;
use crate::trainer::{Job, Progress};
use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use tempfile::TempDir;

/// A results folder and the options to run in it.
struct TestRun {
    dir: TempDir,
    options: RunOptions,
}

impl TestRun {
    fn new() -> Self {
        // Syncing files is fast in memory.
        let memory = tempfile::tempdir_in("/dev/shm");
        let dir = memory.or_else(|_| tempfile::tempdir()).unwrap();
        let options = RunOptions {
            jobs: 1,
            fresh: false,
            adopt: false,
            records: Vec::new(),
            results: dir.path().to_owned(),
            sharing: Sharing::default(),
        };
        Self { dir, options }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("fake").join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The content of a file, empty if it is missing.
    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_default()
    }

    fn try_run(&self, plan: &Plan, trainer: &FakeTrainer) -> Result<RunReport, RunError> {
        run_spec(plan, trainer, &self.options, &Silent, &StopFlag::default())
    }

    fn run(&self, plan: &Plan, trainer: &FakeTrainer) -> RunReport {
        self.try_run(plan, trainer).unwrap()
    }
}

fn plan(replicas: usize) -> Plan {
    Plan::new(&spec(&["a", "b"], 5), "flex", replicas, "f")
}

fn outcomes(bench: &TestRun) -> Vec<Outcome> {
    let runs = read_runs(&bench.path(runs::NAME)).unwrap();
    runs.records.into_iter().map(|r| r.outcome).collect()
}

/// Records all events.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Progress for Log {
    fn advanced(&self, job: &Job, done: usize) {
        self.add(format!("epoch {done} of {} x {}", job.arm, job.cells.len()));
    }
}

impl Events for Log {
    fn job_started(&self, job: &Job) {
        self.add(format!("start {} x {}", job.arm, job.cells.len()));
    }

    fn job_done(&self, job: &Job, records: &[CellRecord]) {
        self.add(format!("done {} x {}", job.arm, records.len()));
    }

    fn notice(&self, text: &str) {
        self.add(format!("notice {text}"));
    }
}

/// Runs `plan` and returns the report and the notices.
fn run_logged(bench: &TestRun, plan: &Plan) -> (RunReport, Vec<String>) {
    let (log, stop) = (Log::default(), StopFlag::default());
    let report = run_spec(plan, &FakeTrainer::new(), &bench.options, &log, &stop).unwrap();
    let lines = log.0.into_inner().unwrap();
    let notices = lines.into_iter().filter(|line| line.starts_with("notice"));
    (report, notices.collect())
}
