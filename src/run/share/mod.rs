//! Sharing the cells of one results folder between processes, on one machine or on several.
//!
//! Nothing here needs locks, which network file systems may lack: it rests on one property of every file
//! system, that a file is created by one process only. In the folder `.share`, each process has
//!
//! - a sign of life `NAME.alive` that grows by a byte every few seconds,
//! - a journal of its own, `NAME.jsonl`, and its provenance, `NAME.json`, unless it owns the folder and writes
//!   to the journal there,
//! - and a claim `claims/CELL.N` for every cell that it is training.
//!
//! A process trains only cells that it has claimed, and after claiming one it looks whether another process
//! recorded it before. A claim ends with its process: at once where others can see that the process is gone, or
//! else when its sign of life has not grown for the length of the lease. A record is on disk before its claim is
//! removed. So a cell is trained twice only if a process was taken for dead; then both records must be equal.
//!
//! One process owns the folder: it repairs and extends its journal, takes the journals of the others into it, and
//! writes `runs.jsonl`. The others are guests.

mod claims;
mod gather;
mod member;
mod others;

pub(crate) use gather::Part;
pub(in crate::run) use gather::{gather, remove_part};
pub use member::Seen;
pub(in crate::run) use others::{part, parts};

use crate::files::{FileError, create_folders, remove_folder, remove_leftovers};
use crate::trainer::JobCell;
use claims::Claims;
use member::{Member, Watcher};
use others::Others;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the folder in a results folder.
pub const FOLDER: &str = ".share";
/// Time between looks at what other processes do.
pub const LOOK: Duration = Duration::from_millis(250);
/// Name of the claim on the folder itself.
const OWNER: &str = "owner";

/// How processes share a results folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Sharing {
    /// Never own the folder: only train cells.
    pub guest: bool,
    /// Wait for cells that other processes are training, and train them if these end.
    pub wait: bool,
    /// Time without a sign of life after which a process counts as dead.
    pub lease: Duration,
    /// Ids of the only cells to train; `None` for all.
    pub cells: Option<BTreeSet<String>>,
    /// Train all cells of a seed on one kind of machine: the name of this kind.
    pub kind: Option<String>,
}

impl Sharing {
    /// The usual lease.
    pub const LEASE: Duration = Duration::from_secs(60);
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            guest: false,
            wait: true,
            lease: Self::LEASE,
            cells: None,
            kind: None,
        }
    }
}

/// The part of a process in sharing a results folder. It ends when it is dropped.
#[derive(Debug)]
pub struct Share {
    folder: PathBuf,
    member: Member,
    watcher: Watcher,
    claims: Claims,
    others: Others,
    kind: Option<String>,
}

impl Share {
    /// Joins in the results folder `folder`.
    ///
    /// # Errors
    /// If a file cannot be created.
    pub fn join(folder: &Path, sharing: &Sharing) -> Result<Self, FileError> {
        let own = folder.join(FOLDER);
        // A process that ends removes the folder if it is empty, which it is only for a moment.
        let join = || {
            create_folders(&own)?;
            Member::new(&own, sharing.lease)
        };
        let mut member = join();
        for _ in 0..claims::RETRIES {
            match &member {
                Err(e) if e.cause.kind() == ErrorKind::NotFound => member = join(),
                _ => break,
            }
        }
        let member = member?;
        Ok(Self {
            claims: Claims::new(&own, member.name()),
            others: Others::new(folder),
            watcher: Watcher::new(&own, member.name(), sharing.lease),
            member,
            folder: own,
            kind: sharing.kind.clone(),
        })
    }

    /// Becomes the owner, unless another process is. Returns whether it is now.
    ///
    /// # Errors
    /// If the claim cannot be written.
    pub(super) fn own(&mut self) -> Result<bool, FileError> {
        self.claim(OWNER)
    }

    /// Claims the name `what`, which is no cell. Returns whether this process has it now.
    ///
    /// # Errors
    /// If the claim cannot be written.
    pub fn claim(&mut self, what: &str) -> Result<bool, FileError> {
        self.claims.claim(what, &mut self.watcher)
    }

    /// Path of the journal of this process, if it is a guest.
    pub(super) fn journal(&self) -> PathBuf {
        self.folder.join(format!("{}.jsonl", self.member.name()))
    }

