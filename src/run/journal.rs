//! The journal of a results folder: an append-only file of finished cells.
//!
//! `.cells.jsonl` keeps the cells of all versions of a spec, so returning to an earlier version trains
//! nothing. If a cell has two records, the later one counts. `--fresh` renames the journal to the
//! first free `.cells.N.jsonl` instead of deleting it, so a kill at any moment loses no record.

use super::damage::{self, Damage};
use super::lines::{self, Intact, Line, Lines, LinesById, RecordError};
use super::meaning::{self, Planned};
use super::share;
use crate::files::{self, Appended, FileError, write_atomic};
use crate::plan::Plan;
use crate::record::CellRecord;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of the file in a results folder.
pub const NAME: &str = ".cells.jsonl";

/// An open journal. [`super::lock::Lock`] keeps other processes from opening it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Appended,
    lines: LinesById,
    /// Ids of the cells with more than one intact record, or with one after it was doubted.
    repeated: BTreeSet<String>,
}

impl Journal {
    /// Opens the journal in `folder`, or creates it. An unfinished last line is removed. Damaged lines,
    /// and records that do not fit their cell in `plan`, are moved to `.cells.jsonl.damaged`; a journal
    /// without checksums gets them. `known` are lines that were checked before, by id: they need not be parsed again. The
    /// second value has a notice for each line that was removed.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn open(
        folder: &Path,
        plan: &Plan,
        known: &HashMap<&str, &Line>,
    ) -> Result<(Self, Vec<String>), RecordError> {
        let path = folder.join(NAME);
        let open = || Appended::open(&path).map_err(FileError::of("open", &path));
        let (mut file, bytes) = open()?;
        let planned = Planned::new(plan);
        let lines = lines::parse(&path, &bytes, |line, unchecked| {
            let same = lines::id_of(line).and_then(|id| known.get(id));
            match same.filter(|known| known.text() == line) {
                Some(&known) => Ok(known.clone()),
                None => lines::read(line, unchecked, |record| planned.fault(record)),
            }
        });
        let mut notices: Vec<String> = lines.notice(&path).into_iter().collect();
        if !lines.damaged.is_empty() || lines.unchecked {
            notices.extend(damage::keep(&lines.damaged)?);
            let intact: Vec<&[u8]> = lines.records.iter().map(Line::text).collect();
            write_atomic(&path, &intact.concat())?;
            (file, _) = open()?;
        } else if lines.torn > 0 {
            file.cut(lines.whole as u64)
                .map_err(FileError::of("repair", &path))?;
        }
        let mut journal = Self {
            path,
            file,
            lines: LinesById::new(),
            repeated: BTreeSet::new(),
        };
        journal.insert(lines.records.into_iter());
        Ok((journal, notices))
    }

    /// Creates the journal `path` of a guest. `known` are the lines of other processes.
    ///
    /// # Errors
    /// If it cannot be created.
    pub(super) fn of_guest(path: PathBuf, known: LinesById) -> Result<Self, RecordError> {
        let (file, _) = Appended::open(&path).map_err(FileError::of("open", &path))?;
        Ok(Self {
            path,
            file,
            lines: known,
            repeated: BTreeSet::new(),
        })
    }

    fn insert(&mut self, lines: impl Iterator<Item = Line>) {
        for line in lines {
            if let Some(before) = self.lines.insert(line.id().clone(), line) {
                self.repeated.insert(before.id().to_string());
            }
        }
    }

    /// Forgets the record of a cell that another file contradicts, so that the cell is trained again.
    /// A cell that has two records here was trained twice: its latest record stays. Returns whether the
    /// record was forgotten.
    pub(super) fn doubt(&mut self, id: &str) -> bool {
        !self.repeated.contains(id)
            && self.lines.remove(id).is_some()
            && self.repeated.insert(id.to_owned())
    }

    /// The latest line of each cell, by id.
    pub const fn lines(&self) -> &LinesById {
        &self.lines
    }

    /// Whether the cell has to be trained: it has no record, or it failed. A diverged cell counts as
    /// finished.
    pub fn is_missing(&self, id: &str) -> bool {
        is_missing(&self.lines, id)
    }

    /// Appends `records` in one write and waits until they are on disk. After an error, the file is cut
    /// back and none of them counts.
    ///
    /// # Errors
    /// If a record is invalid or the write fails.
    pub fn append(&mut self, records: &[CellRecord]) -> Result<(), RecordError> {
        let lines: Result<Vec<Line>, RecordError> = records.iter().map(Line::new).collect();
        self.append_lines(lines?)
    }

    /// As [`Self::append`], for lines.
    pub(super) fn append_lines(&mut self, lines: Vec<Line>) -> Result<(), RecordError> {
        let text: Vec<&[u8]> = lines.iter().map(Line::text).collect();
        (self.file.append(&text.concat())).map_err(FileError::of("append to", &self.path))?;
        self.insert(lines.into_iter());
        Ok(())
    }

    /// An error if the journal was deleted or replaced while it was open.
    ///
    /// # Errors
    /// That is the error.
    pub(super) fn require_place(&self) -> Result<(), RecordError> {
        let place = self.file.require_place();
        Ok(place.map_err(FileError::of("find", &self.path))?)
    }

    /// Makes every later append fail, like a full disk.
    #[cfg(test)]
    pub(super) fn make_read_only(&mut self) {
        self.file.make_read_only();
    }
}

