//! What is kept in memory of an intact line: its record, or its text.

use super::format::{RecordError, decode, has_checksum, line, record_of_intact};
use crate::record::{CellRecord, Outcome};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Lines by the id of their cell.
pub type LinesById = BTreeMap<Arc<str>, Line>;

/// An intact line: its text, and what is asked of it most often. It takes less than half the memory of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    id: Arc<str>,
    seed: u64,
    status: Status,
    /// [`hash_of_cell`] of its record.
    cell: u64,
    text: Arc<[u8]>,
}

/// How the training of a cell ended; see [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Done,
    Diverged,
    Failed,
}

impl Line {
    /// The line of `record`.
    ///
    /// # Errors
    /// If the record is invalid.
    pub(in crate::run) fn new(record: &CellRecord) -> Result<Self, RecordError> {
        let mut text = Vec::new();
        match line(record, &mut text) {
            Ok(()) => Ok(Self::with_text(record, &text)),
            Err(why) => Err(RecordError::Record {
                id: record.id.clone(),
                why,
            }),
        }
    }

    fn with_text(record: &CellRecord, text: &[u8]) -> Self {
        Self {
            id: record.id.as_str().into(),
            seed: record.seed,
            status: match record.outcome {
                Outcome::Done => Status::Done,
                Outcome::Diverged { .. } => Status::Diverged,
                Outcome::Failed { .. } => Status::Failed,
            },
            cell: hash_of_cell(record),
            text: text.into(),
        }
    }

    /// The id of the cell.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether the cell could not be trained.
    pub fn has_failed(&self) -> bool {
        self.status == Status::Failed
    }

    /// Whether the loss was not finite.
    pub fn has_diverged(&self) -> bool {
        self.status == Status::Diverged
    }

    /// The line, with its checksum and line break.
    pub(in crate::run) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The record.
    ///
    /// # Panics
    /// Never: the line was parsed when it was read, or made from a record.
    pub fn record(&self) -> CellRecord {
        record_of_intact(&self.text).expect("an intact line has a record")
    }
}

/// What tells the cell of a record from others: arm, device, seed and learning rate.
pub(in crate::run) fn cell_of(record: &CellRecord) -> impl Hash + PartialEq + '_ {
    let rate = record.learning_rate.map(f64::to_bits);
    (&record.arm, &record.device, record.seed, rate)
}

/// Hash of [`cell_of`]. Two lines of one cell have the same.
fn hash_of_cell(record: &CellRecord) -> u64 {
    let mut hasher = DefaultHasher::new();
    cell_of(record).hash(&mut hasher);
    hasher.finish()
}

/// What is kept of an intact line.
pub(in crate::run) trait Intact: Send + Sized {
    /// Of the line `text` with the given record.
    fn of(record: CellRecord, text: &[u8]) -> Result<Self, String>;

    /// Hash of the arm, device, seed and learning rate.
    fn cell(&self) -> u64;

    /// The record.
    fn whole(&self) -> Cow<'_, CellRecord>;
}

impl Intact for CellRecord {
    fn of(record: CellRecord, _: &[u8]) -> Result<Self, String> {
        Ok(record)
    }

    fn cell(&self) -> u64 {
        hash_of_cell(self)
    }

    fn whole(&self) -> Cow<'_, CellRecord> {
        Cow::Borrowed(self)
    }
}

impl Intact for Line {
    fn of(record: CellRecord, text: &[u8]) -> Result<Self, String> {
        if has_checksum(text) {
            return Ok(Self::with_text(&record, text));
        }
        let mut text = Vec::new();
        line(&record, &mut text)?;
        Ok(Self::with_text(&record, &text))
    }

    fn cell(&self) -> u64 {
        self.cell
    }

    fn whole(&self) -> Cow<'_, CellRecord> {
        Cow::Owned(self.record())
    }
}

/// What is kept of the line `text`, if it is intact and `fault` has nothing against its record.
pub(in crate::run) fn read<T: Intact>(
    text: &[u8],
    unchecked: bool,
    fault: impl Fn(&CellRecord) -> Option<String>,
) -> Result<T, String> {
    let record = decode(text, unchecked)?;
    match fault(&record) {
        Some(why) => Err(why),
        None => T::of(record, text),
    }
}

/// The id that a line begins with, as this program writes lines.
pub(in crate::run) fn id_of(text: &[u8]) -> Option<&str> {
    let rest = text.strip_prefix(br#"{"id":""#)?;
    let end = rest.iter().position(|&byte| byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()
}
