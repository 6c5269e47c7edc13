//! Lock files: only one process at a time may own a results folder ([`super::share`]).
//!
//! A folder has two locks. `.lock` in it works wherever the folder is mounted. `.NAME.lock` beside the folder
//! still holds if the folder is deleted and created again while a process trains in it.

use crate::files::{FileError, is_at, open_for};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A lock on a results folder. It is released when dropped and when the process ends.
#[derive(Debug)]
pub struct Lock {
    /// Removed while it is still locked.
    _beside: Option<Beside>,
    _inside: File,
}

/// The lock beside a folder; its file is removed when it is released.
#[derive(Debug)]
struct Beside {
    path: PathBuf,
    _file: File,
}

impl Drop for Beside {
    fn drop(&mut self) {
        // A file that stays is empty and is used by the next run.
        let _ = fs::remove_file(&self.path);
    }
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
    /// Locks `folder` with the file `.lock`, which stays there, empty, and with a file beside the folder.
    ///
    /// # Errors
    /// If another process or another handle holds the lock, or the file system does not support locks.
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let beside = match (folder.parent(), folder.file_name()) {
            (Some(parent), Some(name)) => {
                let path = parent.join(format!(".{}.lock", name.to_string_lossy()));
                match hold(folder, &path) {
                    Ok(file) => Some(Beside { path, _file: file }),
                    // Then nobody here can delete the folder either.
                    Err(LockError::File(e)) if is_read_only(&e.cause) => None,
                    Err(e) => return Err(e),
                }
            }
            _ => None,
        };
        let inside = hold(folder, &folder.join(".lock"))?;
        Ok(Self {
            _beside: beside,
            _inside: inside,
        })
    }
}

/// Whether an error says that the file system has no locks.
pub(super) fn has_none(cause: &io::Error) -> bool {
    // Network file systems without a lock daemon say so with a code that has no kind.
    const NO_LOCKS: i32 = 37;
    cause.kind() == ErrorKind::Unsupported
        || cfg!(target_os = "linux") && cause.raw_os_error() == Some(NO_LOCKS)
}

fn is_read_only(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

/// Opens and locks the file `path`, a lock of `folder`.
fn hold(folder: &Path, path: &Path) -> Result<File, LockError> {
    loop {
        let mut options = File::options();
        let file = open_for(path, options.create(true).truncate(false).write(true))
            .map_err(FileError::of("open", path))?;
        match file.try_lock() {
            // Otherwise its last owner removed it after it was opened here.
            Ok(()) if is_at(&file, path) => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    folder: folder.to_owned(),
                });
            }
            Err(TryLockError::Error(cause)) => {
                return Err(FileError::of("lock", path)(cause).into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(dir: &tempfile::TempDir, name: &str) -> PathBuf {
        let folder = dir.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn second_lock_is_rejected_until_the_first_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(&dir, "a");
        let first = Lock::acquire(&folder).unwrap();
        let message = Lock::acquire(&folder).unwrap_err().to_string();
        assert!(message.contains(&folder.display().to_string()), "{message}");
        assert!(message.contains("`--results DIR`"), "{message}");
        drop(first);
        Lock::acquire(&folder).unwrap();
        assert!(!dir.path().join(".a.lock").exists());
    }

    #[test]
    fn lock_survives_deletion_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = folder(&dir, "a");
        let first = Lock::acquire(&path).unwrap();
        fs::remove_dir_all(&path).unwrap();
        folder(&dir, "a");
        assert!(matches!(Lock::acquire(&path), Err(LockError::Held { .. })));
        drop(first);
        Lock::acquire(&path).unwrap();
    }

    #[test]
    fn lock_inside_is_enough_to_reject() {
        let dir = tempfile::tempdir().unwrap();
        let path = folder(&dir, "a");
        let _first = Lock::acquire(&path).unwrap();
        fs::remove_file(dir.path().join(".a.lock")).unwrap();
        assert!(matches!(Lock::acquire(&path), Err(LockError::Held { .. })));
    }

    #[test]
    fn folders_are_locked_independently() {
        let dir = tempfile::tempdir().unwrap();
        let _one = Lock::acquire(&folder(&dir, "a")).unwrap();
        Lock::acquire(&folder(&dir, "b")).unwrap();
    }

    #[test]
    fn missing_folder_is_named_in_the_error() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let message = Lock::acquire(&missing).unwrap_err().to_string();
        assert!(message.contains("missing"), "{message}");
    }
}
