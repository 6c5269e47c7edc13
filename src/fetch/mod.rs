//! Downloading data sets.
//!
//! `curl` downloads a file into `NAME.part` beside its place. A file gets its name only with the right size
//! and SHA-256. What is there of a file is kept when a download stops, and the next one goes on from there. A
//! lock keeps two processes from writing one file.

mod curl;
mod sources;

pub use sources::{RemoteFile, Source};

use crate::files::{FileError, remove, rename};
use curl::{Curl, Stopped};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Attempts at a file while each of them gets further.
const ATTEMPTS: usize = 5;

/// Name of the lock in a folder.
const LOCK: &str = ".fetch.lock";

/// Error while downloading a file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no `curl`.
    #[error(
        "cannot start `curl`, which downloads data ({0}); install it, or put the files where `ablate data \
         list` says"
    )]
    NoCurl(io::Error),
    /// The download stopped.
    #[error(
        "cannot download `{address}`: {why}; run the same command again to go on, or download it by other \
         means and put it into `{}`",
        folder.display()
    )]
    Stopped {
        /// Address of the file.
        address: String,
        /// The reason in words.
        why: String,
        /// Where the file belongs.
        folder: PathBuf,
    },
    /// The file is not the expected one.
    #[error(
        "`{address}` is not the expected file: {difference}; it was removed; download the file by other means \
         and put it into `{}`",
        folder.display()
    )]
    Other {
        /// Address of the file.
        address: String,
        /// How it differs.
        difference: String,
        /// Where the file belongs.
        folder: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Downloads of files into one folder.
#[derive(Debug)]
pub struct Fetch<'a> {
    /// Address of the folder that holds the files, with `/` at its end.
    pub address: &'a str,
    /// The folder for the files.
    pub folder: &'a Path,
    /// Seconds without a byte after which a download stops.
    pub stalled_after: u64,
}

/// What a download reports while it runs.
pub trait Watcher {
    /// Another process is downloading into the same folder.
    fn waiting(&self);

    /// There are `bytes` bytes of the file.
    fn reached(&self, file: &RemoteFile, bytes: u64);
}

impl Fetch<'_> {
    /// Downloads every file that is not there, or is not the expected one. Returns the number of files that
    /// were downloaded.
    ///
    /// # Errors
    /// If a download fails, or the disk is full.
    pub fn all(&self, files: &[RemoteFile], watcher: &dyn Watcher) -> Result<usize, FetchError> {
        fs::create_dir_all(self.folder).map_err(FileError::of("create", self.folder))?;
        let _lock = self.lock(watcher)?;
        let mut new = 0;
        for file in files {
            let path = self.folder.join(file.name);
            if path.is_file() && difference(&path, file)?.is_none() {
                watcher.reached(file, file.bytes);
                continue;
            }
            self.one(file, &path, watcher)?;
            new += 1;
        }
        Ok(new)
    }

    /// Waits until no other process downloads into the folder.
    fn lock(&self, watcher: &dyn Watcher) -> Result<File, FetchError> {
        let path = self.folder.join(LOCK);
        let open = File::options().create(true).append(true).open(&path);
        let file = open.map_err(FileError::of("write", &path))?;
        let locked = match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                watcher.waiting();
                file.lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        locked.map_err(FileError::of("lock", &path))?;
        Ok(file)
    }

    fn one(&self, file: &RemoteFile, path: &Path, watcher: &dyn Watcher) -> Result<(), FetchError> {
        let part = self.folder.join(format!("{}.part", file.name));
        let address = format!("{}{}", self.address, file.name);
        let there = || fs::metadata(&part).map_or(0, |found| found.len());
        if there() > file.bytes {
            remove(&part)?;
        }
        let mut attempt = 0;
        while there() < file.bytes {
            attempt += 1;
            let before = there();
            let curl = Curl {
                address: &address,
                part: &part,
                bytes: file.bytes,
                stalled_after: self.stalled_after,
            };
            let why = match curl.run(&mut || watcher.reached(file, there())) {
                Ok(()) if there() >= file.bytes => break,
                Ok(()) => format!("the server sent {} of {} bytes", there(), file.bytes),
                Err(Stopped::Start(error)) => return Err(FetchError::NoCurl(error)),
                Err(Stopped::Range) => {
                    // The server only sends whole files.
                    remove(&part)?;
                    "the server cannot go on with a part of the file".to_owned()
                }
                Err(Stopped::Failed(why)) => why,
            };
            let got_further = there() != before;
            if attempt == ATTEMPTS || !got_further {
                return Err(FetchError::Stopped {
                    address,
                    why,
                    folder: self.folder.to_owned(),
                });
            }
        }
        watcher.reached(file, file.bytes);
        if let Some(difference) = difference(&part, file)? {
            remove(&part)?;
            return Err(FetchError::Other {
                address,
                difference,
                folder: self.folder.to_owned(),
            });
        }
        rename(&part, path)?;
        Ok(())
    }
}

/// How the file `path` differs from the expected one; `None` if it does not.
fn difference(path: &Path, expected: &RemoteFile) -> Result<Option<String>, FileError> {
    let hash = || -> io::Result<(u64, String)> {
        let mut file = File::open(path)?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                return Ok((size, format!("{:x}", hash.finalize())));
            }
            hash.update(&buffer[..n]);
            size += n as u64;
        }
    };
    let (size, sha256) = hash().map_err(FileError::of("read", path))?;
    Ok(if size != expected.bytes {
        Some(format!("it has {size} bytes, expected {}", expected.bytes))
    } else if sha256 != expected.sha256 {
        Some(format!(
            "its SHA-256 is {sha256}, expected {}",
            expected.sha256
        ))
    } else {
        None
    })
}

#[cfg(test)]
mod tests;
