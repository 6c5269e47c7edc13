//! Threads that train the jobs of a queue.

use super::RunError;
use super::board::{Board, Done};
use super::events::Events;
use super::lines;
use crate::machine::threads_per_job;
use crate::record::{CellRecord, EpochRecord, Outcome};
use crate::text::visible::visible;
use crate::trainer::{Job, JobCell, StopFlag, Trainer};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Longest error of a failed cell, in characters.
const MAX_ERROR: usize = 500;

/// Trains `jobs` in order on `threads` threads, those cells that no other process trains, and puts the records of each
/// finished job on the board. After `stop` is set, running jobs are abandoned and no further job starts.
///
/// # Errors
/// If a record cannot be appended to the journal. Running jobs still finish and are appended if
/// possible.
pub(super) fn train_all(
    jobs: Vec<Job>,
    threads: usize,
    trainer: &dyn Trainer,
    mut board: Board<'_>,
    events: &dyn Events,
    stop: &StopFlag,
) -> Result<Done, RunError> {
    let threads = threads.clamp(1, jobs.len().max(1));
    board.set(jobs);
    loop {
        board = pass(threads, trainer, board, events, stop)?;
        if !board.wait(events, stop) {
            return Ok(board.into_done());
        }
    }
}

/// Trains until the board is empty.
fn pass<'a>(
    threads: usize,
    trainer: &dyn Trainer,
    board: Board<'a>,
    events: &dyn Events,
    stop: &StopFlag,
) -> Result<Board<'a>, RunError> {
    let busy = AtomicUsize::new(threads);
    let broken = AtomicBool::new(false);
    let board = Mutex::new(board);
    let with = || board.lock().unwrap_or_else(PoisonError::into_inner);
    let breaks = |_: &RunError| broken.store(true, Ordering::SeqCst);
    let work = || -> Result<(), RunError> {
        while !stop.stopped() && !broken.load(Ordering::SeqCst) {
            let mut board = with();
            let taken = board.take(events).inspect_err(breaks)?;
            let Some(job) = taken else {
                // Under the lock, so that the last one to raise them knows best.
                let left = busy.fetch_sub(1, Ordering::SeqCst) - 1;
                if left > 0 {
                    trainer.raise_threads(threads_per_job(left));
                }
                break;
            };
            drop(board);
            events.job_started(&job);
            let clock = Instant::now();
            let Some(records) = train(&job, trainer, events, stop) else {
                with().give_up(&job);
                break;
            };
            let seconds = clock.elapsed().as_secs_f64();
            with().keep(&job, &records, seconds).inspect_err(breaks)?;
            events.job_done(&job, &records);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        (threads.into_iter())
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
            })
            .fold(Ok(()), Result::and)
    })?;
    Ok(board.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Returns one record per cell of `job`, also if the trainer panics; `None` if it was stopped.
fn train(
    job: &Job,
    trainer: &dyn Trainer,
    events: &dyn Events,
    stop: &StopFlag,
) -> Option<Vec<CellRecord>> {
    let result = catch_unwind(AssertUnwindSafe(|| trainer.train(job, events, stop)));
    Some(match result {
        Ok(None) if stop.stopped() => return None,
        Ok(None) => all_failed(job, "the trainer stopped without being asked to"),
        Ok(Some(records)) => checked(job, records),
        Err(panic) => all_failed(job, &format!("training panicked: {}", message(&*panic))),
    })
}

/// Returns one record per cell of `job`. Invalid ones are replaced by failures with the reason.
pub(crate) fn checked(job: &Job, records: Vec<CellRecord>) -> Vec<CellRecord> {
    if records.len() != job.cells.len() {
        let (found, wanted) = (records.len(), job.cells.len());
        let error = format!("the trainer returned {found} records for {wanted} cells");
        return all_failed(job, &error);
    }
    (job.cells.iter().zip(records))
        .map(|(cell, record)| match check(job, cell, &record) {
            Ok(()) => readable(record),
            Err(why) => failed(job, cell, &why),
        })
        .collect()
}

/// Returns a failed record per cell of `job`.
pub(crate) fn all_failed(job: &Job, error: &str) -> Vec<CellRecord> {
    job.cells.iter().map(|c| failed(job, c, error)).collect()
}

/// Checks that `record` is a complete record of `cell`.
fn check(job: &Job, cell: &JobCell, record: &CellRecord) -> Result<(), String> {
    if (&record.id, record.seed, record.learning_rate) != (&cell.id, cell.seed, cell.learning_rate)
        || (&record.arm, &record.device) != (&job.arm, &job.device)
    {
        return Err(format!(
            "the trainer returned the record of cell `{}`",
            record.id
        ));
    }
    let found = record.epochs.iter().map(EpochRecord::place);
    if record.outcome == Outcome::Done
        && let Some(wanted) = job.evaluations()
        && !found.eq(wanted.iter().copied())
    {
        return Err(format!(
            "the trainer returned {} evaluations instead of {}, or at other epochs or steps",
            record.epochs.len(),
            wanted.len()
        ));
    }
    lines::check(record)
}

fn failed(job: &Job, cell: &JobCell, error: &str) -> CellRecord {
    let error = visible(error).chars().take(MAX_ERROR).collect();
    job.record(cell, Outcome::Failed { error })
}

/// `record` without escape sequences in its error, which may quote the output of a program.
fn readable(mut record: CellRecord) -> CellRecord {
    if let Outcome::Failed { error } = &mut record.outcome {
        *error = visible(error).into_owned();
    }
    record
}

/// The message of a panic.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::run::RecordError;
    use crate::run::events::Silent;
    use crate::run::fake::{FakeTrainer, spec};
    use crate::run::journal::Journal;
    use crate::run::share::{Share, Sharing};
    use crate::trainer::Progress;
    use std::collections::HashMap;
    use std::path::Path;
    use std::time::Duration;

    fn plan() -> Plan {
        Plan::new(&spec(&["a"], 4), "flex", 1, "f")
    }

    fn jobs() -> Vec<Job> {
        plan().jobs(|_| true)
    }

    fn journal_in(folder: &Path) -> Journal {
        Journal::open(folder, &plan(), &HashMap::new()).unwrap().0
    }

    /// Yields to other threads until `done`; fails with the message `or` after a minute.
    fn wait_until(done: impl Fn() -> bool, or: &str) {
        let clock = Instant::now();
        while !done() {
            assert!(clock.elapsed() < Duration::from_secs(60), "{or}");
            thread::yield_now();
        }
    }

    fn attempt(
        folder: &Path,
        threads: usize,
        trainer: &dyn Trainer,
        journal: &mut Journal,
    ) -> Result<Done, RunError> {
        let mut share = Share::join(folder, &Sharing::default()).unwrap();
        let board = Board::new(journal, &mut share, true);
        let stop = StopFlag::default();
        train_all(jobs(), threads, trainer, board, &Silent, &stop)
    }

    #[test]
    fn failed_append_ends_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal_in(dir.path());
        journal.make_read_only();
        let trainer = FakeTrainer::new();
        let result = attempt(dir.path(), 1, &trainer, &mut journal);
        assert!(
            matches!(result, Err(RunError::Record(RecordError::File(_)))),
            "{result:?}"
        );
        assert_eq!(
            trainer.trained().len(),
            1,
            "no job starts after the first failed append"
        );
    }

    #[test]
    fn jobs_run_in_parallel() {
        /// Finishes a job only after two have started.
        struct Pair(AtomicUsize);
        impl Trainer for Pair {
            fn train(&self, job: &Job, _: &dyn Progress, _: &StopFlag) -> Option<Vec<CellRecord>> {
                self.0.fetch_add(1, Ordering::SeqCst);
                wait_until(
                    || self.0.load(Ordering::SeqCst) >= 2,
                    "no second job started",
                );
                Some(FakeTrainer::records(job))
            }

            fn estimate(&self, _: &Job) -> Option<f64> {
                None
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal_in(dir.path());
        let trainer = Pair(AtomicUsize::new(0));
        let done = attempt(dir.path(), 2, &trainer, &mut journal).unwrap();
        assert_eq!(done.trained.len(), 4);
        let mut lines = journal.lines().values();
        assert!(lines.all(|line| line.record().outcome == Outcome::Done));
    }

    #[test]
    fn threads_per_job_rise_for_the_last_jobs() {
        /// Finishes the job of seed 1 only after it may use all threads.
        struct Last(AtomicUsize);
        impl Trainer for Last {
            fn train(&self, job: &Job, _: &dyn Progress, _: &StopFlag) -> Option<Vec<CellRecord>> {
                if job.cells[0].seed == 1 {
                    let all = threads_per_job(1);
                    wait_until(
                        || self.0.load(Ordering::SeqCst) == all,
                        "the number of threads was not raised",
                    );
                }
                Some(FakeTrainer::records(job))
            }

            fn raise_threads(&self, threads: usize) {
                self.0.store(threads, Ordering::SeqCst);
            }

            fn estimate(&self, _: &Job) -> Option<f64> {
                None
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal_in(dir.path());
        let trainer = Last(AtomicUsize::new(0));
        let done = attempt(dir.path(), 3, &trainer, &mut journal).unwrap();
        assert_eq!(done.trained.len(), 4);
        let mut lines = journal.lines().values();
        assert!(lines.all(|line| line.record().outcome == Outcome::Done));
    }

    #[test]
    fn invalid_results_of_a_trainer_fail_their_cells() {
        struct Wrong;
        impl Trainer for Wrong {
            fn train(&self, job: &Job, _: &dyn Progress, _: &StopFlag) -> Option<Vec<CellRecord>> {
                let mut records = FakeTrainer::records(job);
                match job.cells[0].seed {
                    1 => return None,
                    2 => records[0].seed = 7,
                    3 => records[0].epochs.truncate(1),
                    _ => std::panic::panic_any(7),
                }
                Some(records)
            }

            fn estimate(&self, _: &Job) -> Option<f64> {
                None
            }
        }
        let reasons: Vec<String> = (jobs().iter())
            .map(|job| {
                train(job, &Wrong, &Silent, &StopFlag::default())
                    .unwrap()
                    .remove(0)
            })
            .map(|record| match record.outcome {
                Outcome::Failed { error } => error,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(reasons[0].contains("without being asked"), "{reasons:?}");
        assert!(
            reasons[1].contains("returned the record of cell"),
            "{reasons:?}"
        );
        assert!(
            reasons[2].contains("1 evaluations instead of 2"),
            "{reasons:?}"
        );
        assert!(reasons[3].contains("no message"), "{reasons:?}");
    }
}
