//! Reading files, and only regular ones.

use super::disk;
use crate::text::utf8;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens `path` for reading.
///
/// # Errors
/// If it cannot be opened, or is a folder, a named pipe, a socket or a device.
pub fn open(path: &Path) -> io::Result<File> {
    disk::open(path, File::options().read(true))
}

/// The content of the regular file `path`.
///
/// # Errors
/// As [`open()`], or if it cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::with_capacity(file.metadata()?.len().min(1 << 30) as usize);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text in the regular file `path`.
///
/// # Errors
/// As [`read`], or if it is not UTF-8; the error says where.
pub fn read_text(path: &Path) -> io::Result<String> {
    utf8::text(read(path)?).map_err(|why| io::Error::new(ErrorKind::InvalidData, why))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        for (path, what) in [
            (pipe.as_path(), "a named pipe"),
            (Path::new("/dev/zero"), "a device"),
            (dir.path(), "a folder"),
        ] {
            let error = read(path).unwrap_err().to_string();
            assert_eq!(error, format!("it is {what}, not a regular file"));
        }
        // Opening a pipe for writing would wait, too.
        let error = disk::Appended::open(&pipe).unwrap_err().to_string();
        assert!(error.contains("a named pipe"), "{error}");
    }

    #[test]
    fn text_that_is_not_utf8_is_an_error_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        std::fs::write(&path, b"{}\n\xff").unwrap();
        let error = read_text(&path).unwrap_err().to_string();
        assert!(error.contains("0xff at offset 3 (line 2)"), "{error}");
    }
}
