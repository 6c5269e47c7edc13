//! A run of a plan in its results folder, as its owner or as a guest.

use super::board::Board;
use super::events::Events;
use super::journal::{self, Journal};
use super::lines::Line;
use super::lock::{self, Lock, LockError};
use super::reproduction::Reproduction;
use super::runs::{self, Runs, in_order, read_lines};
use super::share::{self, LOOK, Part, Share};
use super::{RunError, RunOptions, RunReport, adopt, adoptable, count, damage, doubt, queue};
use crate::files::{check_writable, remove_leftovers, write_atomic};
use crate::plan::Plan;
use crate::text::counted;
use crate::trainer::{StopFlag, Trainer};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Most time between the lock of a folder and the claim on it.
const TIME_TO_OWN: Duration = Duration::from_secs(1);

/// A run of a plan in its results folder: [`Session::open`], [`Session::train`], [`Session::finish`].
///
/// One process owns the folder and writes its journal and `runs.jsonl`. Where another process does, this one is a
/// guest: it trains cells that nobody else trains, into a journal of its own, which the owner takes in.
///
/// All three return an error if the folder cannot be written to or contains a journal or a `runs.jsonl` that cannot be
/// read. Records in the journal are kept. Damaged lines are no error: they are set aside with a notice, and their
/// cells count as missing.
pub struct Session<'a> {
    plan: &'a Plan,
    options: &'a RunOptions,
    events: &'a dyn Events,
    folder: PathBuf,
    owner: bool,
    committed: Option<Runs<Line>>,
    journal: Journal,
    /// Journals of guests that were taken in.
    parts: Vec<Part>,
    trained: BTreeSet<String>,
    started: SystemTime,
    clock: Instant,
    share: Share,
    // Released after everything else.
    _lock: Option<Lock>,
}

impl<'a> Session<'a> {
    /// Joins in the folder, as its owner if nobody else is, and reads the records. An owner removes what a killed run
    /// left there.
    ///
    /// # Errors
    /// See [`Session`]. Also if cells that others are training were to be trained again.
    pub fn open(
        plan: &'a Plan,
        options: &'a RunOptions,
        events: &'a dyn Events,
    ) -> Result<Self, RunError> {
        let (started, clock) = (SystemTime::now(), Instant::now());
        let folder = options.results.join(&plan.spec.name);
        check_writable(&folder)?;
        let lock = match options.sharing.guest {
            true => Err(None),
            false => lock(&folder),
        };
        let mut share = Share::join(&folder, &options.sharing)?;
        let owner = lock.is_ok() && share.own()?;
        if options.fresh && (!owner || !share.company().is_empty()) {
            return Err(LockError::Held { folder }.into());
        }
        share.begin(&match owner {
            true => folder.join(journal::NAME),
            false => share.journal(),
        });
        let (committed, journal, parts) = match owner {
            true => open_owned(plan, options, events, &folder, &mut share)?,
            false => {
                if let Err(Some(error)) = lock {
                    return Err(error.into());
                }
                if !options.sharing.guest && !has_owner(&mut share) {
                    return Err(LockError::Held { folder }.into());
                }
                open_as_guest(plan, &folder, &share)?
            }
        };
        if owner {
            share.clean(false);
        }
        Ok(Self {
            plan,
            options,
            events,
            folder,
            owner,
            committed,
            journal,
            parts,
            trained: BTreeSet::new(),
            started,
            clock,
            share,
            _lock: lock.ok().flatten(),
        })
    }

    /// The results folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether this process owns the folder.
    pub const fn is_owner(&self) -> bool {
        self.owner
    }

    /// The process that owns the folder.
    pub fn owned_by(&mut self) -> Option<share::Seen> {
        self.share.owner()
    }

    /// The file for the provenance of a guest.
    pub(crate) fn origin(&self) -> PathBuf {
        self.share.origin()
    }

    /// Journals of guests that were taken in.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Ids of the cells with a record in the journal, also of those that are not planned.
    pub fn recorded(&self) -> BTreeSet<&str> {
        self.journal.lines().keys().map(|id| &**id).collect()
    }

