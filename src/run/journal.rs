//! The journal of a results folder: an append-only file of finished cells.
//!
//! `.cells.jsonl` keeps the cells of all versions of a spec, so returning to an earlier version trains
//! nothing. If a cell has two records, the later one counts. `--fresh` renames the journal to the
//! first free `.cells.N.jsonl` instead of deleting it, so a kill at any moment loses no record.

use super::lines::{self, RecordError};
use crate::files::{FileError, sync_folder};
use crate::record::{CellRecord, Outcome};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

const NAME: &str = ".cells.jsonl";

const ADVICE: &str = "remove the line, or train everything again with `--fresh`";

/// An open journal. [`super::lock::Lock`] keeps other processes from opening it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Length of the complete lines, in bytes.
    len: u64,
    records: BTreeMap<String, CellRecord>,
}

impl Journal {
    /// Opens the journal in `folder`, or creates it. An unfinished last line is removed; the second
    /// value is a notice of that.
    ///
    /// # Errors
    /// If it cannot be read or written, or contains a line that is not a record.
    pub fn open(folder: &Path) -> Result<(Self, Option<String>), RecordError> {
        let path = folder.join(NAME);
        let mut file = (File::options().read(true).append(true).create(true))
            .open(&path)
            .map_err(FileError::of("open", &path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .and_then(|_| sync_folder(folder))
            .map_err(FileError::of("read", &path))?;
        let lines = lines::parse(&path, &bytes, ADVICE)?;
        let notice = lines.notice(&path);
        let len = lines.whole as u64;
        if notice.is_some() {
            cut(&file, len).map_err(FileError::of("repair", &path))?;
        }
        let records = (lines.records.into_iter())
            .map(|record| (record.id.clone(), record))
            .collect();
        let journal = Self {
            path,
            file,
            len,
            records,
        };
        Ok((journal, notice))
    }

    /// The latest record of each cell, by id.
    pub const fn records(&self) -> &BTreeMap<String, CellRecord> {
        &self.records
    }

    /// Whether the cell has to be trained: it has no record, or it failed. A diverged cell counts as
    /// finished.
    pub fn is_missing(&self, id: &str) -> bool {
        is_missing(&self.records, id)
    }

    /// Appends `records` in one write and waits until they are on disk. After an error, the file is cut
    /// back and none of them counts.
    ///
    /// # Errors
    /// If a record is invalid or the write fails.
    pub fn append(&mut self, records: &[CellRecord]) -> Result<(), RecordError> {
        let bytes = lines::encode(records)?;
        (self.write(&bytes)).map_err(FileError::of("append to", &self.path))?;
        for record in records {
            self.records.insert(record.id.clone(), record.clone());
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Remove the part of a line that an earlier failed write left behind.
        if self.file.metadata()?.len() != self.len {
            cut(&self.file, self.len)?;
        }
        let written = (self.file.write_all(bytes)).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.len += bytes.len() as u64,
            Err(_) => cut(&self.file, self.len).unwrap_or_default(),
        }
        written
    }

    /// Makes every later append fail, like a full disk.
    #[cfg(test)]
    pub(super) fn make_read_only(&mut self) {
        self.file = File::open(&self.path).expect("the journal exists");
    }
}

fn cut(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    file.sync_data()
}

/// Whether the cell `id` has to be trained, given `records`; see [`Journal::is_missing`].
pub fn is_missing(records: &BTreeMap<String, CellRecord>, id: &str) -> bool {
    let failed = |record: &CellRecord| matches!(record.outcome, Outcome::Failed { .. });
    records.get(id).is_none_or(failed)
}

/// Reads the latest record of each cell, by id, from the journal in `folder`. An unfinished last line
/// is skipped. Nothing is locked or written, so another process may change the journal meanwhile.
///
/// # Errors
/// If the journal exists and cannot be read, or contains a line that is not a record.
pub fn read(folder: &Path) -> Result<BTreeMap<String, CellRecord>, RecordError> {
    let path = folder.join(NAME);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(e) => return Err(FileError::of("read", &path)(e).into()),
    };
    let lines = lines::parse(&path, &bytes, ADVICE)?;
    Ok((lines.records.into_iter())
        .map(|record| (record.id.clone(), record))
        .collect())
}

/// Renames the journal in `folder` to the first free `.cells.N.jsonl` and returns the new path. An
/// empty or missing journal is left alone.
///
/// # Errors
/// If it cannot be renamed.
pub fn set_aside(folder: &Path) -> Result<Option<PathBuf>, RecordError> {
    let path = folder.join(NAME);
    match fs::metadata(&path) {
        Ok(found) if found.len() > 0 => {}
        Ok(_) => return Ok(None),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(FileError::of("read", &path)(e).into()),
    }
    let mut numbered = (1u32..).map(|n| folder.join(format!(".cells.{n}.jsonl")));
    let aside = numbered
        .find(|p| !p.exists())
        .expect("fewer than 2^32 files");
    fs::rename(&path, &aside)
        .and_then(|()| sync_folder(folder))
        .map_err(FileError::of("rename", &path))?;
    Ok(Some(aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, outcome: Outcome) -> CellRecord {
        CellRecord {
            id: id.into(),
            arm: "a".into(),
            seed: 1,
            learning_rate: 0.1,
            device: "flex".into(),
            outcome,
            epochs: Vec::new(),
            probes: BTreeMap::new(),
            traces: BTreeMap::new(),
            series: BTreeMap::new(),
        }
    }

    fn failed(error: &str) -> Outcome {
        Outcome::Failed {
            error: error.into(),
        }
    }

    fn reopen(folder: &Path) -> Journal {
        Journal::open(folder).unwrap().0
    }

    #[test]
    fn appended_records_survive_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, notice) = Journal::open(dir.path()).unwrap();
        assert_eq!(notice, None);
        assert!(journal.is_missing("x"));
        let records = [record("x", Outcome::Done), record("y", Outcome::Done)];
        journal.append(&records).unwrap();
        assert!(!journal.is_missing("x"));
        let again = reopen(dir.path());
        assert_eq!(again.records(), journal.records());
        assert_eq!(again.records().len(), 2);
    }

