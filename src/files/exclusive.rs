//! Small texts that only one process can write, with no moment at which they are empty.
//!
//! On Unix they are symbolic links, whose target is the text: a link is created in one step, by one process only, on
//! local and on network file systems.

use super::disk;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Writes `text` to `path`, unless there is something. Returns whether this process wrote it.
///
/// # Errors
/// If that fails for another reason.
pub(crate) fn write_exclusive(path: &Path, text: &str) -> io::Result<bool> {
    let written = match disk::link(path, text) {
        Err(e)
            if matches!(
                e.kind(),
                ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            // The file system has no links.
            disk::create(path)
                .and_then(|mut file| disk::write_all(&mut file, path, text.as_bytes()))
        }
        linked => linked,
    };
    match written {
        Ok(()) => Ok(true),
        // A network file system may report the own link as another's, if an answer was lost.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            Ok(read_exclusive(path).is_ok_and(|found| found == text))
        }
        Err(e) => Err(e),
    }
}

/// The text at `path`.
///
/// # Errors
/// If there is none, or it is not UTF-8.
pub(crate) fn read_exclusive(path: &Path) -> io::Result<String> {
    match fs::read_link(path) {
        Ok(text) => {
            let text = text.into_os_string().into_string();
            text.map_err(|_| ErrorKind::InvalidData.into())
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Err(e),
        Err(_) => super::read_text(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_text_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert!(read_exclusive(&path).is_err());
        assert!(write_exclusive(&path, "one").unwrap());
        assert!(!write_exclusive(&path, "two").unwrap());
        assert_eq!(read_exclusive(&path).unwrap(), "one");
        disk::remove(&path).unwrap();
        assert!(write_exclusive(&path, "two").unwrap());
        // A file counts, too.
        fs::write(dir.path().join("b"), "three").unwrap();
        assert!(!write_exclusive(&dir.path().join("b"), "four").unwrap());
        assert_eq!(read_exclusive(&dir.path().join("b")).unwrap(), "three");
        assert!(write_exclusive(&dir.path().join("missing/a"), "x").is_err());
    }

    #[test]
    fn of_many_threads_one_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let written: usize = std::thread::scope(|scope| {
            let path = &path;
            let threads: Vec<_> = (0..8)
                .map(|i| scope.spawn(move || write_exclusive(path, &i.to_string()).unwrap()))
                .collect();
            let wrote = threads.into_iter().map(|t| usize::from(t.join().unwrap()));
            wrote.sum()
        });
        assert_eq!(written, 1);
    }
}
