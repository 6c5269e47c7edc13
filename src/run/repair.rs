//! Repairing the records of a results folder without training.

use super::journal::{self, Journal};
use super::lines::{Line, LinesById};
use super::lock::Lock;
use super::runs::{self, read_planned, write_runs};
use super::{RunError, damage};
use crate::files::remove_leftovers;
use crate::plan::Plan;
use crate::record::CellRecord;
use crate::text::counted;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Sets damaged lines in `folder` aside, and takes records that `runs.jsonl` lacks from the journal. Cells
/// of `plan` that have no intact record in either are left out; a run trains them. Returns a message for
/// each thing that was done.
///
/// # Errors
/// If the folder is in use, or a file cannot be read or written.
pub fn repair(folder: &Path, plan: &Plan) -> Result<Vec<String>, RunError> {
    let _lock = Lock::acquire(folder)?;
    let mut done = Vec::new();
    let leftovers = remove_leftovers(folder);
    if leftovers > 0 {
        done.push(format!("removed {}", counted(leftovers, "temporary file")));
    }
    let journaled = match folder.join(journal::NAME).exists() {
        true => {
            let (journal, notices) = Journal::open(folder, plan, &HashMap::new())?;
            done.extend(notices);
            journal.lines().clone()
        }
        false => LinesById::new(),
    };
    let path = folder.join(runs::NAME);
    if !path.exists() {
        return Ok(done);
    }
    let found = read_planned(&path, |_| Cow::Borrowed(plan))?;
    done.extend(damage::keep(&found.damaged)?);
    done.extend(found.notice);
    let (records, restored) = restored(plan, found.records, &journaled);
    if restored > 0 {
        let records = counted(restored, "record");
        done.push(format!(
            "took {records} from the journal into `{}`",
            runs::NAME
        ));
    }
    write_runs(&path, &records)?;
    Ok(done)
}

/// The records in the order of `plan`, with those of the journal where some are missing, and their number.
/// Records of cells that are not planned keep their place at the end.
fn restored(
    plan: &Plan,
    records: Vec<CellRecord>,
    journaled: &LinesById,
) -> (Vec<CellRecord>, usize) {
    let mut restored = 0;
    let key = |record: &CellRecord| (record.id.clone(), record.arm.clone());
    let places = records.iter().map(key).zip(0..);
    let places: BTreeMap<(String, String), usize> = places.collect();
    let mut rest: Vec<Option<CellRecord>> = records.into_iter().map(Some).collect();
    let mut ordered = Vec::new();
    for cell in &plan.cells {
        let arm = &plan.spec.arms[cell.arm].name;
        let there = places.get(&(cell.id.clone(), arm.clone()));
        let usable = |line: &&Line| !line.has_failed();
        match there.and_then(|&at| rest[at].take()) {
            Some(record) => ordered.push(record),
            None => {
                if let Some(line) = journaled.get(&*cell.id).filter(usable) {
                    restored += 1;
                    ordered.push(CellRecord {
                        arm: arm.clone(),
                        ..line.record()
                    });
                }
            }
        }
    }
    ordered.extend(rest.into_iter().flatten());
    (ordered, restored)
}
