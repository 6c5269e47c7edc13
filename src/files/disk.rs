//! The calls that change the disk, in one place, so that tests can make each of them fail.

#[cfg(test)]
use super::faults;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A call, for tests that make it fail.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests look at a call"))]
pub(super) enum Call<'a> {
    /// Open a file to read it, or to append to it.
    Open(&'a Path),
    /// Create a file that does not exist.
    Create(&'a Path),
    /// Write at the end of a file.
    Write(&'a Path, &'a [u8]),
    /// Cut a file to a length.
    Cut(&'a Path, u64),
    /// Wait until the content of a file is on disk.
    Sync(&'a Path),
    /// Rename a file, over another or not.
    Rename(&'a Path, &'a Path),
    /// Remove a file.
    Remove(&'a Path),
    /// Create a folder.
    CreateFolder(&'a Path),
    /// Wait until the entries of a folder are on disk.
    SyncFolder(&'a Path),
}

/// What a call may do: `Ok` is the number of bytes that it may write.
#[cfg(not(test))]
fn permit(_: Call<'_>, most: usize) -> io::Result<usize> {
    Ok(most)
}

#[cfg(test)]
fn permit(call: Call<'_>, most: usize) -> io::Result<usize> {
    faults::permit(call, most)
}

/// Opens `path` as `options` say, if it is a regular file or is created.
///
/// # Errors
/// If it is something else, which is not opened: opening a named pipe waits for its other end.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    permit(Call::Open(path), 0)?;
    if let Ok(found) = fs::metadata(path) {
        require_file(found.file_type())?;
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, nix::libc::O_NONBLOCK);
    let file = options.open(path)?;
    require_file(file.metadata()?.file_type())?;
    Ok(file)
}

fn require_file(kind: fs::FileType) -> io::Result<()> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        _ => other(kind),
    };
    let message = format!("it is {what}, not a regular file");
    Err(io::Error::new(ErrorKind::InvalidInput, message))
}

#[cfg(unix)]
fn other(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn other(_: fs::FileType) -> &'static str {
    "a device"
}

/// Whether `path` is missing or a regular file, so that it may be replaced.
pub(super) fn replaceable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) => require_file(found.file_type()),
        Err(_) => Ok(()),
    }
}

pub(super) fn create(path: &Path) -> io::Result<File> {
    permit(Call::Create(path), 0)?;
    File::options().write(true).create_new(true).open(path)
}

/// Creates the symbolic link `path` to `target`, which need not exist.
pub(super) fn link(path: &Path, target: &str) -> io::Result<()> {
    permit(Call::Create(path), 0)?;
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, path);
    #[cfg(not(unix))]
    {
        let _ = target;
        Err(ErrorKind::Unsupported.into())
    }
}

/// Writes `bytes` at the end of the file `path`, and does not wait until they are on disk.
pub(super) fn add(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = open(path, File::options().append(true))?;
    write_all(&mut file, path, bytes)
}

/// Creates the folder `path` in one that exists.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    permit(Call::CreateFolder(path), 0)?;
    fs::create_dir(path)
}

/// Removes the empty folder `path`.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    permit(Call::Remove(path), 0)?;
    fs::remove_dir(path)
}

pub(super) fn write_all(file: &mut File, path: &Path, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let most = permit(Call::Write(path, bytes), bytes.len())?;
        match file.write(&bytes[..most]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

pub(super) fn sync(file: &File, path: &Path) -> io::Result<()> {
    permit(Call::Sync(path), 0)?;
    file.sync_all()
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    permit(Call::Rename(from, to), 0)?;
    fs::rename(from, to)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    permit(Call::Remove(path), 0)?;
    fs::remove_file(path)
}

/// Creates `folder` and the folders above it, each one on disk before the next.
pub(super) fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = super::folder_of(folder);
    create_folders(above)?;
    permit(Call::CreateFolder(folder), 0)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists || !folder.is_dir() => Err(e),
        _ => sync_folder(above),
    }
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    permit(Call::SyncFolder(folder), 0)?;
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A file that only grows, such as a journal, open for reading and appending.
#[derive(Debug)]
pub(crate) struct Appended {
    path: PathBuf,
    file: File,
    /// Length of what is complete, in bytes.
    len: u64,
}

impl Appended {
    /// Opens `path`, or creates it, and returns its content too.
    ///
    /// # Errors
    /// If it is not a regular file, or cannot be opened, read or created.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<u8>)> {
        if !path.exists() {
            match create(path) {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
                _ => sync_folder(super::folder_of(path))?,
            }
        }
        let mut file = open(path, File::options().read(true).append(true))?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes)?;
        let len = bytes.len() as u64;
        let path = path.to_owned();
        Ok((Self { path, file, len }, bytes))
    }

    /// Appends `bytes` and waits until they are on disk. After an error the file is cut back.
    ///
    /// # Errors
    /// If that fails, or if the file at this path is no longer the one that was opened.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.require_place()?;
        // Remove the part of a line that an earlier failed write left behind.
        if self.file.metadata()?.len() != self.len {
            self.cut(self.len)?;
        }
        let written = write_all(&mut self.file, &self.path, bytes)
            .and_then(|()| sync(&self.file, &self.path));
        match written {
            Ok(()) => self.len += bytes.len() as u64,
            Err(_) => self.cut(self.len).unwrap_or_default(),
        }
        written
    }

    /// Cuts the file to its first `len` bytes.
    ///
    /// # Errors
    /// If that fails.
    pub(crate) fn cut(&mut self, len: u64) -> io::Result<()> {
        permit(Call::Cut(&self.path, len), 0)?;
        self.file.set_len(len)?;
        sync(&self.file, &self.path)?;
        self.len = len;
        Ok(())
    }

    /// An error if the path leads to another file or to none: what is written would be lost.
    pub(crate) fn require_place(&self) -> io::Result<()> {
        match is_at(&self.file, &self.path) {
            true => Ok(()),
            false => Err(io::Error::new(
                ErrorKind::NotFound,
                "it was deleted or replaced while this program was using it; stopping, because what is \
                 written now would be lost",
            )),
        }
    }

    /// Makes every later append fail, like a full disk.
    #[cfg(test)]
    pub(crate) fn make_read_only(&mut self) {
        self.file = File::open(&self.path).expect("the file exists");
    }
}

/// Whether `path` leads to the open `file`.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let [file, path] = [file.metadata(), fs::metadata(path)].map(|found| found.map(identity));
    matches!((file, path), (Ok(file), Ok(path)) if file == path)
}

#[cfg(not(unix))]
pub(crate) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}
