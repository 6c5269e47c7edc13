//! The file format: JSON that ends with a checksum of the rest.

use super::Provenance;
use crate::files::{FileError, read_text, sha256, write_atomic};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// File name in a results folder, for the records in `runs.jsonl`.
pub const NAME: &str = "provenance.json";

/// File name in a results folder, for the records in the journal.
pub const RUNNING_NAME: &str = ".provenance.json";

/// Start of the last field.
const FIELD: &str = ",\n  \"checksum\": \"";
/// End of the file after the checksum.
const END: &str = "\"\n}\n";

/// Why a provenance file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProvenanceError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It has other content.
    #[error("`{}` is damaged: {why}", path.display())]
    Content {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Provenance {
    /// Reads `provenance.json` in `folder`, where there is one that can be read.
    pub fn read(folder: &Path) -> Option<Self> {
        Self::load(&folder.join(NAME)).ok().flatten()
    }

    /// Reads the provenance file `path`; `None` if there is none. Files of older versions have no checksum.
    ///
    /// # Errors
    /// If it cannot be read, its checksum is wrong, or it is not a provenance file.
    pub fn load(path: &Path) -> Result<Option<Self>, ProvenanceError> {
        let text = match read_text(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(FileError::of("read", path))?,
        };
        parse(&text)
            .map(Some)
            .map_err(|why| ProvenanceError::Content {
                path: path.to_owned(),
                why,
            })
    }

    /// Writes `provenance.json` into `folder`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        self.write_as(&folder.join(NAME))
    }

    /// Writes it to the file `path`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write_as(&self, path: &Path) -> Result<(), FileError> {
        write_atomic(path, format(self).as_bytes())?;
        Ok(())
    }
}

fn format(provenance: &Provenance) -> String {
    let text = serde_json::to_string_pretty(provenance).expect("plain data has a JSON form");
    let body = text.strip_suffix("\n}").expect("an object with fields");
    format!("{body}{FIELD}{}{END}", sha256(body.as_bytes()))
}

fn parse(text: &str) -> Result<Provenance, String> {
    let json = match text.rsplit_once(FIELD) {
        Some((body, rest)) => match rest.strip_suffix(END) {
            Some(digits) if digits == sha256(body.as_bytes()) => format!("{body}\n}}"),
            _ => return Err("its checksum does not match its content".to_owned()),
        },
        None => text.to_owned(),
    };
    serde_json::from_str(&json).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::origins::tests::{provenance, setting};
    use super::*;
    use crate::files::mutation::mutations;

    #[test]
    fn file_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Provenance::load(&dir.path().join(NAME)).unwrap().is_none());
        let made = provenance(&setting("wgpu"));
        made.write(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert!(text.ends_with("\"\n}\n"));
        assert_eq!(Provenance::read(dir.path()).as_ref(), Some(&made));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["checksum"].as_str().map(str::len), Some(64));
    }

    #[test]
    fn every_changed_byte_is_found() {
        let good = format(&provenance(&setting("flex")));
        assert!(parse(&good).is_ok());
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] ^= 1;
            let found = String::from_utf8(bad).is_ok_and(|bad| parse(&bad).is_ok());
            assert!(!found, "byte {at}");
        }
    }

    #[test]
    fn changed_file_is_rejected_or_the_same() {
        let made = provenance(&setting("flex"));
        for bytes in mutations(format(&made).as_bytes(), 2_000, "provenance") {
            if let Ok(found) = String::from_utf8(bytes)
                .map_err(drop)
                .and_then(|t| parse(&t).map_err(drop))
            {
                assert_eq!(found, made);
            }
        }
        // Without a checksum it must still not panic.
        let older = serde_json::to_string_pretty(&made).unwrap();
        for bytes in mutations(older.as_bytes(), 2_000, "older provenance") {
            let _ = String::from_utf8(bytes).map(|text| parse(&text));
        }
    }

    #[test]
    fn file_without_checksum_is_accepted() {
        let made = provenance(&setting("flex"));
        let older = serde_json::to_string_pretty(&made).unwrap();
        assert_eq!(parse(&older), Ok(made));
        assert!(parse("{}").is_err());
    }
}
