//! `runs.jsonl`: one record per planned cell, in the order of the plan.
//!
//! It is the committed form of the journal. It contains no times and no order of completion, so a rerun
//! writes the same bytes.

use super::damage::Damage;
use super::lines::{self, Intact, Line, Lines, LinesById, RecordError, cell_of};
use super::meaning::{self, Planned};
use crate::files::{self, FileError, write_atomic};
use crate::plan::Plan;
use crate::record::CellRecord;
use std::borrow::{Borrow, Cow};
use std::collections::BTreeSet;
use std::path::Path;

/// Name of the file in a results folder.
pub const NAME: &str = "runs.jsonl";

/// Content of a `runs.jsonl`, with a `T` for each intact line.
#[derive(Clone, Debug, PartialEq)]
pub struct Runs<T = CellRecord> {
    /// The intact records in the order of the file.
    pub records: Vec<T>,
    /// The damaged lines; their cells count as missing.
    pub damaged: Vec<Damage>,
    /// Whether the file has the older format, without checksums.
    pub unchecked: bool,
    /// A notice that an unfinished last line was dropped, if there was one.
    pub notice: Option<String>,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            damaged: Vec::new(),
            unchecked: false,
            notice: None,
        }
    }
}

/// Reads a `runs.jsonl`. Damaged lines are left out of the records, and so are lines of one cell that
/// contradict each other.
///
/// # Errors
/// If it cannot be read.
pub fn read_runs(path: &Path) -> Result<Runs, RecordError> {
    read(path, |_| None)
}

/// Like [`read_runs`], and checks the records against the cells of the plan that `plan` returns for
/// their device.
///
/// # Errors
/// If it cannot be read.
pub fn read_planned<'a>(
    path: &Path,
    plan: impl FnOnce(&str) -> Cow<'a, Plan>,
) -> Result<Runs, RecordError> {
    read(path, |device| Some(plan(device)))
}

/// Like [`read_planned`] with one plan, but keeps the lines instead of their records.
///
/// # Errors
/// If it cannot be read.
pub fn read_lines(path: &Path, plan: &Plan) -> Result<Runs<Line>, RecordError> {
    let bytes = files::read(path).map_err(FileError::of("read", path))?;
    let lines = meaning::parse(path, &bytes, Some(&Planned::new(plan)));
    Ok(without_repeats(path, &bytes, lines))
}

fn read<'a>(
    path: &Path,
    plan: impl FnOnce(&str) -> Option<Cow<'a, Plan>>,
) -> Result<Runs, RecordError> {
    let bytes = files::read(path).map_err(FileError::of("read", path))?;
    // The device of all records is that of the first.
    let first = lines::first(&bytes);
    let plan = plan(first.as_ref().map_or("", |record| &record.device));
    let planned = plan.as_deref().map(Planned::new);
    let lines = meaning::parse(path, &bytes, planned.as_ref());
    Ok(without_repeats(path, &bytes, lines))
}

/// The intact records of `bytes`, the content of `path`, without the repeated ones of a cell: all of them count as
/// damaged if they differ, all but the first if they are equal.
fn without_repeats<T: Intact>(path: &Path, bytes: &[u8], mut lines: Lines<T>) -> Runs<T> {
    let bad = repeats(&lines.records);
    if !bad.is_empty() {
        let text: Vec<&[u8]> = bytes.split_inclusive(|&b| b == b'\n').collect();
        for &index in &bad {
            let (number, record) = (lines.numbers[index], &lines.records[index]);
            let why = repeated(&record.whole());
            let damage = Damage::new(path, number, why, text[number - 1]);
            lines.damaged.push(damage);
        }
        let mut index = 0..;
        (lines.records).retain(|_| index.next().is_some_and(|i| !bad.contains(&i)));
    }
    Runs {
        notice: lines.notice(path),
        unchecked: lines.unchecked,
        damaged: lines.damaged,
        records: lines.records,
    }
}

