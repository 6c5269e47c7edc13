//! Repairs that need no training.

use super::checks::{Checked, Kind};
use super::{Content, Folder};
use crate::cli::console::Console;
use crate::cli::exit::Failure;
use crate::cli::{manifest, report, root};
use crate::files::{SUMS_FILE, remove, remove_leftovers};
use crate::provenance::{NAME as PROVENANCE, RUNNING_NAME, republish};
use crate::report::CLAIMS_FOLDER;
use crate::run::{journal, repair, runs};
use crate::spec::RESOLVED_FILE;
use crate::text::counted;
use std::path::{Path, PathBuf};

/// Repairs `folder` as far as that needs no training. Returns a message for each thing that was done.
pub(super) fn mend(
    folder: &Folder,
    checked: &Checked,
    console: &Console,
) -> Result<Vec<String>, Failure> {
    let path = &folder.path;
    let mut done = Vec::new();
    match (folder.content, &checked.plan) {
        (Content::Experiment, Some(plan)) => {
            done.extend(repair(path, plan)?);
            if checked.is_damaged(RUNNING_NAME) {
                remove(&path.join(RUNNING_NAME))?;
                done.push(format!("removed the damaged `{RUNNING_NAME}`"));
            } else if checked.is_damaged(PROVENANCE) && republish(path, &plan.ids())? {
                done.push(format!("wrote `{PROVENANCE}` again"));
            }
        }
        _ => {
            let folders = [path.clone(), path.join(CLAIMS_FOLDER)];
            let removed: usize = folders.iter().map(|folder| remove_leftovers(folder)).sum();
            if removed > 0 {
                done.push(format!("removed {}", counted(removed, "temporary file")));
            }
        }
    }
    if let Some(name) = lost(folder, checked) {
        done.push(format!(
            "cannot write the report again before `{name}` is restored; restore it with git"
        ));
    } else if checked
        .of(Kind::Damage)
        .any(|problem| is_derived(&problem.file))
    {
        if checked.is_damaged(runs::NAME) {
            done.push(format!(
                "the report is that of the intact records of `{}`; `ablate verify --all` trains them again",
                runs::NAME
            ));
        }
        done.extend(rebuild(folder, console)?);
    }
    Ok(done)
}

/// Whether a report has to be written again if `file` was damaged.
fn is_derived(file: &str) -> bool {
    ![PROVENANCE, RUNNING_NAME, journal::NAME].contains(&file)
}

/// A damaged file from which the others are derived, and which is not repaired here.
fn lost(folder: &Folder, checked: &Checked) -> Option<&'static str> {
    let is_repaired = |name: &str| folder.content == Content::Experiment && name == runs::NAME;
    let kept = manifest::KEPT.into_iter();
    let mut kept = kept.filter(|name| !is_repaired(name));
    let resolved = own_file(folder).is_none().then_some(RESOLVED_FILE);
    let lost = kept.find(|name| checked.is_damaged(name));
    lost.or(resolved.filter(|name| checked.is_damaged(name)))
}

/// The experiment file from which the experiment in `folder` was made, if it is in the folder of experiments.
fn own_file(folder: &Folder) -> Option<PathBuf> {
    let name = folder.path.file_name()?.to_string_lossy();
    let path = root::experiments().join(format!("{name}.toml"));
    path.is_file().then_some(path)
}

/// Writes the derived files of `folder` again.
fn rebuild(folder: &Folder, console: &Console) -> Result<Vec<String>, Failure> {
    let above = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let file = own_file(folder).unwrap_or_else(|| folder.path.join(RESOLVED_FILE));
    let (file, results) = match folder.content {
        Content::Experiment => (Some(file.as_path()), above(&folder.path)),
        Content::Comparison => (None, above(&above(&folder.path))),
        Content::Overview => (None, folder.path.clone()),
    };
    Ok(match report::rebuild(file, &results, console) {
        Ok(()) => vec![format!("wrote the derived files and `{SUMS_FILE}` again")],
        // Damage that remains is found again by the next check.
        Err(error) => error.into_messages(),
    })
}