    /// Ids of the planned cells that [`Self::train`] takes from `runs.jsonl`.
    pub fn adopted(&self) -> BTreeSet<&str> {
        let runs = self.committed.iter().filter(|_| self.options.adopt);
        let lines = runs.flat_map(|runs| adoptable(self.plan, &self.journal, &runs.records));
        lines.map(|line| &**line.id()).collect()
    }

    /// Whether [`Self::train`] adds records to the journal, unless it is stopped.
    pub fn will_change(&self) -> bool {
        let missing = |id: &&str| self.journal.is_missing(id);
        self.plan.ids().iter().any(missing)
    }

    /// Ids of the cells that were trained in this session.
    pub const fn trained(&self) -> &BTreeSet<String> {
        &self.trained
    }

    /// Trains the missing cells and appends their records to the journal. An owner takes in the journals of guests
    /// at the end.
    ///
    /// # Errors
    /// See [`Session`]. Also if two processes have different numbers for one cell.
    pub fn train(&mut self, trainer: &dyn Trainer, stop: &StopFlag) -> Result<RunReport, RunError> {
        let (plan, options, journal) = (self.plan, self.options, &mut self.journal);
        if let (true, Some(runs)) = (options.adopt, &self.committed) {
            adopt(plan, journal, &runs.records)?;
        }
        let given: Result<Vec<Line>, _> = options.records.iter().map(Line::new).collect();
        let kept = adopt(plan, journal, &given?)?;
        let chosen = options.sharing.cells.as_ref();
        let is_chosen = |id: &str| chosen.is_none_or(|chosen| chosen.contains(id));
        let jobs = plan.jobs(|id| journal.is_missing(id) && is_chosen(id));
        let wanted: usize = jobs.iter().map(|job| job.cells.len()).sum();
        let board = Board::new(journal, &mut self.share, options.sharing.wait);
        let done = queue::train_all(jobs, options.jobs, trainer, board, self.events, stop)?;
        if self.owner {
            let alive = self.share.company();
            let (parts, notices) = share::gather(&self.folder, plan, journal, &alive)?;
            self.parts = parts;
            for text in &notices {
                self.events.notice(text);
            }
        }
        let (diverged, failed) = count(plan, journal);
        let committed = (self.committed.as_ref()).filter(|_| !done.trained.is_empty());
        let lines = journal.lines();
        let has_failed = |id: &&String| lines.get(id.as_str()).is_some_and(Line::has_failed);
        let failed_here = done.trained.iter().filter(has_failed).count();
        let report = RunReport {
            trained: done.trained.len() + kept.len(),
            reused: plan.ids().len() - wanted - kept.len(),
            elsewhere: done.elsewhere,
            left: done.left,
            diverged,
            failed,
            failed_here,
            stopped: done.trained.len() + done.elsewhere + done.left < wanted,
            reproduction: committed
                .map(|runs| Reproduction::new(plan, &done.trained, lines, &runs.records)),
            started: self.started,
            seconds: self.clock.elapsed().as_secs_f64(),
            arm_seconds: done.arm_seconds,
        };
        self.trained.extend(done.trained);
        self.trained.extend(kept);
        Ok(report)
    }

    /// Waits until no process owns the folder, or `stop` is set.
    ///
    /// # Errors
    /// If the own files cannot be removed.
    pub(crate) fn wait_for_owner(mut self, stop: &StopFlag) -> Result<(), RunError> {
        while !stop.stopped() && self.share.owner().is_some() {
            std::thread::sleep(LOOK);
        }
        self.leave()
    }

    /// Ends the session of a guest. What it recorded stays for the owner.
    ///
    /// # Errors
    /// If empty files cannot be removed.
    pub(crate) fn leave(self) -> Result<(), RunError> {
        match self.trained.is_empty() {
            true => Ok(share::remove_part(&self.share.journal())?),
            false => Ok(()),
        }
    }

