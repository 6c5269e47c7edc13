//! Running a plan: finding missing cells, training them, and keeping their records.
//!
//! A results folder contains `runs.jsonl`, which is committed, and two files that are not: the journal
//! `.cells.jsonl` and `.lock`. A run trains the cells that are missing from the journal, appends the
//! records of each job to it, and finally writes `runs.jsonl`. A run that is killed at any moment
//! loses only the jobs in progress. The next run retries failed cells; a diverged cell is a result.
//!
//! A fresh clone has `runs.jsonl` but no journal. A run then trains every cell and compares the
//! numbers with the committed ones ([`Reproduction`]), unless it is told to adopt them.

pub mod damage;
pub mod events;
#[doc(hidden)]
pub mod fake;
pub mod journal;
mod lines;
pub mod lock;
pub mod looks;
mod meaning;
#[doc(hidden)]
pub mod planted;
mod queue;
mod reproduction;
pub mod runs;

pub use damage::Damage;
pub use events::Events;
pub use lines::RecordError;
pub(crate) use queue::{all_failed, checked, message};
pub use reproduction::Reproduction;

use crate::files::{FileError, check_writable};
use crate::plan::Plan;
use crate::record::{CellRecord, Outcome};
use crate::trainer::{StopFlag, Trainer};
use journal::Journal;
use lock::{Lock, LockError};
use runs::{Runs, in_order, read_planned, write_runs};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// Options of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOptions {
    /// Number of jobs to train at the same time; 0 counts as 1.
    pub jobs: usize,
    /// Rename the journal and train every cell again.
    pub fresh: bool,
    /// Copy the records of an existing `runs.jsonl` into the journal instead of training them.
    pub adopt: bool,
    /// Records of planned cells that were trained just before, to be kept instead of training these cells.
    pub records: Vec<CellRecord>,
    /// Folder that contains the results folders.
    pub results: PathBuf,
}

/// Outcome of a run. Cells are counted by id, so two arms with one recipe count once.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// Cells trained in this run, with any outcome.
    pub trained: usize,
    /// Cells whose record existed or was adopted.
    pub reused: usize,
    /// Cells of the plan that diverged.
    pub diverged: usize,
    /// Cells of the plan that failed; the next run retries them.
    pub failed: usize,
    /// Whether the run was stopped before every cell had a record; `runs.jsonl` is unchanged then.
    pub stopped: bool,
    /// Comparison with the earlier `runs.jsonl`; absent if there was none or nothing was trained.
    pub reproduction: Option<Reproduction>,
    /// Start of the run.
    pub started: SystemTime,
    /// Duration in seconds.
    pub seconds: f64,
    /// Sum of the durations of the jobs of each arm in seconds, by name of the arm.
    pub arm_seconds: BTreeMap<String, f64>,
}

/// An error that ends a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file or folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The results folder cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A record cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Trains the cells of `plan` that are missing from the journal, and writes `runs.jsonl` once every
/// cell has a record. The written bytes do not depend on the number of jobs, the size of stacks or
/// interruptions.
///
/// # Errors
/// If the results folder cannot be written to, is in use by another process, or contains a journal or
/// a `runs.jsonl` that cannot be read. Records in the journal are kept. Damaged lines are no error:
/// they are set aside with a notice, and their cells count as missing.
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
    let committed = read_committed(&runs_path, plan, events)?;
    let mut journal = open_journal(&folder, plan, options.fresh, events)?;
    if let Some(runs) = &committed {
        doubt(plan, &mut journal, &runs.records, events);
    }
    if let (true, Some(runs)) = (options.adopt, &committed) {
        adopt(plan, &mut journal, &runs.records)?;
    }

    let kept = adopt(plan, &mut journal, &options.records)?;
    let jobs = plan.jobs(|id| journal.is_missing(id));
    let wanted: usize = jobs.iter().map(|job| job.cells.len()).sum();
    let done = queue::train_all(&jobs, options.jobs, trainer, &mut journal, events, stop)?;

    let stopped = done.trained.len() < wanted;
    if let (false, Some(records)) = (stopped, in_order(plan, journal.records())) {
        write_runs(&runs_path, &records)?;
    }
    let (diverged, failed) = count(plan, &journal);
    Ok(RunReport {
        trained: done.trained.len() + kept,
        reused: plan.ids().len() - wanted - kept,
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

fn read_committed(path: &Path, plan: &Plan, events: &dyn Events) -> Result<Option<Runs>, RunError> {
    if !path.exists() {
        return Ok(None);
    }
    let runs = read_planned(path, |_| Cow::Borrowed(plan))?;
    let kept = damage::keep(&runs.damaged)?;
    for text in runs.notice.iter().chain(&kept) {
        events.notice(text);
    }
    Ok(Some(runs))
}

fn open_journal(
    folder: &Path,
    plan: &Plan,
    fresh: bool,
    events: &dyn Events,
) -> Result<Journal, RunError> {
    if fresh && let Some(aside) = journal::set_aside(folder)? {
        events.notice(&format!(
            "training every cell again; the old journal is now `{}`",
            aside.display()
        ));
    }
    let (journal, notices) = Journal::open(folder, plan)?;
    for text in &notices {
        events.notice(text);
    }
    Ok(journal)
}

/// Compares the journal with the records of `runs.jsonl` before that is replaced. A cell whose records
/// contradict each other is trained again, once.
fn doubt(plan: &Plan, journal: &mut Journal, committed: &[CellRecord], events: &dyn Events) {
    let planned = plan.ids();
    let failed = |r: &CellRecord| matches!(r.outcome, Outcome::Failed { .. });
    for theirs in committed {
        let Some(ours) = journal.records().get(&theirs.id) else {
            continue;
        };
        let compared = planned.contains(theirs.id.as_str()) && !failed(ours) && !failed(theirs);
        if compared && !reproduction::identical(ours, theirs) && journal.doubt(&theirs.id) {
            events.notice(&format!(
                "the journal and `{}` have different numbers for arm {}, seed {}{} (id {}); training it \
                 again",
                runs::NAME,
                theirs.arm,
                theirs.seed,
                (theirs.learning_rate).map_or(String::new(), |rate| format!(", learning rate {rate}")),
                theirs.id
            ));
        }
    }
}

/// Appends to the journal those of `records` that are planned and missing from it. Returns their number.
fn adopt(plan: &Plan, journal: &mut Journal, records: &[CellRecord]) -> Result<usize, RunError> {
    let planned = plan.ids();
    let wanted = |record: &&CellRecord| {
        planned.contains(record.id.as_str())
            && journal.is_missing(&record.id)
            && !matches!(record.outcome, Outcome::Failed { .. })
    };
    let wanted: Vec<CellRecord> = records.iter().filter(wanted).cloned().collect();
    journal.append(&wanted)?;
    Ok(wanted.len())
}

/// Numbers of planned cells that diverged and that failed.
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
