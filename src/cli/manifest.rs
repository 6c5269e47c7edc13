//! Which files `SHA256SUMS` of a results folder lists.
//!
//! It lists what a report consists of: the files that are derived from records, whichever these are, and the
//! records themselves. `provenance.json` is not among them, because it differs between equal runs; it has a
//! checksum of its own.

use super::folder::DerivedFile;
use super::seeds;
use crate::compare::results::COMPARISON_FILE;
use crate::files::{FileError, SUMS_FILE, Sums, remove_leftovers, write_atomic};
use crate::run::{looks, runs};
use crate::text::markdown::without_html;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Files of a results folder that are not derived from others.
pub(crate) const KEPT: [&str; 4] = [runs::NAME, looks::NAME, seeds::NAME, COMPARISON_FILE];

/// `files`, which belong to `folder` and its subfolders, as they are published: pages without HTML of others,
/// and the `SHA256SUMS` of all of them and of the files that are kept there.
///
/// # Errors
/// If a file cannot be read.
pub(crate) fn published(
    mut files: Vec<DerivedFile>,
    folder: &Path,
) -> Result<Vec<DerivedFile>, FileError> {
    let mut sums = Sums::default();
    for file in &mut files {
        if file
            .path
            .extension()
            .is_some_and(|extension| extension == "md")
        {
            file.content = file.content.as_deref().map(without_html);
        }
        let name = file.path.strip_prefix(folder).unwrap_or(&file.path);
        if let Some(content) = &file.content {
            sums.add(
                &name.to_string_lossy().replace('\\', "/"),
                content.as_bytes(),
            );
        }
    }
    for name in KEPT {
        sums.add_file(folder, name)?;
    }
    files.push(DerivedFile {
        path: folder.join(SUMS_FILE),
        content: Some(sums.to_string()),
    });
    Ok(files)
}

/// Writes `files`, after what killed programs left beside them is removed. Returns the paths of those that
/// changed.
///
/// # Errors
/// If one cannot be written.
pub(crate) fn write(files: &[DerivedFile]) -> Result<Vec<&Path>, FileError> {
    let folders: BTreeSet<PathBuf> = (files.iter())
        .filter_map(|file| Some(file.path.parent()?.to_owned()))
        .collect();
    for folder in &folders {
        remove_leftovers(folder);
    }
    let mut written = Vec::new();
    for file in files {
        if file.write()? {
            written.push(file.path.as_path());
        }
    }
    Ok(written)
}

/// Hashes the files that are kept in `folder` again, after the program changed them, if there is a
/// `SHA256SUMS`.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn refresh(folder: &Path) -> Result<(), FileError> {
    let Some(mut sums) = Sums::read(folder)? else {
        return Ok(());
    };
    for name in KEPT {
        sums.add_file(folder, name)?;
    }
    write_atomic(&folder.join(SUMS_FILE), sums.to_string().as_bytes())?;
    Ok(())
}
