//! The jobs of a run: what is left to train, what others train, and what is done.

use super::RunError;
use super::events::Events;
use super::journal::Journal;
use super::share::{LOOK, Share};
use crate::record::CellRecord;
use crate::trainer::{Job, JobCell, StopFlag};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::thread;

/// Results of a run.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Ids of the cells with a new record.
    pub(super) trained: BTreeSet<String>,
    /// Number of cells that other processes recorded meanwhile.
    pub(super) elsewhere: usize,
    /// Number of cells that other processes still train.
    pub(super) left: usize,
    /// Sum of the durations of the finished jobs of each arm, in seconds.
    pub(super) arm_seconds: BTreeMap<String, f64>,
}

/// Hands out the cells that no other process trains, and keeps records.
pub(super) struct Board<'a> {
    journal: &'a mut Journal,
    share: &'a mut Share,
    waits: bool,
    jobs: VecDeque<Job>,
    /// Parts of jobs that other processes train.
    theirs: Vec<Job>,
    /// Cells that other processes have recorded since this run began.
    recorded: BTreeSet<String>,
    done: Done,
}

impl<'a> Board<'a> {
    /// With `waits`, cells of others are waited for.
    pub(super) fn new(journal: &'a mut Journal, share: &'a mut Share, waits: bool) -> Self {
        Self {
            journal,
            share,
            waits,
            jobs: VecDeque::new(),
            theirs: Vec::new(),
            recorded: BTreeSet::new(),
            done: Done::default(),
        }
    }

    pub(super) fn set(&mut self, jobs: Vec<Job>) {
        self.jobs = jobs.into();
    }

    /// The next job, claimed, without the cells that others train or have trained. `None` if there is none now.
    ///
    /// # Errors
    /// If a claim cannot be written.
    pub(super) fn take(&mut self, events: &dyn Events) -> Result<Option<Job>, RunError> {
        while let Some(mut job) = self.jobs.pop_front() {
            let claimed = self.share.claim_cells(std::mem::take(&mut job.cells));
            if claimed.is_err() {
                // A folder that was deleted is the better message.
                self.journal.require_place()?;
            }
            let (ours, theirs) = claimed?;
            if !theirs.is_empty() {
                self.theirs.push(Job {
                    cells: theirs,
                    ..job.clone()
                });
            }
            // Others may have recorded them between the last look and the claim.
            self.recorded.extend(self.share.recorded());
            let (known, ours): (Vec<_>, Vec<_>) =
                (ours.into_iter()).partition(|cell| self.recorded.contains(&cell.id));
            self.share.release(&known);
            self.count_elsewhere(&job, known, events);
            if !ours.is_empty() {
                job.cells = ours;
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    /// Puts the records of `job` on disk, and gives up its claims.
    pub(super) fn keep(
        &mut self,
        job: &Job,
        records: &[CellRecord],
        seconds: f64,
    ) -> Result<(), RunError> {
        self.journal.append(records)?;
        self.share.release(&job.cells);
        let ids = records.iter().map(|record| record.id.clone());
        self.done.trained.extend(ids);
        *self.done.arm_seconds.entry(job.arm.clone()).or_default() += seconds;
        Ok(())
    }

    /// Gives up the claims of `job`, which was stopped.
    pub(super) fn give_up(&mut self, job: &Job) {
        self.share.release(&job.cells);
    }

    /// Waits until all cells of other processes are recorded, or some of them can be claimed, which are the jobs
    /// then. Returns whether there are jobs.
    pub(super) fn wait(&mut self, events: &dyn Events, stop: &StopFlag) -> bool {
        loop {
            self.look(events);
            if stop.stopped() {
                return false;
            }
            if !self.jobs.is_empty() {
                return true;
            }
            self.done.left = self.theirs.iter().map(|job| job.cells.len()).sum();
            // Cells for another kind of machine are not this process's to wait for.
            let share = &*self.share;
            let mut ours = self.theirs.iter().flat_map(|job| &job.cells);
            if !self.waits || !ours.any(|cell| share.may_train(cell)) {
                return false;
            }
            thread::sleep(LOOK);
        }
    }

    /// Sorts the cells of other processes into those that are recorded, free, and still theirs.
    fn look(&mut self, events: &dyn Events) {
        self.recorded.extend(self.share.recorded());
        for mut job in std::mem::take(&mut self.theirs) {
            let cells = std::mem::take(&mut job.cells).into_iter();
            let (known, rest): (Vec<_>, Vec<_>) =
                cells.partition(|cell| self.recorded.contains(&cell.id));
            self.count_elsewhere(&job, known, events);
            let (free, held): (Vec<_>, Vec<_>) =
                (rest.into_iter()).partition(|cell| self.waits && self.share.is_free(cell));
            let part = |cells: Vec<JobCell>| Job {
                cells,
                ..job.clone()
            };
            if !free.is_empty() {
                self.jobs.push_back(part(free));
            }
            if !held.is_empty() {
                self.theirs.push(part(held));
            }
        }
    }

    /// Counts those `cells` of `job` that another process has recorded.
    fn count_elsewhere(&mut self, job: &Job, cells: Vec<JobCell>, events: &dyn Events) {
        if !cells.is_empty() {
            self.done.elsewhere += cells.len();
            let job = Job {
                cells,
                ..job.clone()
            };
            events.job_elsewhere(&job);
        }
    }

    pub(super) fn into_done(self) -> Done {
        self.done
    }
}
