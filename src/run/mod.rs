//! Running a plan: finding missing cells, training them, and keeping their records.
//!
//! A results folder contains `runs.jsonl`, which is committed, and two files that are not: the journal
//! `.cells.jsonl` and `.lock`. A run trains the cells that are missing from the journal, appends the
//! records of each job to it, and finally writes `runs.jsonl`. A run that is killed at any moment
//! loses only the jobs in progress. The next run retries failed cells; a diverged cell is a result.
//!
//! A fresh clone has `runs.jsonl` but no journal. A run then trains every cell and compares the
//! numbers with the committed ones ([`Reproduction`]), unless it is told to adopt them.

mod board;
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
mod repair;
mod reproduction;
pub mod runs;
mod session;
pub mod share;

pub use damage::Damage;
pub use events::Events;
pub use lines::{Line, LinesById, RecordError};
pub(crate) use queue::{all_failed, checked, message};
pub use repair::repair;
pub use reproduction::{Reproduction, difference_of, identical};
use reproduction::{agree, equal};
pub use session::Session;

use crate::files::FileError;
use crate::plan::Plan;
use crate::record::{CellRecord, Outcome};
use crate::trainer::{StopFlag, Trainer};
use journal::Journal;
use lock::LockError;
use share::Sharing;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;

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
    /// How to share the results folder with other processes.
    pub sharing: Sharing,
}

/// Outcome of a run. Cells are counted by id, so two arms with one recipe count once.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// Cells trained in this run, with any outcome.
    pub trained: usize,
    /// Cells whose record existed or was adopted.
    pub reused: usize,
    /// Cells that other processes trained meanwhile.
    pub elsewhere: usize,
    /// Cells that other processes are training, for which this one did not wait.
    pub left: usize,
    /// Cells of the plan that diverged.
    pub diverged: usize,
    /// Cells of the plan that failed; the next run retries them.
    pub failed: usize,
    /// Those of them that this run trained.
    pub failed_here: usize,
    /// Whether the run was stopped before every cell had a record; `runs.jsonl` stays unchanged then.
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
    /// Two processes have different numbers for one cell.
    #[error(transparent)]
    Disagreement(Box<Disagreement>),
}

/// Two processes trained one cell and got different numbers.
#[derive(Debug, thiserror::Error)]
#[error(
    "two processes trained {} and got different numbers; both records are kept, one of them in `{}`: find out why, \
     then delete this file to keep the other record, or train again with `--fresh`",
    described(record),
    path.display()
)]
pub struct Disagreement {
    /// The record that differs from the one in the journal.
    record: CellRecord,
    /// The file that it is in.
    path: PathBuf,
}

/// Trains the cells of `plan` that are missing from the journal, and writes `runs.jsonl` once every
/// cell has a record. The written bytes do not depend on the number of jobs, the size of stacks or
/// interruptions.
///
/// # Errors
/// As [`Session`].
pub fn run_spec(
    plan: &Plan,
    trainer: &dyn Trainer,
    options: &RunOptions,
    events: &dyn Events,
    stop: &StopFlag,
) -> Result<RunReport, RunError> {
    let mut session = Session::open(plan, options, events)?;
    let report = session.train(trainer, stop)?;
    match session.is_owner() {
        false => session.leave()?,
        true if !report.stopped => drop(session.finish()?),
        true => {}
    }
    Ok(report)
}

/// Compares the journal with the records of `runs.jsonl` before that is replaced. A cell whose records
/// contradict each other is trained again, once.
fn doubt(plan: &Plan, journal: &mut Journal, committed: &[Line], events: &dyn Events) {
    let contradicts = |theirs: &&Line| {
        let ours = journal.lines().get(theirs.id());
        ours.is_some_and(|ours| !ours.has_failed() && !theirs.has_failed() && !agree(ours, theirs))
    };
    let wrong: Vec<&Line> = committed.iter().filter(contradicts).collect();
    if wrong.is_empty() {
        return;
    }
    let planned = plan.ids();
    for theirs in wrong {
        if planned.contains(&**theirs.id()) && journal.doubt(theirs.id()) {
            events.notice(&format!(
                "the journal and `{}` have different numbers for {}; training it again",
                runs::NAME,
                described(&theirs.record())
            ));
        }
    }
}

/// The records in `committed` that differ from those in the journal. Failed cells are left out.
pub fn contradictions<'r>(
    journal: &BTreeMap<String, CellRecord>,
    committed: &'r [CellRecord],
) -> Vec<&'r CellRecord> {
    let failed = |r: &CellRecord| matches!(r.outcome, Outcome::Failed { .. });
    let contradicts = |theirs: &&CellRecord| {
        let ours = journal.get(&theirs.id);
        ours.is_some_and(|ours| !failed(ours) && !failed(theirs) && !equal(ours, theirs))
    };
    committed.iter().filter(contradicts).collect()
}

/// `arm a, seed 3, learning rate 0.01 (id 0123)`.
pub fn described(record: &CellRecord) -> String {
    let rate = record.learning_rate;
    let rate = rate.map_or(String::new(), |rate| format!(", learning rate {rate}"));
    let CellRecord { arm, seed, id, .. } = record;
    format!("arm {arm}, seed {seed}{rate} (id {id})")
}

/// Those of `lines` that are planned, did not fail, and are missing from the journal.
fn adoptable<'r>(
    plan: &Plan,
    journal: &Journal,
    lines: &'r [Line],
) -> impl Iterator<Item = &'r Line> {
    let planned = plan.ids();
    let wanted = move |line: &&Line| {
        planned.contains(&**line.id()) && journal.is_missing(line.id()) && !line.has_failed()
    };
    lines.iter().filter(wanted)
}

/// Appends them to the journal. Returns their ids.
fn adopt(plan: &Plan, journal: &mut Journal, lines: &[Line]) -> Result<BTreeSet<String>, RunError> {
    let wanted: Vec<Line> = adoptable(plan, journal, lines).cloned().collect();
    let ids = wanted.iter().map(|line| line.id().to_string()).collect();
    if !wanted.is_empty() {
        journal.append_lines(wanted)?;
    }
    Ok(ids)
}

/// Numbers of planned cells that diverged and that failed.
fn count(plan: &Plan, journal: &Journal) -> (usize, usize) {
    let (mut diverged, mut failed) = (0, 0);
    for id in plan.ids() {
        let line = journal.lines().get(id);
        diverged += usize::from(line.is_some_and(Line::has_diverged));
        failed += usize::from(line.is_some_and(Line::has_failed));
    }
    (diverged, failed)
}

#[cfg(test)]
mod tests;
