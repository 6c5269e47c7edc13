//! Lock files: only one process at a time may train in a results folder.

use crate::files::FileError;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// A lock on a results folder. It is released when dropped and when the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// An error in locking a folder.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error(
        "another process is using the results folder `{}`; wait until it ends, or choose another \
         folder with `--results DIR`",
        folder.display()
    )]
    Held {
        /// The folder.
        folder: PathBuf,
    },
    /// The lock file cannot be opened or locked.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Lock {
    /// Locks `folder` with the file `.lock`, which stays there, empty.
    ///
    /// # Errors
    /// If another process or another handle holds the lock, or the file system does not support locks.
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
    fn second_lock_is_rejected_until_the_first_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::acquire(dir.path()).unwrap();
        let message = Lock::acquire(dir.path()).unwrap_err().to_string();
        assert!(
            message.contains(&dir.path().display().to_string()),
            "{message}"
        );
        assert!(message.contains("`--results DIR`"), "{message}");
        drop(first);
        Lock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn folders_are_locked_independently() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let _one = Lock::acquire(one.path()).unwrap();
        Lock::acquire(two.path()).unwrap();
    }

    #[test]
    fn missing_folder_is_named_in_the_error() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let message = Lock::acquire(&missing).unwrap_err().to_string();
        assert!(message.contains("missing"), "{message}");
    }
}
