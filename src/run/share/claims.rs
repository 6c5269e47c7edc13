//! Claims: files that only one process can create.

use super::member::Watcher;
use crate::files::{FileError, create_folder, read_exclusive, remove_unsynced, write_exclusive};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of the folder of claims.
pub(super) const FOLDER: &str = "claims";
/// Most attempts to write in a folder that others remove.
pub(super) const RETRIES: usize = 20;
/// Start of the names of files that pin a seed to a kind of machine.
const PIN: &str = "seed-";

/// The claims of a process.
///
/// The first claim on something is `NAME.1`. If its process died, another one creates `NAME.2`, and so on: of several
/// processes that see a dead claim, only one creates the next. Dead claims stay until that of their successor is
/// released, so the numbers of the claims on one thing have no gap.
#[derive(Debug)]
pub(super) struct Claims {
    folder: PathBuf,
    member: String,
    /// Numbers of the held claims.
    held: BTreeMap<String, u32>,
}

impl Claims {
    pub(super) fn new(folder: &Path, member: &str) -> Self {
        Self {
            folder: folder.join(FOLDER),
            member: member.to_owned(),
            held: BTreeMap::new(),
        }
    }

    fn path(&self, what: &str, number: u32) -> PathBuf {
        self.folder.join(format!("{what}.{number}"))
    }

    /// Claims `what`. Returns whether this process has the claim.
    pub(super) fn claim(&mut self, what: &str, watcher: &mut Watcher) -> Result<bool, FileError> {
        if self.held.contains_key(what) {
            return Ok(true);
        }
        let mut number = 1;
        loop {
            let path = self.path(what, number);
            if self.write(&path, &self.member)? {
                self.held.insert(what.to_owned(), number);
                return Ok(true);
            }
            match self.is_dead(&path, watcher) {
                Some(true) => number += 1,
                Some(false) => return Ok(false),
                // It was released in between.
                None => number = 1,
            }
        }
    }

    /// Writes `text` to `path`, unless there is something.
    fn write(&self, path: &Path, text: &str) -> Result<bool, FileError> {
        let mut written = write_exclusive(path, text);
        for _ in 0..RETRIES {
            match &written {
                // A process that ended removed the folder, which was empty.
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    let _ = create_folder(&self.folder);
                    written = write_exclusive(path, text);
                }
                _ => break,
            }
        }
        written.map_err(FileError::of("create", path))
    }

    /// Whether the process of the claim `path` is dead; `None` if there is no claim.
    fn is_dead(&self, path: &Path, watcher: &mut Watcher) -> Option<bool> {
        match read_exclusive(path) {
            // On a file system without links its process may have created it and not written to it yet.
            Ok(holder) if holder.is_empty() && cfg!(not(unix)) => {
                Some(!watcher.is_fresh(&path.to_string_lossy(), 0))
            }
            Ok(holder) => Some(!watcher.is_alive(&holder)),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(_) => Some(true),
        }
    }

    /// The living process that has the claim on `what`.
    pub(super) fn holder(&self, what: &str, watcher: &mut Watcher) -> Option<String> {
        let numbers = 1..;
        let paths = numbers.map(|number| self.path(what, number));
        let claims = paths.map_while(|path| read_exclusive(&path).ok());
        claims.filter(|name| watcher.is_alive(name)).last()
    }

    /// Whether no living process has a claim on `what`.
    pub(super) fn is_free(&self, what: &str, watcher: &mut Watcher) -> bool {
        let paths = (1..).map(|number| self.path(what, number));
        let mut claims = paths.map_while(|path| self.is_dead(&path, watcher));
        claims.all(|dead| dead)
    }

    /// Gives up the claim on `what`, and removes those of dead processes before it.
    pub(super) fn release(&mut self, what: &str) {
        if let Some(last) = self.held.remove(what) {
            for number in 1..=last {
                // One that stays has no living process once this one ends.
                let _ = remove_unsynced(&self.path(what, number));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn forget_all(&mut self) {
        self.held.clear();
    }

    pub(super) fn release_all(&mut self) {
        let held: Vec<String> = self.held.keys().cloned().collect();
        for what in held {
            self.release(&what);
        }
    }

    /// Removes the claims that this process does not hold, and with `pins` also the pins. For a process that is
    /// alone.
    pub(super) fn clear(&self, pins: bool) {
        let entries = self.folder.read_dir().into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let remove = match name.rsplit_once('.') {
                Some((what, _)) => !self.held.contains_key(what),
                None => pins,
            };
            if remove {
                let _ = remove_unsynced(&entry.path());
            }
        }
    }

    /// Lets machines of `kind` train the cells of `seed`, unless it is pinned to another kind. Returns whether
    /// this kind trains them.
    pub(super) fn pin(&self, seed: u64, kind: &str) -> Result<bool, FileError> {
        let path = self.pin_path(seed);
        let created = self.write(&path, kind)?;
        Ok(created || self.pinned(seed).is_none_or(|other| other == kind))
    }

    /// The kind of machine that trains the cells of `seed`.
    pub(super) fn pinned(&self, seed: u64) -> Option<String> {
        let kind = read_exclusive(&self.pin_path(seed)).ok()?;
        (!kind.is_empty()).then_some(kind)
    }

    fn pin_path(&self, seed: u64) -> PathBuf {
        self.folder.join(format!("{PIN}{seed}"))
    }
}

/// The process that has the last claim on each thing, by its name, alive or not.
pub(super) fn holders(folder: &Path) -> BTreeMap<String, String> {
    let entries = folder.join(FOLDER).read_dir().into_iter().flatten();
    let mut found: BTreeMap<String, (u32, String)> = BTreeMap::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.rsplit_once('.'));
        let claim = parts.and_then(|(what, number)| Some((what.to_owned(), number.parse().ok()?)));
        let Some((what, number)) = claim else {
            continue;
        };
        let Ok(holder) = read_exclusive(&entry.path()) else {
            continue;
        };
        if found.get(&what).is_none_or(|(known, _)| *known < number) {
            found.insert(what, (number, holder));
        }
    }
    let found = found.into_iter();
    found.map(|(what, (_, holder))| (what, holder)).collect()
}