    /// Removes the files of guests that have ended and were taken in. Their provenance must be on disk.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub(crate) fn forget_guests(&mut self) -> Result<(), RunError> {
        let alive = self.share.company();
        for part in self.parts.drain(..) {
            if !alive.iter().any(|name| name == part.name()) {
                part.remove()?;
            }
        }
        Ok(())
    }

    /// Writes `runs.jsonl` if every planned cell has a record, and returns whether it did. Not for a run that was stopped,
    /// nor for a guest.
    ///
    /// # Errors
    /// See [`Session`].
    pub fn finish(mut self) -> Result<bool, RunError> {
        self.committed = None;
        let Some(text) = in_order(self.plan, self.journal.lines())? else {
            return Ok(false);
        };
        self.journal.require_place()?;
        write_atomic(&self.folder.join(runs::NAME), &text)?;
        self.forget_guests()?;
        self.share.clean(true);
        Ok(true)
    }
}

/// Locks the folder. `Ok(None)` if its file system has no locks, an error without a value if another process has it.
fn lock(folder: &Path) -> Result<Option<Lock>, Option<LockError>> {
    match Lock::acquire(folder) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held { .. }) => Err(None),
        Err(LockError::File(error)) if lock::has_none(&error.cause) => Ok(None),
        Err(error) => Err(Some(error)),
    }
}

/// Whether a process owns the folder of `share`. One that has just locked it is given the time to say so; otherwise its
/// lock is for something else, which cannot be shared.
fn has_owner(share: &mut Share) -> bool {
    let clock = Instant::now();
    loop {
        match share.owner() {
            Some(_) => return true,
            None if clock.elapsed() > TIME_TO_OWN => return false,
            None => std::thread::sleep(TIME_TO_OWN / 20),
        }
    }
}

type Opened = (Option<Runs<Line>>, Journal, Vec<Part>);

fn open_owned(
    plan: &Plan,
    options: &RunOptions,
    events: &dyn Events,
    folder: &Path,
    share: &mut Share,
) -> Result<Opened, RunError> {
    let leftovers = remove_leftovers(folder);
    if leftovers > 0 {
        let files = counted(leftovers, "temporary file");
        events.notice(&format!("removed {files} of a program that was killed"));
    }
    let committed = read_committed(&folder.join(runs::NAME), plan, events)?;
    let lines = committed.iter().flat_map(|runs| &runs.records);
    let known = lines.map(|line| (&**line.id(), line)).collect();
    let mut journal = open_journal(folder, plan, &known, options.fresh, events)?;
    if let Some(runs) = &committed {
        doubt(plan, &mut journal, &runs.records, events);
    }
    let (parts, notices) = share::gather(folder, plan, &mut journal, &share.company())?;
    for text in &notices {
        events.notice(text);
    }
    Ok((committed, journal, parts))
}

/// A guest changes nothing that others wrote.
fn open_as_guest(plan: &Plan, folder: &Path, share: &Share) -> Result<Opened, RunError> {
    let path = folder.join(runs::NAME);
    let committed = match path.exists() {
        true => Some(read_lines(&path, plan)?),
        false => None,
    };
    let (known, _) = journal::read(folder, plan)?;
    let journal = Journal::of_guest(share.journal(), known)?;
    Ok((committed, journal, Vec::new()))
}

fn read_committed(
    path: &Path,
    plan: &Plan,
    events: &dyn Events,
) -> Result<Option<Runs<Line>>, RunError> {
    if !path.exists() {
        return Ok(None);
    }
    let runs = read_lines(path, plan)?;
    let kept = damage::keep(&runs.damaged)?;
    for text in runs.notice.iter().chain(&kept) {
        events.notice(text);
    }
    Ok(Some(runs))
}

fn open_journal(
    folder: &Path,
    plan: &Plan,
    known: &HashMap<&str, &Line>,
    fresh: bool,
    events: &dyn Events,
) -> Result<Journal, RunError> {
    if fresh && let Some(aside) = journal::set_aside(folder)? {
        events.notice(&format!(
            "training every cell again; the old journal is now `{}`",
            aside.display()
        ));
    }
    let (journal, notices) = Journal::open(folder, plan, known)?;
    for text in &notices {
        events.notice(text);
    }
    Ok(journal)
}
