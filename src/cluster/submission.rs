//! Submissions: which task of which job trains which cells.

use crate::files::{FileError, create_folders, read_text, write_atomic};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Name, in a results folder, of the folder with submissions.
pub const FOLDER: &str = ".submit";

/// A queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Slurm.
    Slurm,
    /// HyperQueue.
    HyperQueue,
}

/// One submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// The queue.
    pub scheduler: Scheduler,
    /// Number of the array job there; absent until the queue has accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Number of the job that writes the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// Ids of the cells of each task.
    pub tasks: Vec<Vec<String>>,
}

impl Submission {
    /// Reads the file `path`.
    ///
    /// # Errors
    /// If it cannot be read or is not a submission.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = read_text(path).map_err(FileError::of("read", path))?;
        serde_json::from_str(&text).map_err(|e| FileError::of("read", path)(e.into()))
    }

    /// Writes the file `path`.
    ///
    /// # Errors
    /// If that fails.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let text = serde_json::to_string(self).expect("plain data has a JSON form");
        write_atomic(path, format!("{text}\n").as_bytes())?;
        Ok(())
    }
}

/// The files of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the submission, from 1.
    pub number: usize,
    folder: PathBuf,
}

impl Place {
    /// The place of the next submission in the results folder `folder`. Nothing is written.
    pub fn next(folder: &Path) -> Self {
        let folder = folder.join(FOLDER);
        let number = numbers(&folder).into_iter().max().unwrap_or(0) + 1;
        Self { number, folder }
    }

    /// Creates the folders.
    ///
    /// # Errors
    /// If that fails.
    pub fn create(&self) -> Result<(), FileError> {
        create_folders(&self.logs())
    }

    /// Path of the list of tasks.
    pub fn tasks(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.number))
    }

    /// Path of the script.
    pub fn script(&self) -> PathBuf {
        self.folder.join(format!("{}.sh", self.number))
    }

    /// Folder of the logs.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }
}

fn numbers(folder: &Path) -> Vec<usize> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbers: Vec<usize> = names
        .filter_map(|name| name.strip_suffix(".json")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The submissions of the results folder `folder`, in their order. Files that cannot be read are left out.
pub fn submissions(folder: &Path) -> Vec<Submission> {
    let folder = folder.join(FOLDER);
    let numbers = numbers(&folder).into_iter();
    let paths = numbers.map(|number| folder.join(format!("{number}.json")));
    paths
        .filter_map(|path| Submission::read(&path).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_are_numbered_and_read_in_order() {
        let dir = tempfile::tempdir().unwrap();
        assert!(submissions(dir.path()).is_empty());
        for number in 1..=11 {
            let place = Place::next(dir.path());
            assert_eq!(place.number, number);
            place.create().unwrap();
            let submission = Submission {
                scheduler: Scheduler::Slurm,
                job: Some(number.to_string()),
                report: None,
                tasks: vec![vec!["a".to_owned()]],
            };
            submission.write(&place.tasks()).unwrap();
        }
        let jobs = submissions(dir.path()).into_iter().map(|s| s.job.unwrap());
        assert!(jobs.eq((1..=11).map(|n| n.to_string())));
        std::fs::write(dir.path().join(".submit/3.json"), "{}").unwrap();
        assert_eq!(submissions(dir.path()).len(), 10);
    }
}
