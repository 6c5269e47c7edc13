//! `runs.jsonl`: one record per planned cell, in the order of the plan.
//!
//! It is the committed form of the journal. It contains no times and no order of completion, so a rerun
//! writes the same bytes.

use super::lines::{self, RecordError};
use crate::files::{FileError, write_atomic};
use crate::plan::Plan;
use crate::record::CellRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Name of the file in a results folder.
pub const NAME: &str = "runs.jsonl";

const ADVICE: &str = "restore the file with git, or delete it and run again";

/// Content of a `runs.jsonl`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    /// The records in the order of the file.
    pub records: Vec<CellRecord>,
    /// A notice that an unfinished last line was dropped, if there was one.
    pub notice: Option<String>,
}

/// Reads a `runs.jsonl`.
///
/// # Errors
/// If it cannot be read, a line is not a record, or a cell has two lines.
pub fn read_runs(path: &Path) -> Result<Runs, RecordError> {
    let bytes = fs::read(path).map_err(FileError::of("read", path))?;
    let lines = lines::parse(path, &bytes, ADVICE)?;
    let mut seen = BTreeSet::new();
    for (index, r) in lines.records.iter().enumerate() {
        if !seen.insert((&r.arm, &r.device, r.seed, r.learning_rate.to_bits())) {
            return Err(RecordError::Line {
                path: path.to_owned(),
                line: index + 1,
                why: format!(
                    "arm `{}` has a second record for seed {} at learning rate {}",
                    r.arm, r.seed, r.learning_rate
                ),
                advice: ADVICE,
            });
        }
    }
    Ok(Runs {
        notice: lines.notice(path),
        records: lines.records,
    })
}

/// Returns the records of all cells of `plan` in its order, with the current names of the arms; `None`
/// if a cell has no record.
pub fn in_order(plan: &Plan, known: &BTreeMap<String, CellRecord>) -> Option<Vec<CellRecord>> {
    (plan.cells.iter())
        .map(|cell| {
            let mut record = known.get(&cell.id)?.clone();
            record.arm.clone_from(&plan.spec.arms[cell.arm].name);
            Some(record)
        })
        .collect()
}

/// Writes a `runs.jsonl`, unless it already has this content.
///
/// # Errors
/// If a record is invalid or the file cannot be written.
pub fn write_runs(path: &Path, records: &[CellRecord]) -> Result<(), RecordError> {
    write_atomic(path, &lines::encode(records)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake::{self, FakeTrainer};

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
        let records = in_order(&plan, &trained(&plan)).unwrap();
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
        assert_eq!(in_order(&plan, &known), None);
    }

    #[test]
    fn arms_with_one_recipe_get_one_line_each() {
        let mut spec = fake::spec(&["a", "b"], 1);
        spec.arms[1] = spec.arms[0].clone();
        spec.arms[1].name = "twin".into();
        let plan = Plan::new(&spec, "flex", 1, "f");
        let records = in_order(&plan, &trained(&plan)).unwrap();
        assert_eq!((&*records[0].arm, &*records[1].arm), ("a", "twin"));
        assert_eq!(records[0].epochs, records[1].epochs);
    }

    #[test]
    fn repeated_cell_is_an_error_and_unfinished_line_a_notice() {
        let plan = Plan::new(&fake::spec(&["a"], 2), "flex", 2, "f");
        let records = in_order(&plan, &trained(&plan)).unwrap();
        let text = lines::encode(&records).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);

        fs::write(&path, [&text[..], &text[..]].concat()).unwrap();
        let message = read_runs(&path).unwrap_err().to_string();
        assert!(
            message.contains("line 3") && message.contains("second record"),
            "{message}"
        );

        fs::write(&path, &text[..text.len() - 1]).unwrap();
        let runs = read_runs(&path).unwrap();
        assert_eq!(runs.records, records[..1]);
        assert!(runs.notice.unwrap().contains(NAME));
    }
}