    /// Path of the provenance of this process, if it is a guest.
    pub(super) fn origin(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.member.name()))
    }

    /// Counts as known what other processes have recorded until now. `own` is the journal that this process writes. To be
    /// called before that is read which this process knows.
    pub(super) fn begin(&mut self, own: &Path) {
        self.others.begin(own);
    }

    /// Reads what other processes have recorded since the last call, and returns the ids of their cells. Records of
    /// failed cells count, too.
    pub(super) fn recorded(&mut self) -> BTreeSet<String> {
        self.others.new_cells()
    }

    /// Claims those of `cells` that no other process has. Returns them, and the rest.
    ///
    /// # Errors
    /// If a claim cannot be written. Then no cell stays claimed.
    pub(super) fn claim_cells(
        &mut self,
        cells: Vec<JobCell>,
    ) -> Result<(Vec<JobCell>, Vec<JobCell>), FileError> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for cell in cells {
            match self.claim_cell(&cell) {
                Ok(true) => ours.push(cell),
                Ok(false) => theirs.push(cell),
                Err(error) => {
                    self.release(&ours);
                    return Err(error);
                }
            }
        }
        Ok((ours, theirs))
    }

    fn claim_cell(&mut self, cell: &JobCell) -> Result<bool, FileError> {
        if let Some(kind) = &self.kind
            && !self.claims.pin(cell.seed, kind)?
        {
            return Ok(false);
        }
        self.claims.claim(&cell.id, &mut self.watcher)
    }

    /// Gives up the claims on `cells`, after their records are on disk.
    pub(super) fn release(&mut self, cells: &[JobCell]) {
        for cell in cells {
            self.claims.release(&cell.id);
        }
    }

    /// Whether this process could claim `cell` now.
    pub(super) fn is_free(&mut self, cell: &JobCell) -> bool {
        self.may_train(cell) && self.claims.is_free(&cell.id, &mut self.watcher)
    }

    /// Whether this process is of the kind that trains the seed of `cell`.
    pub(super) fn may_train(&self, cell: &JobCell) -> bool {
        let kind = self.kind.as_ref();
        kind.is_none_or(|kind| {
            self.claims
                .pinned(cell.seed)
                .is_none_or(|other| other == *kind)
        })
    }

    /// Names of the other processes that are alive.
    pub(super) fn company(&mut self) -> Vec<String> {
        let own = self.member.name().to_owned();
        let names = member::names(&self.folder).into_iter();
        let others: Vec<String> = names.filter(|name| *name != own).collect();
        (others.into_iter())
            .filter(|name| self.watcher.is_alive(name))
            .collect()
    }

    /// The process that owns the folder, if there is one.
    pub(super) fn owner(&mut self) -> Option<Seen> {
        let name = self.claims.holder(OWNER, &mut self.watcher)?;
        member::seen(&self.folder, &name)
    }

    /// Removes the claims, signs of life and temporary files that ended processes left, unless one is alive; with
    /// `pins` also which kind of machine trains which seed.
    pub(super) fn clean(&mut self, pins: bool) {
        remove_leftovers(&self.folder);
        if self.company().is_empty() {
            self.claims.clear(pins);
            for name in member::names(&self.folder) {
                if name != self.member.name() {
                    member::forget(&self.folder, &name);
                }
            }
            gather::remove_origins(&self.folder);
        }
    }
}

#[cfg(test)]
impl Share {
    /// Ends as a process does that is killed: its files stay.
    pub(super) fn vanish(mut self) {
        self.member.vanish();
        self.claims.forget_all();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.claims.release_all();
        self.member.end();
        // These stay if another process has files there.
        let _ = remove_folder(&self.folder.join(claims::FOLDER));
        let _ = remove_folder(&self.folder);
    }
}

/// Whether guests left records in the results folder `folder` that were not taken in.
pub fn has_guests(folder: &Path) -> bool {
    !parts(folder).is_empty()
}

/// A cell that a process is training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Id of the cell.
    pub cell: String,
    /// The process.
    pub process: Seen,
}

/// The cells below `folder`, a results folder, that processes are training now, as far as can be told without
/// waiting: a process on another machine counts as alive if its sign of life is younger than `lease`.
pub fn running(folder: &Path, lease: Duration) -> Vec<Running> {
    let own = folder.join(FOLDER);
    let holders: BTreeMap<String, String> = claims::holders(&own);
    let cells = holders.into_iter().filter(|(cell, _)| cell != OWNER);
    cells
        .filter_map(|(cell, name)| {
            let process = member::seen(&own, &name)?;
            (process.is_there(lease)).then_some(Running { cell, process })
        })
        .collect()
}