/// Whether the cell `id` has to be trained, given the `lines` of a journal; see [`Journal::is_missing`].
pub fn is_missing(lines: &LinesById, id: &str) -> bool {
    lines.get(id).is_none_or(Line::has_failed)
}

/// Parses `bytes`, the content of the journal `path`, and checks its records against the cells of `plan`.
pub(super) fn parse<T: Intact>(path: &Path, bytes: &[u8], plan: &Plan) -> Lines<T> {
    meaning::parse(path, bytes, Some(&Planned::new(plan)))
}

/// Content of a journal.
#[derive(Debug, Default)]
pub struct Journaled {
    /// The latest intact record of each cell, by id.
    pub records: BTreeMap<String, CellRecord>,
    /// The damaged lines.
    pub damaged: Vec<Damage>,
    /// A notice of an unfinished last line, if there is one.
    pub notice: Option<String>,
}

/// Reads the latest line of each cell, by id, from the journal in `folder` and from those of its guests, where
/// a failure never takes the place of a record. An unfinished last line is skipped, and so are damaged lines, which
/// are the second value. Nothing is locked or written, so other processes may change the journals meanwhile.
///
/// # Errors
/// If the journal exists and cannot be read.
pub fn read(folder: &Path, plan: &Plan) -> Result<(LinesById, Vec<Damage>), RecordError> {
    let path = folder.join(NAME);
    let lines: Lines<Line> = parse(&path, &content(&path)?, plan);
    let mut damaged = lines.damaged;
    let mut known: LinesById = (lines.records.into_iter())
        .map(|line| (line.id().clone(), line))
        .collect();
    for path in share::parts(folder) {
        let Some(mut lines) = share::part(&path, plan)? else {
            continue;
        };
        damaged.append(&mut lines.damaged);
        for line in lines.records {
            if is_missing(&known, line.id()) {
                known.insert(line.id().clone(), line);
            }
        }
    }
    Ok((known, damaged))
}

/// The damaged lines in the journals of the guests in `folder`, which the next run sets aside.
///
/// # Errors
/// If one of them cannot be read.
pub fn damage_of_guests(folder: &Path, plan: &Plan) -> Result<Vec<Damage>, RecordError> {
    let mut damaged = Vec::new();
    for path in share::parts(folder) {
        damaged.extend(
            share::part(&path, plan)?
                .into_iter()
                .flat_map(|lines| lines.damaged),
        );
    }
    Ok(damaged)
}

/// The content of the journal `path`, empty if it does not exist.
fn content(path: &Path) -> Result<Vec<u8>, FileError> {
    match files::read(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(FileError::of("read", path)),
    }
}

