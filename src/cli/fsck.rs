//! `ablate fsck`.

mod checks;
mod files;
mod mend;

use super::arguments::{Format, FormatArg, OTHER_RESULTS, RESULTS};
use super::console::Console;
use super::exit::{Code, Failure};
use super::root;
use crate::compare::results::COMPARISON_FILE;
use crate::run::{journal, runs};
use crate::spec::RESOLVED_FILE;
use crate::text::counted;
use checks::{Checked, Kind};
use files::exists;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Results folder of an experiment, or folder that holds
    /// several [default: results and ablate-results]
    #[arg(value_name = "DIR", verbatim_doc_comment)]
    folders: Vec<PathBuf>,
    /// Repair what needs no training: remove leftovers, set
    /// damaged lines aside, take missing records from the
    /// journal, and write derived files again
    #[arg(long, verbatim_doc_comment)]
    repair: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// What was found in a folder, for `--format json`.
#[derive(Debug, Serialize)]
struct Found<'a> {
    folder: String,
    records: usize,
    files: usize,
    problems: &'a [checks::Problem],
}

pub(super) fn fsck(args: &Args, console: &Console) -> Result<Code, Failure> {
    let folders = folders(args)?;
    let mut all = Vec::new();
    for folder in &folders {
        let mut checked = checks::check(folder);
        if args.repair && !checked.problems.is_empty() {
            for text in mend::mend(folder, &checked, console)? {
                console.info(&format!("{}: {text}", folder.path.display()));
            }
            checked = checks::check(folder);
        }
        all.push(checked);
    }
    match args.format.format {
        Format::Json => {
            let found: Vec<Found<'_>> = folders.iter().zip(&all).map(found).collect();
            console.print_json(&found)?;
        }
        Format::Text => {
            for (folder, checked) in folders.iter().zip(&all) {
                show(folder, checked, console)?;
            }
        }
    }
    let damage: Vec<String> = (folders.iter().zip(&all))
        .flat_map(|(folder, checked)| checked.of(Kind::Damage).map(|p| p.text(&folder.path)))
        .collect();
    match damage.is_empty() {
        true => Ok(Code::Done),
        false => Err(Failure::several(Code::Differs, damage)),
    }
}

fn found<'a>((folder, checked): (&Folder, &'a Checked)) -> Found<'a> {
    Found {
        folder: folder.path.display().to_string(),
        records: checked.records,
        files: checked.files,
        problems: &checked.problems,
    }
}

/// Prints a line about an intact folder, and warnings. Damage becomes the errors of the program.
fn show(folder: &Folder, checked: &Checked, console: &Console) -> Result<(), Failure> {
    for problem in checked.of(Kind::Leftover) {
        console.warn(&problem.text(&folder.path));
    }
    for problem in checked.of(Kind::Note) {
        console.info(&problem.text(&folder.path));
    }
    if checked.of(Kind::Damage).next().is_some() {
        return Ok(());
    }
    console.print(&format!(
        "ok {}: {}, {} checked by hash\n",
        folder.path.display(),
        counted(checked.records, "record"),
        counted(checked.files, "file"),
    ))
}

/// A folder to check.
#[derive(Clone, Debug)]
struct Folder {
    path: PathBuf,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Records of one experiment.
    Experiment,
    /// A comparison of devices.
    Comparison,
    /// The overview of several experiments, and the pages of the claims.
    Overview,
}

/// The folders that the arguments name, with those in them.
fn folders(args: &Args) -> Result<Vec<Folder>, Failure> {
    let given = match args.folders.is_empty() {
        true => [RESULTS, OTHER_RESULTS].map(root::beside).to_vec(),
        false => args.folders.clone(),
    };
    let mut found = Vec::new();
    for path in &given {
        let before = found.len();
        collect(path, &mut found);
        if found.len() == before && !args.folders.is_empty() {
            return Err(Failure::unavailable(format!(
                "there are no results in `{}`; give a folder that `ablate run` wrote",
                path.display()
            )));
        }
    }
    match found.is_empty() {
        true => Err(Failure::unavailable(
            "there are no results here; give the folder of results, as in `ablate fsck DIR`",
        )),
        false => Ok(found),
    }
}

/// Adds `path` if it has results of its own, or else the folders below it, at most two levels down.
fn collect(path: &Path, found: &mut Vec<Folder>) {
    let add = |path: &Path, content: Content, found: &mut Vec<Folder>| {
        found.push(Folder {
            path: path.to_owned(),
            content,
        });
    };
    if let Some(content) = content(path) {
        return add(path, content, found);
    }
    let mut below = Vec::new();
    for folder in subfolders(path) {
        match content(&folder) {
            Some(content) => add(&folder, content, &mut below),
            None => {
                for folder in subfolders(&folder) {
                    if let Some(content) = content_of_comparison(&folder) {
                        add(&folder, content, &mut below);
                    }
                }
            }
        }
    }
    if !below.is_empty() {
        found.extend(below);
        add(path, Content::Overview, found);
    }
}

fn content(folder: &Path) -> Option<Content> {
    let of_experiment = [runs::NAME, journal::NAME, RESOLVED_FILE];
    match of_experiment.iter().any(|name| exists(folder, name)) {
        true => Some(Content::Experiment),
        false => content_of_comparison(folder),
    }
}

fn content_of_comparison(folder: &Path) -> Option<Content> {
    exists(folder, COMPARISON_FILE).then_some(Content::Comparison)
}

/// Folders in `path` by name, without links.
fn subfolders(path: &Path) -> Vec<PathBuf> {
    let entries = path.read_dir().into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}
