//! The errors of this module.

use super::idx::IdxError;
use super::locate::DATA_DIR;
use std::path::PathBuf;

/// Why data could not be had, or not in the form that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// DataFiles are not where they are looked for.
    #[error(
        "cannot find {} of `{name}` in {}; {advice}",
        quoted(files.iter()),
        quoted(looked_in.iter().map(|folder| folder.display()))
    )]
    Missing {
        /// The data set.
        name: &'static str,
        /// Names of the missing files.
        files: Vec<String>,
        /// Folders that were searched, in this order.
        looked_in: Vec<PathBuf>,
        /// What to put where.
        advice: String,
    },
    /// A file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("cannot use `{}`: {source}; replace it with a fresh copy", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: IdxError,
    },
    /// Two files of one data set contradict each other.
    #[error(
        "`{}` holds {left_holds} but `{}` holds {right_holds}; replace both with a fresh copy",
        left.display(), right.display()
    )]
    Disagree {
        /// One file.
        left: PathBuf,
        /// What it holds.
        left_holds: String,
        /// The other file.
        right: PathBuf,
        /// What it holds.
        right_holds: String,
    },
    /// The files are those of another data set (their names are the same).
    #[error(
        "`{}` belongs to `{found}`, not to `{wanted}`; give `{wanted}` a folder of its own named \
         `{wanted_folder}` and set `{DATA_DIR}` to the folder above it",
        path.display()
    )]
    WrongSet {
        /// The file that gives it away.
        path: PathBuf,
        /// The data set that was asked for.
        wanted: &'static str,
        /// Name of its folder.
        wanted_folder: &'static str,
        /// The data set that was found.
        found: &'static str,
    },
    /// A setting of the `data` table cannot be met.
    #[error("`data.{key}` {message}")]
    Setting {
        /// The key within the table.
        key: &'static str,
        /// What is wrong, as the end of a sentence that starts with the key.
        message: String,
    },
}

impl DataError {
    pub(crate) fn setting(key: &'static str, message: impl Into<String>) -> Self {
        Self::Setting {
            key,
            message: message.into(),
        }
    }
}

/// The names in backticks, joined by commas.
pub(crate) fn quoted(names: impl Iterator<Item = impl std::fmt::Display>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return "no folder at all".into();
    }
    names.join(", ")
}
