//! Hashes of files that were computed before, kept in the user's cache folder.
//!
//! A file is recognised by its path, size, time of modification and inode. The cache only saves time: one
//! that is missing, damaged or not writable is ignored.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Name of the cache in the cache folder.
const NAME: &str = "content-hashes.json";

/// Largest cache that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Age from which a file can no longer change without changing its time of modification, on file systems
/// that count whole seconds or two.
const SETTLED: Duration = Duration::from_secs(3);

/// Identity of a file at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    path: String,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    size: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    inode: u64,
}

impl FileIdentity {
    /// The identity of the file now; `None` if the system does not give it.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let path = path.canonicalize().ok()?;
        let found = fs::metadata(&path).ok()?;
        let modified = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self {
            path: path.to_str()?.to_owned(),
            state: State {
                size: found.len(),
                modified: u64::try_from(modified.as_nanos()).ok()?,
                inode: inode(&found),
            },
        })
    }

    /// Whether the last change is so long ago that another would be seen.
    fn is_settled(&self) -> bool {
        let modified = UNIX_EPOCH + Duration::from_nanos(self.state.modified);
        let age = SystemTime::now().duration_since(modified);
        age.is_ok_and(|age| age >= SETTLED)
    }
}

#[cfg(unix)]
fn inode(found: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// The known hashes.
#[derive(Debug)]
pub(super) struct HashCache {
    folder: Option<PathBuf>,
    files: BTreeMap<String, Known>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    #[serde(flatten)]
    state: State,
    sha256: String,
}

impl HashCache {
    /// Reads the cache in `folder`; empty if there is none that can be read.
    pub(super) fn read(folder: Option<&Path>) -> Self {
        let files = folder.and_then(|folder| {
            let path = folder.join(NAME);
            let small = fs::metadata(&path).ok()?.len() <= MAX_BYTES;
            let text = small.then(|| fs::read_to_string(path).ok())??;
            serde_json::from_str(&text).ok()
        });
        Self {
            folder: folder.map(Path::to_owned),
            files: files.unwrap_or_default(),
        }
    }

    /// The hash of the file, if it is known.
    pub(super) fn get(&self, file: &FileIdentity) -> Option<&str> {
        let known = self.files.get(&file.path)?;
        let is_hash =
            known.sha256.len() == 64 && known.sha256.chars().all(|c| c.is_ascii_hexdigit());
        (known.state == file.state && is_hash).then_some(known.sha256.as_str())
    }

    /// Adds the hashes of files and writes the cache. Files that changed a moment ago are left out, because
    /// a further change might not show.
    pub(super) fn add(&mut self, hashed: impl IntoIterator<Item = (FileIdentity, String)>) {
        let settled = hashed.into_iter().filter(|(file, _)| file.is_settled());
        let known =
            settled.map(|(FileIdentity { path, state }, sha256)| (path, Known { state, sha256 }));
        let before = self.files.len();
        self.files.extend(known);
        self.files.retain(|path, _| Path::new(path).exists());
        if let (false, Some(folder)) = (self.files.is_empty() && before == 0, &self.folder)
            && let Err(error) = self.write(folder)
        {
            log::debug!("cannot write `{NAME}` in `{}`: {error}", folder.display());
        }
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&self.files)?)?;
        file.persist(folder.join(NAME))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    const HASH: &str = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db";

    /// A file whose last change was `seconds` ago, and its identity.
    fn file(folder: &Path, seconds: u64) -> (PathBuf, FileIdentity) {
        let path = folder.join("data");
        fs::write(&path, b"content").unwrap();
        set_age(&path, seconds);
        let identity = FileIdentity::of(&path).unwrap();
        (path, identity)
    }

    fn set_age(path: &Path, seconds: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(then).unwrap();
    }

    /// Adds the file to the cache in `folder` and returns what a new reader of the cache finds for it.
    fn remembered(folder: &Path, file: &FileIdentity) -> Option<String> {
        HashCache::read(Some(folder)).add([(file.clone(), HASH.to_owned())]);
        HashCache::read(Some(folder)).get(file).map(str::to_owned)
    }

    #[test]
    fn known_file_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let (_, file) = file(dir.path(), 60);
        let cache = dir.path().join("cache/ablate");
        assert_eq!(remembered(&cache, &file).as_deref(), Some(HASH));
        assert_eq!(HashCache::read(None).get(&file), None);
    }

    #[test]
    fn changed_file_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let (path, before) = file(dir.path(), 60);
        remembered(dir.path(), &before).unwrap();
        let is_known = || {
            let now = FileIdentity::of(&path).unwrap();
            HashCache::read(Some(dir.path())).get(&now).is_some()
        };
        assert!(is_known());
        set_age(&path, 50);
        assert!(!is_known(), "another time of modification");
        fs::write(&path, b"more content").unwrap();
        assert!(!is_known(), "another size");
    }

    #[cfg(unix)]
    #[test]
    fn replaced_file_of_equal_size_and_time_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let (path, before) = file(dir.path(), 60);
        remembered(dir.path(), &before).unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let other = dir.path().join("other");
        fs::write(&other, b"CONTENT").unwrap();
        let opened = File::options().write(true).open(&other).unwrap();
        opened.set_modified(modified).unwrap();
        fs::rename(&other, &path).unwrap();
        let now = FileIdentity::of(&path).unwrap();
        assert_eq!(now.state.modified, before.state.modified);
        assert_eq!(HashCache::read(Some(dir.path())).get(&now), None);
    }

    #[test]
    fn file_changed_a_moment_ago_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let (_, file) = file(dir.path(), 0);
        assert_eq!(remembered(dir.path(), &file), None);
        assert!(!dir.path().join(NAME).exists());
    }

    #[test]
    fn broken_cache_is_ignored_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (_, file) = file(dir.path(), 60);
        for broken in [&b"{\"files"[..], b"\xff\xfe", b"[]", b""] {
            fs::write(dir.path().join(NAME), broken).unwrap();
            assert_eq!(HashCache::read(Some(dir.path())).get(&file), None);
            assert_eq!(remembered(dir.path(), &file).as_deref(), Some(HASH));
        }
        let text = fs::read_to_string(dir.path().join(NAME)).unwrap();
        fs::write(dir.path().join(NAME), text.replace(HASH, "12")).unwrap();
        assert_eq!(HashCache::read(Some(dir.path())).get(&file), None);
    }

    #[test]
    fn unwritable_cache_folder_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let (path, file) = file(dir.path(), 60);
        assert_eq!(remembered(&path, &file), None);
    }

    #[test]
    fn files_that_are_gone_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let (path, gone) = file(dir.path(), 60);
        remembered(dir.path(), &gone).unwrap();
        let kept = dir.path().join("kept");
        fs::rename(&path, &kept).unwrap();
        let kept = FileIdentity::of(&kept).unwrap();
        assert_eq!(remembered(dir.path(), &kept).as_deref(), Some(HASH));
        assert_eq!(HashCache::read(Some(dir.path())).get(&gone), None);
    }
}
