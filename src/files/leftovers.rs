//! Temporary files, and removing those of programs that were killed.

use super::disk;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Start of the names of temporary files.
const PREFIX: &str = ".ablate-";

/// A temporary file that becomes another file, or is removed. It is locked as long as it is open, so that
/// nobody takes it for the leftover of a program that was killed.
pub(super) struct Draft {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Draft {
    /// Creates a file in `folder` with the permissions of an ordinary file.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        loop {
            let random = RandomState::new().build_hasher().finish();
            let path = folder.join(format!("{PREFIX}{random:016x}"));
            match disk::create(&path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
                Ok(file) => {
                    // Where the file system has no locks, a leftover is not told from this file.
                    let _ = file.try_lock();
                    return Ok(Self {
                        path,
                        file,
                        renamed: false,
                    });
                }
            }
        }
    }

    /// Writes `bytes` and waits until they are on disk.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        disk::write_all(&mut self.file, &self.path, bytes)?;
        disk::sync(&self.file, &self.path)
    }

    /// Renames the file to `to`.
    pub(super) fn persist(mut self, to: &Path) -> io::Result<()> {
        disk::rename(&self.path, to)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.renamed {
            // It stays if it cannot be removed, and the next run tries again.
            let _ = disk::remove(&self.path);
        }
    }
}

/// Whether `name` is that of a temporary file.
pub(crate) fn is_leftover(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// Removes the temporary files in `folder` that no running program is writing. Returns their number.
pub fn remove_leftovers(folder: &Path) -> usize {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let ours = entries.filter(|entry| {
        is_leftover(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_file())
    });
    ours.filter(|entry| is_abandoned(&entry.path()) && disk::remove(&entry.path()).is_ok())
        .count()
}

/// Whether nobody holds the lock of a temporary file.
fn is_abandoned(path: &Path) -> bool {
    match fs::File::open(path).map(|file| file.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(TryLockError::WouldBlock | TryLockError::Error(_))) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_abandoned_temporary_files_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in [".ablate-1", "runs.jsonl", ".cells.jsonl"] {
            fs::write(at(name), "x").unwrap();
        }
        fs::create_dir(at(".ablate-folder")).unwrap();
        let draft = Draft::new(dir.path()).unwrap();
        assert_eq!(remove_leftovers(dir.path()), 1);
        assert!(draft.path.exists() && !at(".ablate-1").exists());
        assert!(at("runs.jsonl").exists() && at(".ablate-folder").exists());
        let path = draft.path.clone();
        drop(draft);
        assert!(!path.exists());
        assert_eq!(remove_leftovers(&at("missing")), 0);
    }
}