/// Reads the journal in `folder`, without those of guests, and returns all that there is to say about it.
///
/// # Errors
/// If the journal exists and cannot be read.
pub fn inspect(folder: &Path, plan: &Plan) -> Result<Journaled, RecordError> {
    let path = folder.join(NAME);
    let mut lines: Lines<CellRecord> = parse(&path, &content(&path)?, plan);
    Ok(Journaled {
        notice: lines.notice(&path),
        damaged: std::mem::take(&mut lines.damaged),
        records: (lines.records.into_iter())
            .map(|record| (record.id.clone(), record))
            .collect(),
    })
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
    files::rename(&path, &aside)?;
    Ok(Some(aside))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Outcome;
    use std::io::Write;

    fn record(id: &str, outcome: Outcome) -> CellRecord {
        CellRecord {
            id: id.into(),
            arm: "a".into(),
            seed: 1,
            learning_rate: Some(0.1),
            device: "flex".into(),
            outcome,
            epochs: Vec::new(),
            probes: BTreeMap::new(),
            traces: BTreeMap::new(),
            series: BTreeMap::new(),
            misclassified: None,
        }
    }

    fn plan() -> Plan {
        Plan::new(&crate::run::fake::spec(&["a"], 1), "flex", 1, "f")
    }

    fn failed(error: &str) -> Outcome {
        Outcome::Failed {
            error: error.into(),
        }
    }

    fn open(folder: &Path) -> (Journal, Vec<String>) {
        Journal::open(folder, &plan(), &HashMap::new()).unwrap()
    }

    fn reopen(folder: &Path) -> Journal {
        open(folder).0
    }

    #[test]
    fn appended_records_survive_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, notice) = open(dir.path());
        assert!(notice.is_empty());
        assert!(journal.is_missing("x"));
        let records = [record("x", Outcome::Done), record("y", Outcome::Done)];
        journal.append(&records).unwrap();
        assert!(!journal.is_missing("x"));
        let again = reopen(dir.path());
        assert_eq!(again.lines(), journal.lines());
        assert_eq!(again.lines().len(), 2);
    }

    #[test]
    fn read_skips_an_unfinished_line_and_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            read(&dir.path().join("missing"), &plan())
                .unwrap()
                .0
                .is_empty()
        );
        assert!(read(dir.path(), &plan()).unwrap().0.is_empty());
        assert!(!dir.path().join(NAME).exists());
        let mut journal = reopen(dir.path());
        journal.append(&[record("x", Outcome::Done)]).unwrap();
        let path = dir.path().join(NAME);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(b"{\"id\":");
        fs::write(&path, &bytes).unwrap();
        assert_eq!(&read(dir.path(), &plan()).unwrap().0, journal.lines());
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
        assert_eq!(
            reopen(dir.path()).lines()["x"].record().outcome,
            Outcome::Done
        );
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

        let (mut journal, notice) = open(dir.path());
        assert!(notice[0].contains(&path.display().to_string()));
        assert_eq!(fs::read(&path).unwrap(), whole);
        journal.append(&[record("y", Outcome::Done)]).unwrap();
        assert_eq!(reopen(dir.path()).lines().len(), 2);
    }

    #[test]
    fn append_removes_the_rest_of_a_failed_write() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = reopen(dir.path());
        journal.append(&[record("x", Outcome::Done)]).unwrap();
        let mut other = fs::File::options()
            .append(true)
            .open(dir.path().join(NAME))
            .unwrap();
        other.write_all(b"{\"id\":\"to").unwrap();
        journal.append(&[record("y", Outcome::Done)]).unwrap();
        let (again, notice) = open(dir.path());
        assert!(notice.is_empty());
        assert_eq!(again.lines().len(), 2);
    }

    #[test]
    fn deleted_or_replaced_journal_is_noticed_at_the_next_append() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a");
        for replaced in [false, true] {
            fs::create_dir_all(&folder).unwrap();
            let mut journal = reopen(&folder);
            journal.append(&[record("x", Outcome::Done)]).unwrap();
            fs::remove_dir_all(&folder).unwrap();
            if replaced {
                fs::create_dir(&folder).unwrap();
                reopen(&folder);
            }
            let error = journal.append(&[record("y", Outcome::Done)]).unwrap_err();
            assert!(
                error.to_string().contains("was deleted or replaced"),
                "{error}"
            );
            assert!(journal.require_place().is_err());
            let there = fs::read(folder.join(NAME)).unwrap_or_default();
            assert_eq!(there, b"");
        }
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
            assert_eq!(
                journal.lines().keys().map(|id| &**id).collect::<Vec<_>>(),
                ["x"]
            );
        }
    }

    #[test]
    fn invalid_record_leaves_the_journal_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = reopen(dir.path());
        let mut bad = record("y", Outcome::Done);
        bad.probes.insert("p".into(), f64::NAN);
        assert!(journal.append(&[record("x", Outcome::Done), bad]).is_err());
        assert!(journal.lines().is_empty());
        assert_eq!(fs::read(dir.path().join(NAME)).unwrap(), b"");
    }

    #[test]
    fn damaged_line_is_moved_and_the_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let records = ["x", "y", "z"].map(|id| record(id, Outcome::Done));
        reopen(dir.path()).append(&records).unwrap();
        let path = dir.path().join(NAME);
        let good = fs::read_to_string(&path).unwrap();
        let bad = good.replace("\"id\":\"y\"", "\"id\":\"Y\"");
        fs::write(&path, &bad).unwrap();
        let (known, damaged) = read(dir.path(), &plan()).unwrap();
        assert_eq!((known.len(), damaged.len()), (2, 1));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            bad,
            "read writes nothing"
        );

        let (mut journal, notices) = open(dir.path());
        assert_eq!(notices.len(), 1);
        assert!(
            notices[0].contains(".cells.jsonl` line 2 (cell with id Y"),
            "{notices:?}"
        );
        assert!(journal.is_missing("y") && !journal.is_missing("z"));
        let kept = fs::read_to_string(dir.path().join(".cells.jsonl.damaged")).unwrap();
        assert_eq!(kept, bad.lines().nth(1).unwrap().to_owned() + "\n");
        journal.append(&records[1..2]).unwrap();
        let (again, notices) = open(dir.path());
        assert_eq!((again.lines().len(), notices.len()), (3, 0));
    }

    #[test]
    fn journal_without_checksums_gets_them() {
        let dir = tempfile::tempdir().unwrap();
        let old = serde_json::to_string(&record("x", Outcome::Done)).unwrap() + "\n";
        fs::write(dir.path().join(NAME), old).unwrap();
        let (mut journal, notices) = open(dir.path());
        assert!(notices.is_empty());
        journal.append(&[record("y", Outcome::Done)]).unwrap();
        assert_eq!(reopen(dir.path()).lines().len(), 2);
        let text = fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert!(
            text.lines().all(|line| line.contains("\"checksum\":")),
            "{text}"
        );
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
            assert!(reopen(dir.path()).lines().is_empty());
            assert_eq!(set_aside(dir.path()).unwrap(), None);
        }
    }
}
