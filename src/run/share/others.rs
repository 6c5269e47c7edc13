//! What other processes have recorded: reading on in their journals.

use super::FOLDER;
use crate::files::{self, FileError};
use crate::plan::Plan;
use crate::run::journal;
use crate::run::lines::{Line, Lines};
use crate::run::meaning;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The journals of all processes but this one in a results folder.
#[derive(Debug)]
pub(super) struct Others {
    folder: PathBuf,
    /// The journal of this process, which is not read.
    own: PathBuf,
    /// Number of bytes that were read of each journal.
    read: BTreeMap<PathBuf, u64>,
}

impl Others {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            own: PathBuf::new(),
            read: BTreeMap::new(),
        }
    }

    /// Leaves out `own`, the journal of this process, and what is in the others now.
    pub(super) fn begin(&mut self, own: &Path) {
        own.clone_into(&mut self.own);
        for path in journals(&self.folder) {
            if path != self.own {
                let end = complete(&path).unwrap_or(0);
                self.read.insert(path, end);
            }
        }
    }

    /// The ids of the cells with a record that was not read before. What cannot be read counts as not recorded: then
    /// the cell may be trained twice, which does no harm.
    pub(super) fn new_cells(&mut self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for path in journals(&self.folder) {
            if path != self.own {
                let from = self.read.entry(path.clone()).or_default();
                let _ = read_on(&path, from, &mut found);
            }
        }
        found
    }
}

/// The journal of `folder` and those of its guests.
fn journals(folder: &Path) -> Vec<PathBuf> {
    let mut found = parts(folder);
    found.push(folder.join(journal::NAME));
    found
}

/// The journals of the guests in `folder`, in the order of their names.
pub(in crate::run) fn parts(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.join(FOLDER).read_dir().into_iter().flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    found.sort();
    found
}

/// Length of the complete lines of a journal, in bytes.
fn complete(path: &Path) -> io::Result<u64> {
    const BLOCK: u64 = 1 << 16;
    let mut file = files::open(path)?;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        file.by_ref().take(end - start).read_to_end(&mut block)?;
        if let Some(last) = block.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The records in the journal of a guest, checked against `plan`; `None` if it was taken in, or its guest ended without a
/// record.
///
/// # Errors
/// If it cannot be read.
pub(in crate::run) fn part(path: &Path, plan: &Plan) -> Result<Option<Lines<Line>>, FileError> {
    match files::read(path) {
        Ok(bytes) => Ok(Some(journal::parse(path, &bytes, plan))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(FileError::of("read", path)(e)),
    }
}

fn read_on(path: &Path, from: &mut u64, found: &mut BTreeSet<String>) -> io::Result<()> {
    let mut file = files::open(path)?;
    let size = file.metadata()?.len();
    if size < *from {
        // It was repaired.
        *from = 0;
    }
    if size == *from {
        return Ok(());
    }
    file.seek(SeekFrom::Start(*from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let lines: Lines<Line> = meaning::parse(path, &bytes, None);
    *from += lines.whole as u64;
    found.extend(lines.records.into_iter().map(|line| line.id().to_string()));
    Ok(())
}
