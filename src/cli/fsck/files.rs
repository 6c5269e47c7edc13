//! The files of a results folder: leftovers, and the hashes of what is published.

use super::checks::{Checked, Kind};
use super::{Content, Folder};
use crate::files::{SUMS_FILE, Sums, is_leftover};
use crate::provenance::NAME as PROVENANCE;
use crate::run::{journal, runs};
use std::collections::BTreeSet;
use std::path::Path;

/// Files that a killed or repaired run left, and entries that are no regular files.
pub(super) fn leftovers(folder: &Path, checked: &mut Checked) {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type();
        let is_ordinary =
            |kind: std::fs::FileType| kind.is_file() || kind.is_dir() || kind.is_symlink();
        if !kind.is_ok_and(is_ordinary) {
            checked.damage(&name, "it is not a regular file; remove it");
        } else if is_leftover(&entry.file_name()) {
            let what = "a temporary file that a killed program left; `--repair` removes it";
            checked.add(Kind::Leftover, &name, what);
        } else if name.ends_with(".damaged") {
            let what = "damaged lines that were set aside; nothing reads them";
            checked.add(Kind::Leftover, &name, what);
        } else if name.starts_with(".cells.") && name != journal::NAME {
            let what = "an old journal that `--fresh` renamed; nothing reads it";
            checked.add(Kind::Leftover, &name, what);
        }
    }
}

/// Whether every published file has the hash in `SHA256SUMS`.
pub(super) fn hashes(folder: &Folder, checked: &mut Checked) {
    let path = &folder.path;
    let sums = match Sums::read(path) {
        Ok(Some(sums)) => sums,
        Ok(None) => {
            let is_published = match folder.content {
                Content::Experiment => exists(path, runs::NAME),
                Content::Comparison => true,
                Content::Overview => exists(path, "README.md"),
            };
            if is_published {
                let what = "it is missing, so published files cannot be checked; `ablate report` writes it";
                checked.damage(SUMS_FILE, what);
            }
            return;
        }
        Err(error) => return checked.damage(SUMS_FILE, error.to_string()),
    };
    for name in sums.names() {
        checked.files += 1;
        if let Some(fault) = sums.fault(path, name) {
            checked.damage(name, fault);
        }
    }
    if folder.content != Content::Experiment {
        return;
    }
    let listed: BTreeSet<&str> = sums.names().chain([SUMS_FILE, PROVENANCE]).collect();
    let entries = path.read_dir().into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.path().is_file()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !name.ends_with(".damaged") && !listed.contains(name.as_str())
        {
            checked.note(&name, format!("it is not listed in `{SUMS_FILE}`"));
        }
    }
}

/// Whether there is anything called `name` in `folder`.
pub(super) fn exists(folder: &Path, name: &str) -> bool {
    folder.join(name).symlink_metadata().is_ok()
}