    #[test]
    fn read_skips_an_unfinished_line_and_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(&dir.path().join("missing")).unwrap().is_empty());
        assert!(read(dir.path()).unwrap().is_empty());
        assert!(!dir.path().join(NAME).exists());
        let mut journal = reopen(dir.path());
        journal.append(&[record("x", Outcome::Done)]).unwrap();
        let path = dir.path().join(NAME);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(b"{\"id\":");
        fs::write(&path, &bytes).unwrap();
        assert_eq!(&read(dir.path()).unwrap(), journal.records());
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn failed_cells_are_missing_and_diverged_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = reopen(dir.path());
        let diverged = record("d", Outcome::Diverged { epoch: 1 });
        journal
            .append(&[record("f", failed("no")), diverged])
            .unwrap();
        for journal in [journal, reopen(dir.path())] {
            assert!(journal.is_missing("f"));
            assert!(!journal.is_missing("d"));
        }
    }

    #[test]
    fn later_of_two_records_counts() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = reopen(dir.path());
        journal.append(&[record("x", failed("no"))]).unwrap();
        journal.append(&[record("x", Outcome::Done)]).unwrap();
        assert_eq!(reopen(dir.path()).records()["x"].outcome, Outcome::Done);
        assert!(!reopen(dir.path()).is_missing("x"));
    }

    #[test]
    fn open_removes_an_unfinished_last_line() {
        let dir = tempfile::tempdir().unwrap();
        reopen(dir.path())
            .append(&[record("x", Outcome::Done)])
            .unwrap();
        let path = dir.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], &whole[..whole.len() / 2]].concat()).unwrap();

        let (mut journal, notice) = Journal::open(dir.path()).unwrap();
        assert!(notice.unwrap().contains(&path.display().to_string()));
        assert_eq!(fs::read(&path).unwrap(), whole);
        journal.append(&[record("y", Outcome::Done)]).unwrap();
        assert_eq!(reopen(dir.path()).records().len(), 2);
    }

    #[test]
    fn append_removes_the_rest_of_a_failed_write() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = reopen(dir.path());
        journal.append(&[record("x", Outcome::Done)]).unwrap();
        (journal.file).write_all(b"{\"id\":\"to").unwrap();
        journal.append(&[record("y", Outcome::Done)]).unwrap();
        let (again, notice) = Journal::open(dir.path()).unwrap();
        assert_eq!(notice, None);
        assert_eq!(again.records().len(), 2);
    }

    #[test]
    fn failed_write_names_the_file_and_keeps_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = reopen(dir.path());
        journal.append(&[record("x", Outcome::Done)]).unwrap();
        journal.make_read_only();
        let error = journal.append(&[record("y", Outcome::Done)]).unwrap_err();
        assert!(error.to_string().contains(NAME), "{error}");
        for journal in [journal, reopen(dir.path())] {
            assert_eq!(journal.records().keys().collect::<Vec<_>>(), ["x"]);
        }
    }

    #[test]
    fn invalid_record_leaves_the_journal_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = reopen(dir.path());
        let mut bad = record("y", Outcome::Done);
        bad.probes.insert("p".into(), f64::NAN);
        assert!(journal.append(&[record("x", Outcome::Done), bad]).is_err());
        assert!(journal.records().is_empty());
        assert_eq!(fs::read(dir.path().join(NAME)).unwrap(), b"");
    }

    #[test]
    fn set_aside_never_overwrites_earlier_journals() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(set_aside(dir.path()).unwrap(), None);
        for n in 1..=2 {
            reopen(dir.path())
                .append(&[record("x", failed(&n.to_string()))])
                .unwrap();
            let aside = set_aside(dir.path()).unwrap().unwrap();
            assert_eq!(aside, dir.path().join(format!(".cells.{n}.jsonl")));
            assert!(reopen(dir.path()).records().is_empty());
            assert_eq!(set_aside(dir.path()).unwrap(), None);
        }
    }
}
