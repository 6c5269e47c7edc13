//! Files that are either whole or not there.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// A file or folder that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`: {cause}{}", path.display(), advice(cause))]
pub struct FileError {
    /// What was tried, as a verb.
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    pub cause: io::Error,
}

impl FileError {
    /// For `map_err`: the failure to `action` (a verb) `path`.
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
            "; make it writable or choose another folder with `--results`"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space and run again",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "; a file is where a folder should be: move it away"
        }
        _ => "",
    }
}

/// Makes `path` hold `bytes`, so that a reader, or a kill at any moment, finds either the old
/// content or the new. A file that holds them already is not touched. Returns whether it wrote.
///
/// # Errors
/// If the folder does not exist or cannot be written to, or the disk is full.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<bool, FileError> {
    if holds(path, bytes) {
        return Ok(false);
    }
    replace(path, bytes).map_err(FileError::of("write", path))?;
    Ok(true)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let mut file = temporary(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder)
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    let read = || {
        let file = File::open(path)?;
        if file.metadata()?.len() != bytes.len() as u64 {
            return Ok(false);
        }
        let mut there = Vec::with_capacity(bytes.len());
        file.take(bytes.len() as u64).read_to_end(&mut there)?;
        io::Result::Ok(there == bytes)
    };
    read().unwrap_or(false)
}

/// Creates `folder` where it is missing and makes sure that files can be written in it, so that a
/// run of hours does not fail at its end.
///
/// # Errors
/// If it cannot be created or written to.
pub fn check_writable(folder: &Path) -> Result<(), FileError> {
    let try_out = || {
        fs::create_dir_all(folder)?;
        temporary(folder)?.write_all(b"\n")
    };
    try_out().map_err(FileError::of("write to folder", folder))
}

/// Makes the names in `folder` last through a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A temporary file that, once renamed, is as readable to others as any file of this user.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ablate-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        assert!(write_atomic(&path, b"one").unwrap());
        assert!(write_atomic(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["a.txt"]);
    }

    #[test]
    fn equal_content_keeps_the_time_of_the_last_change() {
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
    fn a_written_file_is_as_readable_as_one_created_directly() {
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
    fn a_file_in_the_place_of_the_folder_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("results");
        fs::write(&file, b"").unwrap();
        for folder in [file.clone(), file.join("dropout")] {
            let message = check_writable(&folder).unwrap_err().to_string();
            assert!(message.contains(&folder.display().to_string()), "{message}");
            assert!(message.contains("move it away"), "{message}");
        }
        assert!(write_atomic(&file.join("a.txt"), b"x").is_err());
    }

    #[test]
    fn a_writable_folder_is_created_and_left_empty() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("results/dropout");
        check_writable(&folder).unwrap();
        assert_eq!(names(&folder), [""; 0]);
    }

    #[test]
    fn advice_fits_the_cause() {
        let message = |kind: ErrorKind| {
            FileError::of("write", Path::new("a"))(io::Error::from(kind)).to_string()
        };
        assert!(message(ErrorKind::StorageFull).contains("free some space"));
        assert!(message(ErrorKind::ReadOnlyFilesystem).contains("`--results`"));
        assert!(message(ErrorKind::NotFound).starts_with("cannot write `a`: "));
    }
}
