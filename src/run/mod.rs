//! Running a plan: which cells are missing, who trains them, and how their records are kept.
//!
//! A results folder holds `runs.jsonl`, which is committed, and two files that are not: the journal
//! `.cells.jsonl`, to which every record is appended as its job ends, and `.lock`. A run trains
//! what the journal does not have, then writes `runs.jsonl` from it. So a run that is stopped or
//! killed at any moment loses the jobs that had begun and nothing else; a failed cell is tried
//! again by the next run, a diverged one is a result.
//!
//! A fresh clone has `runs.jsonl` and no journal: the run trains everything and then says whether
//! it got the same numbers ([`Reproduction`]), unless it is asked to adopt them.

pub mod events;
#[doc(hidden)]
pub mod fake;
pub mod journal;
mod lines;
pub mod lock;
mod reproduction;
pub mod runs;
mod schedule;

pub use events::Events;
pub use lines::RecordError;
pub use reproduction::Reproduction;
pub(crate) use schedule::{all_failed, checked, message};

use crate::files::{FileError, check_writable};
use crate::plan::Plan;
use crate::record::{CellRecord, Outcome};
use crate::trainer::{StopFlag, Trainer};
use journal::Journal;
use lock::{Lock, LockError};
use runs::{Runs, in_order, read_runs, write_runs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// How to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// Jobs that train at the same time; 0 counts as 1.
    pub jobs: usize,
    /// Set the journal aside and train every cell again.
    pub fresh: bool,
    /// Take records of the `runs.jsonl` that is there into the journal instead of training them.
    pub adopt: bool,
    /// Parent of the results folders.
    pub results: PathBuf,
}

/// What a run did. Cells are counted by id: two arms of one recipe share theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// Cells trained now, with any outcome.
    pub trained: usize,
    /// Cells whose record was there or was adopted.
    pub reused: usize,
    /// Cells of the plan whose record says that they diverged.
    pub diverged: usize,
    /// Cells of the plan whose record says that they failed; the next run tries them again.
    pub failed: usize,
    /// Whether the run was stopped before every cell had a record; `runs.jsonl` is then as it was.
    pub stopped: bool,
    /// How the cells trained now compare with the `runs.jsonl` that was there; absent where there
    /// was none or nothing was trained.
    pub reproduction: Option<Reproduction>,
    /// When the run began.
    pub started: SystemTime,
    /// Seconds that it took.
    pub seconds: f64,
    /// Seconds that each arm's jobs took, one after the other, by the arm's name.
    pub arm_seconds: BTreeMap<String, f64>,
}

/// A run that could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file or folder could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder is in use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A record could not be read or kept.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Trains the cells of `plan` that the journal in its results folder does not have, and writes
/// `runs.jsonl` once every cell has a record. The bytes written depend neither on the number of
/// jobs nor on the size of stacks nor on how often the run was interrupted.
///
/// # Errors
/// If the results folder cannot be written to, is in use by another process, or holds a journal or
/// a `runs.jsonl` that cannot be read. What was journaled until then is kept.
pub fn run_spec(
    plan: &Plan,
    trainer: &dyn Trainer,
    options: &RunOptions,
    events: &dyn Events,
    stop: &StopFlag,
) -> Result<RunReport, RunError> {
    let (started, clock) = (SystemTime::now(), Instant::now());
    let folder = options.results.join(&plan.spec.name);
    check_writable(&folder)?;
    let _lock = Lock::acquire(&folder)?;
    let runs_path = folder.join(runs::NAME);
    let committed = read_committed(&runs_path, events)?;
    let mut journal = open_journal(&folder, options.fresh, events)?;
    if let (true, Some(runs)) = (options.adopt, &committed) {
        adopt(plan, &mut journal, &runs.records)?;
    }

    let jobs = plan.jobs(|id| journal.is_missing(id));
    let wanted: usize = jobs.iter().map(|job| job.cells.len()).sum();
    let done = schedule::train_all(&jobs, options.jobs, trainer, &mut journal, events, stop)?;

    let stopped = done.trained.len() < wanted;
    if let (false, Some(records)) = (stopped, in_order(plan, journal.records())) {
        write_runs(&runs_path, &records)?;
    }
    let (diverged, failed) = count(plan, &journal);
    Ok(RunReport {
        trained: done.trained.len(),
        reused: plan.ids().len() - wanted,
        diverged,
        failed,
        stopped,
        reproduction: (committed.filter(|_| !done.trained.is_empty()))
            .map(|runs| Reproduction::new(plan, &done.trained, journal.records(), &runs.records)),
        started,
        seconds: clock.elapsed().as_secs_f64(),
        arm_seconds: done.arm_seconds,
    })
}

fn read_committed(path: &Path, events: &dyn Events) -> Result<Option<Runs>, RunError> {
    if !path.exists() {
        return Ok(None);
    }
    let runs = read_runs(path)?;
    if let Some(text) = &runs.notice {
        events.notice(text);
    }
    Ok(Some(runs))
}

fn open_journal(folder: &Path, fresh: bool, events: &dyn Events) -> Result<Journal, RunError> {
    if fresh && let Some(aside) = journal::set_aside(folder)? {
        events.notice(&format!("the journal was moved to `{}`", aside.display()));
    }
    let (journal, notice) = Journal::open(folder)?;
    if let Some(text) = notice {
        events.notice(&text);
    }
    Ok(journal)
}

/// Journals those of `records` that the plan wants and the journal does not have.
fn adopt(plan: &Plan, journal: &mut Journal, records: &[CellRecord]) -> Result<(), RunError> {
    let planned = plan.ids();
    let wanted = |record: &&CellRecord| {
        planned.contains(record.id.as_str())
            && journal.is_missing(&record.id)
            && !matches!(record.outcome, Outcome::Failed { .. })
    };
    let wanted: Vec<CellRecord> = records.iter().filter(wanted).cloned().collect();
    Ok(journal.append(&wanted)?)
}

/// Cells of the plan that diverged and that failed.
fn count(plan: &Plan, journal: &Journal) -> (usize, usize) {
    let (mut diverged, mut failed) = (0, 0);
    for id in plan.ids() {
        match journal.records().get(id).map(|record| &record.outcome) {
            Some(Outcome::Diverged { .. }) => diverged += 1,
            Some(Outcome::Failed { .. }) => failed += 1,
            Some(Outcome::Done) | None => {}
        }
    }
    (diverged, failed)
}

#[cfg(test)]
mod tests;
