//! Damaged lines of records, and where they are kept.

use crate::files::{Appended, FileError};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// A line of a journal or of a `runs.jsonl` that is not used, because it is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
    /// The line.
    bytes: Vec<u8>,
}

impl Damage {
    pub(super) fn new(path: &Path, line: usize, why: impl Into<String>, bytes: &[u8]) -> Self {
        Self {
            path: path.to_owned(),
            line,
            why: why.into(),
            bytes: bytes.to_owned(),
        }
    }

    /// The cell that the line names, as far as it can still be read.
    fn cell(&self) -> String {
        let start = &self.bytes[..self.bytes.len().min(400)];
        let text = String::from_utf8_lossy(start);
        let field = |name: &str| {
            let (_, rest) = text.split_once(&format!("\"{name}\":"))?;
            let end = rest.find([',', '}', '\n'])?;
            Some(format!("{name} {}", rest[..end].trim_matches('"')))
        };
        let fields = ["id", "arm", "seed", "learning_rate"];
        let found: Vec<String> = fields.into_iter().filter_map(field).collect();
        match found.is_empty() {
            true => "cell unknown".to_owned(),
            false => format!("cell with {}", found.join(", ").replace('_', " ")),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, line) = (self.path.display(), self.line);
        write!(
            f,
            "`{path}` line {line} ({}) is damaged: {}",
            self.cell(),
            self.why
        )
    }
}

/// The file beside `path` that keeps its damaged lines.
fn beside(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".damaged");
    name.into()
}

/// Appends damaged lines to the file `<name>.damaged` beside theirs, except those that it already has.
/// Returns a message for each, which says what happens.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn keep(damaged: &[Damage]) -> Result<Vec<String>, FileError> {
    let mut messages = Vec::new();
    for damage in damaged {
        let aside = beside(&damage.path);
        append(&aside, &damage.bytes).map_err(FileError::of("append to", &aside))?;
        messages.push(format!(
            "{damage}; the line is not used and is kept in `{}`, and its cell is trained again unless \
             another record of it is intact",
            aside.display()
        ));
    }
    Ok(messages)
}

fn append(path: &Path, line: &[u8]) -> std::io::Result<()> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (mut file, there) = Appended::open(path)?;
    let lines: BTreeSet<&[u8]> = there.split(|&b| b == b'\n').collect();
    if lines.contains(line) && !line.is_empty() {
        return Ok(());
    }
    let start: &[u8] = match there.last() {
        Some(b'\n') | None => b"",
        Some(_) => b"\n",
    };
    file.append(&[start, line, b"\n"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn damaged_lines_are_kept_once_and_described() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs.jsonl");
        let line = br#"{"id":"ab","arm":"a-b","seed":7,"learning_rate":0.01,"device"#;
        let damage = Damage::new(&path, 3, "it is bad", line);
        let other = Damage::new(&path, 4, "it is bad", b"\xff\n");
        for _ in 0..2 {
            let messages = keep(&[damage.clone(), other.clone()]).unwrap();
            assert_eq!(messages.len(), 2);
            assert!(messages[0].contains("id ab, arm a-b, seed 7, learning rate 0.01"));
            assert!(messages[0].contains("runs.jsonl.damaged"), "{messages:?}");
            assert!(messages[1].contains("(cell unknown)"), "{messages:?}");
        }
        let kept = fs::read(dir.path().join("runs.jsonl.damaged")).unwrap();
        assert_eq!(kept, [&line[..], b"\n\xff\n"].concat());
    }
}
