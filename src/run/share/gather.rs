//! Taking the journals of guests into the journal of their folder.

use super::others::{part, parts};
use crate::files::{FileError, remove, remove_unsynced};
use crate::plan::Plan;
use crate::run::journal::Journal;
use crate::run::lines::Line;
use crate::run::{Disagreement, RunError, agree, damage};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The journal of a guest that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    path: PathBuf,
    /// Cells with a record in it.
    pub(crate) cells: BTreeSet<String>,
}

impl Part {
    /// Path of the provenance of the guest.
    pub(crate) fn origin(&self) -> PathBuf {
        origin_of(&self.path)
    }

    /// Removes the files of a guest that has ended.
    pub(crate) fn remove(&self) -> Result<(), FileError> {
        remove_part(&self.path)
    }

    /// Name of the guest.
    pub(crate) fn name(&self) -> &str {
        let stem = self.path.file_stem().and_then(|stem| stem.to_str());
        stem.unwrap_or_default()
    }
}

/// Path of the provenance of the guest with the journal `journal`.
fn origin_of(journal: &Path) -> PathBuf {
    journal.with_extension("json")
}

/// Removes the journal of a guest and its provenance.
///
/// # Errors
/// If that fails.
pub(in crate::run) fn remove_part(journal: &Path) -> Result<(), FileError> {
    remove(journal)?;
    let origin = origin_of(journal);
    match origin.exists() {
        true => remove(&origin),
        false => Ok(()),
    }
}

/// Removes provenance without a journal, which a process leaves that is killed while it removes both.
pub(super) fn remove_origins(folder: &Path) {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let is_origin = path.extension().is_some_and(|ending| ending == "json");
        if is_origin && !path.with_extension("jsonl").exists() {
            let _ = remove_unsynced(&path);
        }
    }
}

/// Appends to `journal`, that of `folder`, the records of its guests that it lacks. A record takes the place of a
/// failure. Returns the journals of the guests, and a notice for each damaged line, and for an unfinished last line of a
/// guest that is not one of `alive`, which may still be writing it.
///
/// # Errors
/// If two processes have different numbers for one cell, or a file cannot be read or written.
pub(crate) fn gather(
    folder: &Path,
    plan: &Plan,
    journal: &mut Journal,
    alive: &[String],
) -> Result<(Vec<Part>, Vec<String>), RunError> {
    let (mut found, mut notices) = (Vec::new(), Vec::new());
    for path in parts(folder) {
        let Some(lines) = part(&path, plan)? else {
            continue;
        };
        notices.extend(damage::keep(&lines.damaged)?);
        let notice = lines.notice(&path);
        let (mut new, mut cells) = (Vec::new(), BTreeSet::new());
        for line in lines.records {
            cells.insert(line.id().to_string());
            if is_new(journal, &line, &path)? {
                new.push(line);
            }
        }
        if !new.is_empty() {
            journal.append_lines(new)?;
        }
        let part = Part { path, cells };
        notices.extend(notice.filter(|_| !alive.iter().any(|name| name == part.name())));
        found.push(part);
    }
    Ok((found, notices))
}

/// Whether `line` of a guest says more than `journal`.
fn is_new(journal: &Journal, line: &Line, path: &Path) -> Result<bool, RunError> {
    match journal.lines().get(line.id()) {
        None => Ok(true),
        Some(ours) if ours.has_failed() => Ok(!line.has_failed()),
        Some(_) if line.has_failed() => Ok(false),
        Some(ours) if agree(ours, line) => Ok(false),
        Some(_) => Err(RunError::Disagreement(Box::new(Disagreement {
            record: line.record(),
            path: path.to_owned(),
        }))),
    }
}
