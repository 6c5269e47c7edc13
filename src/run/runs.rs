//! `runs.jsonl`: one record per planned cell, in the order of the plan.
//!
//! It is the committed form of the journal. It contains no times and no order of completion, so a rerun
//! writes the same bytes.

use super::damage::Damage;
use super::lines::{self, Lines, RecordError};
use super::meaning;
use crate::files::{self, FileError, write_atomic};
use crate::plan::Plan;
use crate::record::CellRecord;
use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Name of the file in a results folder.
pub const NAME: &str = "runs.jsonl";

/// Content of a `runs.jsonl`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    /// The intact records in the order of the file.
    pub records: Vec<CellRecord>,
    /// The damaged lines; their cells count as missing.
    pub damaged: Vec<Damage>,
    /// Whether the file has the older format, without checksums.
    pub unchecked: bool,
    /// A notice that an unfinished last line was dropped, if there was one.
    pub notice: Option<String>,
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

fn read<'a>(
    path: &Path,
    plan: impl FnOnce(&str) -> Option<Cow<'a, Plan>>,
) -> Result<Runs, RecordError> {
    let bytes = files::read(path).map_err(FileError::of("read", path))?;
    let mut lines = lines::parse(path, &bytes);
    let device = lines.records.first().map_or("", |(_, r)| r.device.as_str());
    if let Some(plan) = plan(device) {
        meaning::check(&plan, path, &bytes, &mut lines);
    }
    set_repeats_aside(path, &bytes, &mut lines);
    let notice = lines.notice(path);
    Ok(Runs {
        records: lines
            .records
            .into_iter()
            .map(|(_, record)| record)
            .collect(),
        damaged: lines.damaged,
        unchecked: lines.unchecked,
        notice,
    })
}

/// Moves repeated records of a cell to the damaged lines: all of them if they differ, all but the
/// first if they are equal.
fn set_repeats_aside(path: &Path, bytes: &[u8], lines: &mut Lines) {
    type Cell = (String, String, u64, Option<u64>);
    let cell = |r: &CellRecord| -> Cell {
        let rate = r.learning_rate.map(f64::to_bits);
        (r.arm.clone(), r.device.clone(), r.seed, rate)
    };
    let mut groups: BTreeMap<Cell, Vec<usize>> = BTreeMap::new();
    for (index, (_, record)) in lines.records.iter().enumerate() {
        groups.entry(cell(record)).or_default().push(index);
    }
    let mut bad = BTreeSet::new();
    for group in groups.into_values().filter(|group| group.len() > 1) {
        let first = &lines.records[group[0]].1;
        let equal = group.iter().all(|&i| lines.records[i].1 == *first);
        bad.extend(group.into_iter().skip(usize::from(equal)));
    }
    let mut index = 0..;
    lines.set_aside(path, bytes, |r| {
        let repeats = index.next().is_some_and(|i| bad.contains(&i));
        let (arm, seed) = (&r.arm, r.seed);
        let rate = r.learning_rate;
        let rate = rate.map_or(String::new(), |rate| format!(" at learning rate {rate}"));
        repeats.then(|| format!("arm `{arm}` has two records for seed {seed}{rate}"))
    });
}

/// Returns the records of all cells of `plan` in its order, with the current names of the arms; `None`
/// if a cell has no record.
pub fn in_order<'r>(
    plan: &'r Plan,
    known: &'r BTreeMap<String, CellRecord>,
) -> Option<impl Iterator<Item = CellRecord> + 'r> {
    let complete = plan.cells.iter().all(|cell| known.contains_key(&cell.id));
    // One at a time: there may be more than fit into memory twice.
    let records = plan.cells.iter().map(|cell| CellRecord {
        arm: plan.spec.arms[cell.arm].name.clone(),
        ..known[&cell.id].clone()
    });
    complete.then_some(records)
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

    fn trained(plan: &Plan) -> BTreeMap<String, CellRecord> {
        let records = plan
            .jobs(|_| true)
            .into_iter()
            .flat_map(|job| FakeTrainer::records(&job));
        records.map(|r| (r.id.clone(), r)).collect()
    }

    #[test]
    fn lines_follow_the_plan_and_survive_reading() {
        let plan = Plan::new(&fake::spec(&["b", "a"], 3), "flex", 2, "f");
        let known = trained(&plan);
        let records: Vec<CellRecord> = in_order(&plan, &known).unwrap().collect();
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
        known.remove(&plan.cells[1].id);
        assert!(in_order(&plan, &known).is_none());
    }

    #[test]
    fn arms_with_one_recipe_get_one_line_each() {
        let mut spec = fake::spec(&["a", "b"], 1);
        spec.arms[1] = spec.arms[0].clone();
        spec.arms[1].name = "twin".into();
        let plan = Plan::new(&spec, "flex", 1, "f");
        let known = trained(&plan);
        let records: Vec<CellRecord> = in_order(&plan, &known).unwrap().collect();
        assert_eq!((&*records[0].arm, &*records[1].arm), ("a", "twin"));
        assert_eq!(records[0].epochs, records[1].epochs);
    }

    #[test]
    fn repeated_cell_is_damage_and_unfinished_line_a_notice() {
        let plan = Plan::new(&fake::spec(&["a"], 2), "flex", 2, "f");
        let known = trained(&plan);
        let records: Vec<CellRecord> = in_order(&plan, &known).unwrap().collect();
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
