//! Git revision of a work tree.

use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};

/// A git revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Full hash of the commit.
    pub commit: String,
    /// Whether tracked files differ from it or untracked ones are there, `results/` aside.
    pub dirty: bool,
}

impl Revision {
    /// The revision of the work tree that holds `folder`; `None` where there is none, or no `git`.
    pub fn of(folder: &Path) -> Option<Self> {
        let commit = git(folder, &["rev-parse", "--verify", "HEAD"])?;
        let changes = git(
            folder,
            &[
                "status",
                "--porcelain",
                "--",
                ":(top)",
                ":(top,exclude)results",
            ],
        )?;
        Some(Self {
            commit: commit.trim().to_owned(),
            dirty: !changes.is_empty(),
        })
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    (output.status.success()).then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A work tree with one commit, or `None` without `git`.
    fn work_tree() -> Option<tempfile::TempDir> {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "--quiet"])?;
        fs::write(dir.path().join("a"), "1").unwrap();
        git(dir.path(), &["add", "a"])?;
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        let commit = [
            "commit",
            "--quiet",
            "--no-verify",
            "--no-gpg-sign",
            "-m",
            "start",
        ];
        git(dir.path(), &[&identity[..], &commit[..]].concat())?;
        Some(dir)
    }

    #[test]
    fn changes_outside_results_are_dirty() {
        let Some(dir) = work_tree() else {
            assert_eq!(
                Revision::of(Path::new(".")),
                None,
                "git is there but does not work"
            );
            return;
        };
        let clean = Revision::of(dir.path()).unwrap();
        assert!(!clean.dirty);
        assert_eq!(clean.commit.len(), 40);

        fs::create_dir_all(dir.path().join("results/dropout")).unwrap();
        fs::write(dir.path().join("results/dropout/runs.jsonl"), "").unwrap();
        assert_eq!(Revision::of(dir.path()), Some(clean.clone()));
        assert_eq!(
            Revision::of(&dir.path().join("results")),
            Some(clean.clone())
        );

        fs::write(dir.path().join("new"), "").unwrap();
        assert!(Revision::of(dir.path()).unwrap().dirty);
        fs::remove_file(dir.path().join("new")).unwrap();
        fs::write(dir.path().join("a"), "2").unwrap();
        assert!(Revision::of(&dir.path().join("results")).unwrap().dirty);
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_revision() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Revision::of(&dir.path().join("missing")), None);
    }
}
