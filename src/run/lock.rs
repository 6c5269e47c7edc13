//! One process a results folder.

use crate::files::FileError;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The lock of a results folder; held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "another process is running in `{}`; wait until it ends, or choose another folder with \
         `--results`",
        folder.display()
    )]
    Held {
        /// The folder.
        folder: PathBuf,
    },
    /// The lock file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Lock {
    /// Locks `folder` by its file `.lock`, which stays behind, empty and without meaning.
    ///
    /// # Errors
    /// If another process (or another handle of this one) has it, or the file system has no locks.
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(".lock");
        let file = (File::options().create(true).truncate(false).write(true))
            .open(&path)
            .map_err(FileError::of("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held {
                folder: folder.to_owned(),
            }),
            Err(TryLockError::Error(cause)) => Err(FileError::of("lock", &path)(cause).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_handle_is_refused_by_name_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::acquire(dir.path()).unwrap();
        let message = Lock::acquire(dir.path()).unwrap_err().to_string();
        assert!(
            message.contains(&dir.path().display().to_string()),
            "{message}"
        );
        assert!(message.contains("`--results`"), "{message}");
        drop(first);
        Lock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn folders_are_locked_one_by_one() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let _one = Lock::acquire(one.path()).unwrap();
        Lock::acquire(two.path()).unwrap();
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let message = Lock::acquire(&missing).unwrap_err().to_string();
        assert!(message.contains("missing"), "{message}");
    }
}