/// Indices of the records that repeat a cell and do not count.
fn repeats<T: Intact>(records: &[T]) -> BTreeSet<usize> {
    let mut order: Vec<(u64, usize)> = records.iter().map(T::cell).zip(0..).collect();
    order.sort_unstable();
    let mut bad = BTreeSet::new();
    let groups = order.chunk_by(|a, b| a.0 == b.0);
    for group in groups.filter(|group| group.len() > 1) {
        // Records of different cells may have one hash.
        let mut left: Vec<(usize, Cow<'_, CellRecord>)> = (group.iter())
            .map(|&(_, index)| (index, records[index].whole()))
            .collect();
        while let Some((_, first)) = left.first().cloned() {
            let same =
                |(_, record): &(usize, Cow<'_, CellRecord>)| cell_of(record) == cell_of(&first);
            let (cell, others): (Vec<_>, Vec<_>) = left.into_iter().partition(same);
            let equal = cell.iter().all(|(_, record)| *record == first);
            let indices = cell.into_iter().map(|(index, _)| index);
            bad.extend(indices.skip(usize::from(equal)));
            left = others;
        }
    }
    bad
}

fn repeated(record: &CellRecord) -> String {
    let (arm, seed) = (&record.arm, record.seed);
    let rate = record.learning_rate;
    let rate = rate.map_or(String::new(), |rate| format!(" at learning rate {rate}"));
    format!("arm `{arm}` has two records for seed {seed}{rate}")
}

/// The lines of all cells of `plan` in its order, with the current names of the arms; `None` if a cell has no record.
///
/// # Errors
/// If a record is invalid.
pub(super) fn in_order(plan: &Plan, known: &LinesById) -> Result<Option<Vec<u8>>, RecordError> {
    // Of the right size at once, because a vector that grows takes three times its size.
    let lines = plan.cells.iter().filter_map(|cell| known.get(&*cell.id));
    let mut text = Vec::with_capacity(lines.map(|line| line.text().len()).sum());
    let arms: Vec<String> = (plan.spec.arms.iter())
        .map(|arm| serde_json::to_string(&arm.name).expect("a string has a JSON form"))
        .collect();
    for cell in &plan.cells {
        let Some(line) = known.get(&*cell.id) else {
            return Ok(None);
        };
        let start = format!(r#"{{"id":"{}","arm":{},"#, cell.id, arms[cell.arm]);
        match line.text().starts_with(start.as_bytes()) {
            true => text.extend_from_slice(line.text()),
            false => {
                // Another arm has the same recipe, or this one was renamed.
                let arm = plan.spec.arms[cell.arm].name.clone();
                let record = CellRecord {
                    arm,
                    ..line.record()
                };
                text.extend_from_slice(Line::new(&record)?.text());
            }
        }
    }
    Ok(Some(text))
}

/// Writes a `runs.jsonl`, unless it already has this content.
///
/// # Errors
/// If a record is invalid or the file cannot be written.
pub fn write_runs<R: Borrow<CellRecord>>(
    path: &Path,
    records: impl IntoIterator<Item = R>,
) -> Result<(), RecordError> {
    write_atomic(path, &lines::encode(records)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake::{self, FakeTrainer};
    use std::fs;

    fn trained(plan: &Plan) -> LinesById {
        let records = plan
            .jobs(|_| true)
            .into_iter()
            .flat_map(|job| FakeTrainer::records(&job));
        let lines = records.map(|record| Line::new(&record).unwrap());
        lines.map(|line| (line.id().clone(), line)).collect()
    }

    fn records(plan: &Plan) -> Vec<CellRecord> {
        let text = in_order(plan, &trained(plan)).unwrap().unwrap();
        meaning::parse(Path::new(NAME), &text, None).records
    }

    #[test]
    fn lines_follow_the_plan_and_survive_reading() {
        let plan = Plan::new(&fake::spec(&["b", "a"], 3), "flex", 2, "f");
        let records = records(&plan);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        write_runs(&path, &records).unwrap();
        let runs = read_runs(&path).unwrap();
        assert_eq!(runs.records, records);
        assert_eq!(runs.notice, None);
        let order: Vec<_> = runs
            .records
            .iter()
            .map(|r| (r.arm.as_str(), r.seed))
            .collect();
        assert_eq!(
            order,
            [("b", 1), ("b", 2), ("b", 3), ("a", 1), ("a", 2), ("a", 3)]
        );
    }

    #[test]
    fn missing_cell_gives_none() {
        let plan = Plan::new(&fake::spec(&["a"], 3), "flex", 2, "f");
        let mut known = trained(&plan);
        known.remove(&*plan.cells[1].id);
        assert!(in_order(&plan, &known).unwrap().is_none());
    }

    #[test]
    fn arms_with_one_recipe_get_one_line_each() {
        let mut spec = fake::spec(&["a", "b"], 1);
        spec.arms[1] = spec.arms[0].clone();
        spec.arms[1].name = "twin".into();
        let plan = Plan::new(&spec, "flex", 1, "f");
        let records = records(&plan);
        assert_eq!((&*records[0].arm, &*records[1].arm), ("a", "twin"));
        assert_eq!(records[0].epochs, records[1].epochs);
    }

    #[test]
    fn repeated_cell_is_damage_and_unfinished_line_a_notice() {
        let plan = Plan::new(&fake::spec(&["a"], 2), "flex", 2, "f");
        let records = records(&plan);
        let text = lines::encode(&records).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);

        fs::write(&path, [&text[..], &text[..]].concat()).unwrap();
        let runs = read_runs(&path).unwrap();
        assert_eq!(runs.records, records);
        let message = runs.damaged[0].to_string();
        assert!(
            message.contains("line 3") && message.contains("two records"),
            "{message}"
        );

        // Two records of one cell that contradict each other: neither counts.
        let mut other = records[0].clone();
        other.epochs[0].test.as_mut().unwrap().nll += 0.5;
        let more = lines::encode([&other]).unwrap();
        fs::write(&path, [&text[..], &more].concat()).unwrap();
        let runs = read_runs(&path).unwrap();
        assert_eq!((runs.records.len(), runs.damaged.len()), (1, 2));

        fs::write(&path, &text[..text.len() - 1]).unwrap();
        let runs = read_runs(&path).unwrap();
        assert_eq!(runs.records, records[..1]);
        assert!(runs.notice.unwrap().contains(NAME));
    }
}
