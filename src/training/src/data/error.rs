//! Errors about data sets.

use super::idx::IdxError;
use super::locate::DATA_DIR;
use std::path::PathBuf;

/// Error while locating, reading or splitting a data set.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Files are missing.
    #[error(
        "cannot find {} of data set `{name}`; searched {}; {advice}",
        quoted(files.iter()),
        quoted(looked_in.iter().map(|folder| folder.display()))
    )]
    Missing {
        /// Name of the data set.
        name: &'static str,
        /// Names of the missing files.
        files: Vec<String>,
        /// Folders that were searched, in this order.
        looked_in: Vec<PathBuf>,
        /// What the user can do.
        advice: String,
    },
    /// A file could not be read.
    #[error("cannot read `{}`: {source}; check that it is a file you may read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file is damaged or has the wrong format.
    #[error("cannot use `{}`: {source}; download the file again and replace it", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The defect.
        source: IdxError,
    },
    /// A file or an archive of CIFAR is damaged.
    #[error("cannot use `{}`: {defect}; download the file again and replace it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The defect.
        defect: String,
    },
    /// Two files of one data set contradict each other.
    #[error(
        "`{}` holds {left_holds} but `{}` holds {right_holds}; download both files again and replace them",
        left.display(), right.display()
    )]
    Disagree {
        /// First file.
        left: PathBuf,
        /// What it holds.
        left_holds: String,
        /// Second file.
        right: PathBuf,
        /// What it holds.
        right_holds: String,
    },
    /// The files belong to another data set; all data sets of the MNIST family use the same file
    /// names.
    #[error(
        "`{}` holds the labels of data set `{found}`, not of `{wanted}`; put the files of `{wanted}` \
         into a folder named `{wanted_folder}` and set `{DATA_DIR}` to its parent folder",
        path.display()
    )]
    WrongSet {
        /// The label file by which the data set was recognised.
        path: PathBuf,
        /// Name of the requested data set.
        wanted: &'static str,
        /// Name of the folder for the requested data set.
        wanted_folder: &'static str,
        /// Name of the data set that was found.
        found: &'static str,
    },
    /// A file has another content than the published one.
    #[error(
        "`{}` is not a file of {title} as published: {difference}; download the file again and replace it, \
         or set `data.content = \"any\"` to use these data on purpose",
        path.display()
    )]
    Unpublished {
        /// The file.
        path: PathBuf,
        /// The data set in prose.
        title: &'static str,
        /// How its content differs.
        difference: String,
    },
    /// The content is not the one that a spec or a job names.
    #[error(
        "data set `{name}` in {place} has the content {found}, not {wanted}; put the other files back, or \
         change `data.content` to the content that you want"
    )]
    OtherContent {
        /// Name of the data set.
        name: &'static str,
        /// Where it was found.
        place: String,
        /// Its content hash.
        found: String,
        /// The content hash that was asked for.
        wanted: String,
    },
    /// A registered data set cannot be loaded.
    #[error("cannot load data set `{name}`: {why}")]
    Registered {
        /// Name of the data set.
        name: &'static str,
        /// The reason, as its program gives it.
        why: String,
    },
    /// A setting of the spec's `data` table is invalid for this data set.
    #[error("`data.{key}` {message}")]
    Setting {
        /// The key in the `data` table.
        key: &'static str,
        /// What is wrong and what to do; completes a sentence that starts with the key.
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

/// The names in backticks, separated by commas.
pub(crate) fn quoted(names: impl Iterator<Item = impl std::fmt::Display>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return "no folders".into();
    }
    names.join(", ")
}
