//! Atomic writes: a file has either its old or its new content, never a part.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

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
    let folder = folder_of(path);
    let mut file = temporary(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder)
}

fn has_content(path: &Path, bytes: &[u8]) -> bool {
    let read = || {
        let file = File::open(path)?;
        if file.metadata()?.len() != bytes.len() as u64 {
            return Ok(false);
        }
        let mut found = Vec::with_capacity(bytes.len());
        file.take(bytes.len() as u64).read_to_end(&mut found)?;
        io::Result::Ok(found == bytes)
    };
    read().unwrap_or(false)
}

/// Creates `folder` if it is missing, and checks that files can be written in it.
///
/// # Errors
/// If it cannot be created or written to.
pub fn check_writable(folder: &Path) -> Result<(), FileError> {
    let write = || {
        fs::create_dir_all(folder)?;
        temporary(folder)?.write_all(b"\n")
    };
    write().map_err(FileError::of("write to folder", folder))
}

/// Syncs the directory entries of `folder`, so that renames survive a power failure.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// `path` as an absolute path, with symbolic links resolved as far as it exists and without `.` and `..`.
pub fn absolute(path: &Path) -> PathBuf {
    let path = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
        if let Ok(found) = plain.canonicalize() {
            plain = found;
        }
    }
    plain
}

/// The path of `to` from the folder `from`, with `/` between its parts: `../experiments/dropout.toml`.
pub fn relative(from: &Path, to: &Path) -> String {
    let (from, to) = (absolute(from), absolute(to));
    let common = (from.components().zip(to.components()))
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(common).map(|_| "..".to_owned());
    let down = to.components().skip(common);
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    let parts: Vec<String> = up.chain(down).collect();
    match parts.is_empty() {
        true => ".".to_owned(),
        false => parts.join("/"),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Creates a temporary file with the permissions of an ordinary file, not of a private one.
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

    #[test]
    fn relative_paths_lead_from_one_folder_to_another() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir(at("experiments")).unwrap();
        let from = at("results/mine");
        assert_eq!(
            relative(&from, &at("experiments/a.toml")),
            "../../experiments/a.toml"
        );
        assert_eq!(relative(&from, &at("results/mine/a.toml")), "a.toml");
        assert_eq!(
            relative(&at("x/../results"), &at("./b/../a.toml")),
            "../a.toml"
        );
        assert_eq!(relative(&from, &from), ".");
    }
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
