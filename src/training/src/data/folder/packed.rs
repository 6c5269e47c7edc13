//! Decoded images in one file of the user's cache folder.
//!
//! The file's name has a hash of every image file's path, size and time of modification, so a folder
//! that changes has another cache file. The cache only saves time: one that is missing, damaged or not
//! writable is ignored.

use super::super::content::sha256;
use super::tree::Tree;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Raised whenever decoding or the format of the file changes.
const VERSION: u32 = 1;

/// Longest header that is read.
const MAX_HEADER: u64 = 64 << 20;

/// Age from which a file can no longer change without changing its time of modification.
const SETTLED: Duration = Duration::from_secs(3);

/// Everything that the files of a folder say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Height, width and channels.
    pub(super) shape: [usize; 3],
    /// Index and defect of each file that cannot be decoded, by index.
    pub(super) corrupt: Vec<(usize, String)>,
    /// Pixels of all other files.
    pub(super) pixels: Vec<u8>,
}

/// The first line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    shape: [usize; 3],
    images: usize,
    corrupt: Vec<(usize, String)>,
    /// SHA-256 of the pixels.
    sha256: String,
}

/// Place of the decoded images of a folder.
#[derive(Debug)]
pub(super) struct Packed {
    /// `None` without a cache folder, or while files are too new.
    path: Option<PathBuf>,
    /// Start of the names of all cache files of this data set.
    stem: String,
    files: usize,
}

impl Packed {
    pub(super) fn new(cache: Option<&Path>, name: &str, tree: &Tree) -> Self {
        let stem = format!("images-{name}-");
        let path = cache.and_then(|cache| {
            let state = state(tree)?;
            Some(cache.join(format!("{stem}{}", &state[..24])))
        });
        Self {
            path,
            stem,
            files: tree.files.len(),
        }
    }

    /// The decoded images; `None` unless they are there, complete and unharmed.
    pub(super) fn read(&self) -> Option<Contents> {
        let file = File::open(self.path.as_ref()?).ok()?;
        let length = file.metadata().ok()?.len();
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        (&mut file)
            .take(MAX_HEADER)
            .read_until(b'\n', &mut line)
            .ok()?;
        let header: Header = serde_json::from_slice(&line).ok()?;
        let size = (header.shape.iter()).try_fold(header.images, |size, n| size.checked_mul(*n))?;
        let fits = header.images.checked_add(header.corrupt.len())? == self.files;
        if !fits || length != line.len() as u64 + size as u64 {
            return None;
        }
        let mut pixels = Vec::with_capacity(size);
        file.read_to_end(&mut pixels).ok()?;
        let is_whole = pixels.len() == size && sha256(&pixels) == header.sha256;
        is_whole.then_some(Contents {
            shape: header.shape,
            corrupt: header.corrupt,
            pixels,
        })
    }

    /// Keeps the decoded images, in place of those of earlier states of the folder.
    pub(super) fn write(&self, contents: &Contents) {
        let Some(path) = &self.path else {
            return;
        };
        if let Err(error) = self.try_write(path, contents) {
            log::debug!(
                "cannot keep decoded images in `{}`: {error}",
                path.display()
            );
        }
    }

    fn try_write(&self, path: &Path, contents: &Contents) -> io::Result<()> {
        let folder = path.parent().expect("it is in the cache folder");
        fs::create_dir_all(folder)?;
        let header = Header {
            shape: contents.shape,
            images: self.files - contents.corrupt.len(),
            corrupt: contents.corrupt.clone(),
            sha256: sha256(&contents.pixels),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&header)?)?;
        file.write_all(b"\n")?;
        file.write_all(&contents.pixels)?;
        file.persist(path)?;
        for entry in fs::read_dir(folder)?.flatten() {
            let (name, old) = (entry.file_name(), entry.path());
            // The rest of the name is a hash; another data set's name may start with this one's.
            let rest = name.to_str().and_then(|name| name.strip_prefix(&self.stem));
            let is_ours = rest.is_some_and(|rest| !rest.contains('-'));
            if is_ours && old != *path {
                fs::remove_file(old)?;
            }
        }
        Ok(())
    }
}

/// A hash of the path, size and time of modification of every file; `None` if one changed a moment ago,
/// because a further change might not show, or if the system does not tell.
fn state(tree: &Tree) -> Option<String> {
    let mut hash = Sha256::new();
    hash.update(VERSION.to_le_bytes());
    hash.update(
        tree.folder
            .canonicalize()
            .ok()?
            .as_os_str()
            .as_encoded_bytes(),
    );
    let now = SystemTime::now();
    for file in &tree.files {
        let found = fs::metadata(tree.folder.join(&file.path)).ok()?;
        let modified = found.modified().ok()?;
        if now.duration_since(modified).ok()? < SETTLED {
            return None;
        }
        let since = modified.duration_since(UNIX_EPOCH).ok()?;
        hash.update([0]);
        hash.update(&file.path);
        hash.update([0]);
        hash.update(found.len().to_le_bytes());
        hash.update(since.as_nanos().to_le_bytes());
    }
    Some(format!("{:x}", hash.finalize()))
}
