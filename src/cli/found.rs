//! Results folders by name or path, with what can be read from them without any experiment file.

use super::arguments::{OTHER_RESULTS, RESULTS, ResultsArg};
use super::console::Console;
use super::exit::Failure;
use super::root;
use crate::analysis::Summary;
use crate::files::{FileError, read_text};
use crate::record::CellRecord;
use crate::report::SUMMARY_FILE;
use crate::run::runs::{self, read_runs};
use crate::spec::{CLAIMS_FILE, Claim, nearest};
use crate::text::counted;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A results folder and its summary.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) folder: PathBuf,
    pub(crate) summary: Summary,
}

impl Found {
    /// The records in the folder, with a warning about damaged lines.
    ///
    /// # Errors
    /// If the file of records cannot be read.
    pub(crate) fn records(&self, console: &Console) -> Result<Vec<CellRecord>, Failure> {
        let path = self.folder.join(runs::NAME);
        let read = read_runs(&path)?;
        if !read.damaged.is_empty() {
            console.warn(&format!(
                "leaving out {} of `{}`; `ablate fsck` says more",
                counted(read.damaged.len(), "damaged line"),
                path.display()
            ));
        }
        Ok(read.records)
    }
}

/// What a name stands for.
#[derive(Debug)]
pub(crate) enum Named {
    Results(Box<Found>),
    Claim(Box<Claim>),
}

/// The folders in which results are looked for.
#[derive(Debug)]
pub(crate) struct Places {
    roots: Vec<PathBuf>,
    claims: Vec<Claim>,
}

impl Places {
    /// The folder that is given, or else the two usual ones; claims are those beside `experiments`.
    ///
    /// # Errors
    /// If the file of claims is not valid.
    pub(crate) fn new(results: &ResultsArg, experiments: &Path) -> Result<Self, Failure> {
        let roots = match results.given() {
            Some(given) => vec![given.to_owned()],
            None => [RESULTS, OTHER_RESULTS].map(root::beside).to_vec(),
        };
        let claims = Claim::load_all(experiments)?;
        Ok(Self { roots, claims })
    }

    /// The first of the folders: that of unchanged experiments.
    pub(crate) fn first(&self) -> &Path {
        &self.roots[0]
    }

    /// The results or the claim called `name`: the path of a results folder, its name, or a claim.
    ///
    /// # Errors
    /// If there is nothing of this name, or its summary cannot be read.
    pub(crate) fn find(&self, name: &str) -> Result<Named, Failure> {
        if let Some(folder) = self.folder(name) {
            return Ok(Named::Results(Box::new(read(folder)?)));
        }
        let claim = (self.claims.iter()).find(|claim| claim.name.eq_ignore_ascii_case(name));
        match claim {
            Some(claim) => Ok(Named::Claim(Box::new(claim.clone()))),
            None => Err(self.unknown(name, "results or claim")),
        }
    }

    /// The results called `name`.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(crate) fn results(&self, name: &str) -> Result<Found, Failure> {
        match self.folder(name) {
            Some(folder) => read(folder),
            None => Err(self.unknown(name, "results")),
        }
    }

    /// The claim called `name`.
    ///
    /// # Errors
    /// If it is not declared.
    pub(crate) fn claim(&self, name: &str) -> Result<&Claim, Failure> {
        let claim = (self.claims.iter()).find(|claim| claim.name.eq_ignore_ascii_case(name));
        claim.ok_or_else(|| {
            let names: Vec<&str> = self.claims.iter().map(|claim| &*claim.name).collect();
            let advice = match nearest(name, &names) {
                _ if names.is_empty() => format!(
                    "`{CLAIMS_FILE}` in the folder of experiments declares claims; name the folder with \
                     `--experiments DIR`"
                ),
                _ if self.folder(name).is_some() => {
                    format!("it is an experiment: `ablate show {name}` shows its results")
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("claims are {}", quoted(&names)),
            };
            Failure::usage(format!("there is no claim `{name}`; {advice}"))
        })
    }

    fn folder(&self, name: &str) -> Option<PathBuf> {
        let has_summary = |folder: &PathBuf| folder.join(SUMMARY_FILE).is_file();
        let below = |root: &PathBuf| Some(root.join(name)).filter(has_summary);
        let path = PathBuf::from(name);
        let path = match path.ends_with(SUMMARY_FILE) {
            true => path.parent().map(Path::to_owned).unwrap_or_default(),
            false => path,
        };
        let is_path = name.contains(['/', '\\']) || name.starts_with('.');
        let own = Some(path).filter(|path| has_summary(path));
        match is_path {
            true => own.or_else(|| self.roots.iter().find_map(below)),
            false => self.roots.iter().find_map(below).or(own),
        }
    }

    fn unknown(&self, name: &str, what: &str) -> Failure {
        let entries = self
            .roots
            .iter()
            .flat_map(|root| root.read_dir().into_iter().flatten());
        let folders = entries
            .flatten()
            .filter(|entry| entry.path().join(SUMMARY_FILE).is_file());
        let mut names: BTreeSet<String> = folders
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        if what.contains("claim") {
            names.extend(self.claims.iter().map(|claim| claim.name.clone()));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let roots: Vec<String> = self
            .roots
            .iter()
            .map(|root| format!("`{}`", root.display()))
            .collect();
        let advice = match nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => {
                "train with `ablate run`, or give the path of a results folder".to_owned()
            }
            None => format!(
                "`ablate list` lists the {}; the path of a results folder works, too",
                counted(names.len(), "name")
            ),
        };
        Failure::usage(format!(
            "there is no {what} called `{name}` in {}; {advice}",
            roots.join(" or ")
        ))
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn read(folder: PathBuf) -> Result<Found, Failure> {
    let path = folder.join(SUMMARY_FILE);
    let text = read_text(&path).map_err(FileError::of("read", &path))?;
    match serde_json::from_str(&text) {
        Ok(summary) => Ok(Found { folder, summary }),
        Err(error) => Err(Failure::unavailable(format!(
            "`{}` was written by another version of `ablate`: {error}; rebuild it with `ablate report {}`",
            path.display(),
            folder.display()
        ))),
    }
}
