//! Files: atomic writes, and reading of regular files only.
//!
//! A file that is written here has either its old or its new content, never a part. A named pipe or a
//! device in place of a file is an error at once; reading it could wait forever.

mod disk;
mod exclusive;
#[cfg(test)]
pub(crate) mod faults;
mod leftovers;
#[cfg(test)]
pub(crate) mod mutation;
mod open;
mod paths;
mod sums;

pub(crate) use disk::{Appended, is_at, open as open_for};
pub(crate) use exclusive::{read_exclusive, write_exclusive};
pub(crate) use leftovers::is_leftover;
pub use leftovers::remove_leftovers;
pub use open::{open, read, read_text};
pub use paths::{absolute, relative};
pub use sums::{SUMS_FILE, Sums, sha256};

use leftovers::Draft;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A failed operation on a file or folder, with advice.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`: {cause}{}", path.display(), advice(cause))]
pub struct FileError {
    /// The operation, as a verb: `write`.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The error of the operating system.
    pub cause: io::Error,
}

impl FileError {
    /// Returns a function for `map_err`; `action` is a verb.
    pub(crate) fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self {
            action,
            path: path.to_owned(),
            cause,
        }
    }
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; make it writable, or choose another folder with `--results DIR`"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space and run again",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "; there is a file where a folder is needed: move or delete it"
        }
        ErrorKind::InvalidInput => "; give a regular file, or remove this one",
        _ => "",
    }
}

/// Writes `bytes` to `path` by renaming a temporary file, so that readers see the old content or the
/// new. A file that already has this content is not touched. Returns whether the file was written.
///
/// # Errors
/// If the folder does not exist or cannot be written to, or the disk is full.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<bool, FileError> {
    if has_content(path, bytes) {
        return Ok(false);
    }
    replace(path, bytes).map_err(FileError::of("write", path))?;
    Ok(true)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    disk::replaceable(path)?;
    let folder = folder_of(path);
    let write = || {
        let mut draft = Draft::new(folder)?;
        draft.fill(bytes)?;
        draft.persist(path)
    };
    match write() {
        // Another program took the temporary file for a leftover before it was locked.
        Err(e) if e.kind() == ErrorKind::NotFound && folder.is_dir() => write()?,
        written => written?,
    }
    disk::sync_folder(folder)
}

fn has_content(path: &Path, bytes: &[u8]) -> bool {
    let read = || {
        let file = open(path)?;
        if file.metadata()?.len() != bytes.len() as u64 {
            return Ok(false);
        }
        // In blocks, because files may be large.
        let (mut file, mut rest, mut block) = (file, bytes, vec![0; 1 << 16]);
        while !rest.is_empty() {
            let (wanted, after) = rest.split_at(rest.len().min(block.len()));
            let found = &mut block[..wanted.len()];
            file.read_exact(found)?;
            if found != wanted {
                return Ok(false);
            }
            rest = after;
        }
        io::Result::Ok(true)
    };
    read().unwrap_or(false)
}

/// Creates `folder` if it is missing, and checks that files can be written in it.
///
/// # Errors
/// If it cannot be created or written to.
pub fn check_writable(folder: &Path) -> Result<(), FileError> {
    let write = || {
        disk::create_folders(folder)?;
        Draft::new(folder)?.fill(b"\n")
    };
    write().map_err(FileError::of("write to folder", folder))
}

/// Renames the file `from`, and waits until that is on disk.
///
/// # Errors
/// If that fails.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    let renamed = disk::rename(from, to).and_then(|()| disk::sync_folder(folder_of(to)));
    renamed.map_err(FileError::of("rename", from))
}

/// Removes the file `path`.
///
/// # Errors
/// If that fails.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    let removed = disk::remove(path).and_then(|()| disk::sync_folder(folder_of(path)));
    removed.map_err(FileError::of("remove", path))
}

/// Adds `bytes` to the end of the file `path`. A power cut may lose them.
pub(crate) fn append_unsynced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    disk::add(path, bytes)
}

/// Removes the file `path`. A power cut may bring it back.
pub(crate) fn remove_unsynced(path: &Path) -> io::Result<()> {
    disk::remove(path)
}

/// Creates `folder` and the folders above it.
pub(crate) fn create_folders(folder: &Path) -> Result<(), FileError> {
    disk::create_folders(folder).map_err(FileError::of("create", folder))
}

/// Creates `folder` in one that exists. A power cut may lose it.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    disk::create_folder(folder)
}

/// Removes `folder` if it is empty. A power cut may bring it back.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    disk::remove_folder(folder)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn write_replaces_the_file_and_leaves_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        assert!(write_atomic(&path, b"one").unwrap());
        assert!(write_atomic(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["a.txt"]);
    }

    #[test]
    fn equal_content_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        write_atomic(&path, b"same").unwrap();
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(past)
            .unwrap();
        assert!(!write_atomic(&path, b"same").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), past);
        assert!(write_atomic(&path, b"salt").unwrap());
        assert_ne!(fs::metadata(&path).unwrap().modified().unwrap(), past);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_an_ordinary_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let path = dir.path().join(name);
            fs::metadata(path).unwrap().permissions().mode()
        };
        fs::write(dir.path().join("direct"), b"x").unwrap();
        write_atomic(&dir.path().join("atomic"), b"x").unwrap();
        assert_eq!(mode("atomic"), mode("direct"));
    }

    #[test]
    fn file_instead_of_a_folder_is_named_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("results");
        fs::write(&file, b"").unwrap();
        for folder in [file.clone(), file.join("dropout")] {
            let message = check_writable(&folder).unwrap_err().to_string();
            assert!(message.contains(&folder.display().to_string()), "{message}");
            assert!(message.contains("move or delete it"), "{message}");
        }
        assert!(write_atomic(&file.join("a.txt"), b"x").is_err());
    }

    #[test]
    fn check_writable_creates_an_empty_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("results/dropout");
        check_writable(&folder).unwrap();
        assert_eq!(names(&folder), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn device_and_folder_are_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for path in [link.as_path(), dir.path()] {
            let message = write_atomic(path, b"x").unwrap_err().to_string();
            assert!(message.contains("not a regular file"), "{message}");
        }
        assert_eq!(names(dir.path()), ["link"]);
    }

    #[test]
    fn advice_depends_on_the_cause() {
        let message = |kind: ErrorKind| {
            FileError::of("write", Path::new("a"))(io::Error::from(kind)).to_string()
        };
        assert!(message(ErrorKind::StorageFull).contains("free some space"));
        assert!(message(ErrorKind::ReadOnlyFilesystem).contains("`--results DIR`"));
        assert!(message(ErrorKind::NotFound).starts_with("cannot write `a`: "));
    }
}
