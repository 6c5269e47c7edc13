//! The log of a cell: everything that a program prints except its metrics.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Bytes of the start of the log that are kept.
const HEAD: usize = 1 << 20;
/// Bytes of its end that are kept.
const TAIL: usize = 64 << 10;
/// Lines of the end that an error shows.
const SHOWN: usize = 3;

/// A log in memory of bounded size: its head goes to a compressed file, its tail is held back.
#[derive(Debug)]
pub(super) struct Log {
    file: Option<GzEncoder<File>>,
    head: usize,
    tail: VecDeque<u8>,
    left_out: u64,
    /// The first error of the file.
    error: Option<io::Error>,
}

impl Log {
    /// A log in the file `path`, which is created with its first line.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: Some(GzEncoder::new(File::create(path)?, Compression::fast())),
            head: 0,
            tail: VecDeque::new(),
            left_out: 0,
            error: None,
        })
    }

    /// Adds a line without its end.
    pub(super) fn line(&mut self, line: &[u8]) {
        if self.left_out == 0 && self.head + line.len() < HEAD {
            self.head += line.len() + 1;
            self.write(line);
            self.write(b"\n");
        } else {
            self.left_out += line.len() as u64 + 1;
        }
        // The tail also has the lines of a short log, for errors.
        self.tail.extend(line);
        self.tail.push_back(b'\n');
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
    }

    /// Writes the tail and closes the file. Nothing is added afterwards.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.left_out > 0 {
            let tail = self.tail.make_contiguous().to_vec();
            let kept = tail
                .len()
                .min(self.left_out.try_into().unwrap_or(usize::MAX));
            let gap = self.left_out - kept as u64;
            if gap > 0 {
                self.write(format!("[... {gap} bytes left out ...]\n").as_bytes());
            }
            self.write(&tail[tail.len() - kept..]);
        }
        let finished = self
            .file
            .take()
            .map_or(Ok(()), |file| file.finish().map(drop));
        match self.error.take() {
            Some(error) => Err(error),
            None => finished,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(bytes)
        {
            self.error.get_or_insert(error);
        }
    }

    /// The last lines, for an error; empty without any.
    pub(super) fn last_lines(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        lines[lines.len().saturating_sub(SHOWN)..].join(" / ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    fn written(lines: &[&[u8]]) -> (String, Log) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.gz");
        let mut log = Log::create(&path).unwrap();
        lines.iter().for_each(|line| log.line(line));
        log.finish().unwrap();
        let mut text = String::new();
        let mut file = GzDecoder::new(File::open(path).unwrap());
        file.read_to_string(&mut text).unwrap();
        (text, log)
    }

    #[test]
    fn short_log_is_kept_whole() {
        let (text, log) = written(&[b"one", b"two", b"", b"three", b"four"]);
        assert_eq!(text, "one\ntwo\n\nthree\nfour\n");
        assert_eq!(log.last_lines(), "two / three / four");
    }

    #[test]
    fn long_log_keeps_its_start_and_its_end() {
        let line = [b'x'; 999];
        let mut lines: Vec<&[u8]> = vec![&line; 20_000];
        (lines[0], lines[19_999]) = (b"first", b"last");
        let (text, log) = written(&lines);
        assert!(text.starts_with("first\nxxx") && text.ends_with("xxx\nlast\n"));
        assert!(text.contains("bytes left out"));
        assert!(text.len() < HEAD + TAIL + 100, "{}", text.len());
        assert!(log.last_lines().ends_with(" / last"));
    }

    #[test]
    fn log_a_little_longer_than_the_head_has_no_gap() {
        let line = [b'x'; 1023];
        let (text, _) = written(&vec![&line[..]; 1030]);
        assert_eq!(text.len(), 1030 * 1024);
        assert!(!text.contains("left out"));
    }
}
