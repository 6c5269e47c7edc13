//! `looks.json`: the looks at the results after which seeds were added.
//!
//! The file exists only where that happened. It is part of the results: a report read without it would
//! present seeds that were chosen by looking as if their number had been fixed before the run.

use crate::files::{FileError, read_text, write_atomic};
use crate::stats::Looks;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of the file in a results folder.
pub const NAME: &str = "looks.json";

/// Why the looks of a results folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LooksError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file has other content.
    #[error(
        "`{}` is not a list of looks: {reason}; restore it with git, or choose another folder with \
         `--results DIR`",
        path.display()
    )]
    Content {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Reads the looks in `folder`; `None` if it has none.
///
/// # Errors
/// If the file exists and cannot be read, or its looks are not in order.
pub fn read(folder: &Path) -> Result<Option<Looks>, LooksError> {
    let path = folder.join(NAME);
    let text = match read_text(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(FileError::of("read", &path))?,
    };
    let content = |reason: String| LooksError::Content {
        path: path.clone(),
        reason,
    };
    let looks: Looks = serde_json::from_str(&text).map_err(|e| content(e.to_string()))?;
    match flaw(&looks) {
        None => Ok(Some(looks)),
        Some(flaw) => Err(content(flaw.to_owned())),
    }
}

fn flaw(looks: &Looks) -> Option<&'static str> {
    let seeds = || looks.looks.iter().map(|look| look.seeds);
    let level = |level: f64| level > 0.0 && level < 1.0;
    if looks.looks.is_empty() {
        Some("it has no look")
    } else if seeds().min() == Some(0) || !seeds().is_sorted_by(|a, b| a < b) {
        Some("the numbers of seeds do not increase")
    } else if looks.seeds() > looks.most {
        Some("a look has more seeds than `most`")
    } else if !looks.looks.iter().all(|look| level(look.level)) {
        Some("a level is not between 0 and 1")
    } else {
        None
    }
}

/// Writes `looks` into `folder`.
///
/// # Errors
/// If it cannot be written.
pub fn write(folder: &Path, looks: &Looks) -> Result<(), FileError> {
    let mut text = serde_json::to_string_pretty(looks).expect("plain data has a JSON form");
    text.push('\n');
    write_atomic(&folder.join(NAME), text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        let looks = Looks::planned(40).at(20, 0.025).at(30, 0.025);
        write(dir.path(), &looks).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(looks));
    }

    #[test]
    fn looks_out_of_order_are_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let good = Looks::planned(40).at(20, 0.05).at(30, 0.05);
        type Change = fn(&mut Looks);
        let changes: [(Change, &str); 5] = [
            (|looks| looks.looks.clear(), "no look"),
            (|looks| looks.looks.reverse(), "do not increase"),
            (|looks| looks.looks[0].seeds = 0, "do not increase"),
            (|looks| looks.most = 25, "more seeds than `most`"),
            (|looks| looks.looks[1].level = 1.5, "not between 0 and 1"),
        ];
        for (change, expected) in changes {
            let mut bad = good.clone();
            change(&mut bad);
            write(dir.path(), &bad).unwrap();
            let error = read(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        std::fs::write(dir.path().join(NAME), "{").unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("looks.json` is not a list of looks"),
            "{error}"
        );
    }
}
