//! Adopting records that were trained by other code and reproduced by this program.

use super::console::Console;
use super::exit::Failure;
use super::folder;
use super::manifest::{self, published};
use crate::plan::{Plan, PlannedCell, contents};
use crate::provenance::{Provenance, Revision, fingerprint};
use crate::record::CellRecord;
use crate::run::lock::Lock;
use crate::run::{RunError, runs};
use crate::spec::Spec;
use crate::text::counted;
use std::collections::BTreeMap;
use std::path::Path;

/// Gives the records of an experiment the cell ids of this program, after `verified` cells of
/// `checked` were reproduced. Returns a message for the user.
pub(super) fn adopt(
    checked: &Plan,
    results: &Path,
    verified: usize,
    console: &Console,
) -> Result<String, Failure> {
    let spec = &checked.spec;
    let folder = results.join(&spec.name);
    let _lock = Lock::acquire(&folder).map_err(RunError::from)?;
    let path = folder.join(runs::NAME);
    let runs::Runs {
        records, unchecked, ..
    } = runs::read_runs(&path)?;
    let Some(provenance) = Provenance::read(&folder) else {
        return Err(Failure::unavailable(format!(
            "cannot adopt the records in `{}`: there is no `provenance.json` to record that in; restore it \
             with git, or train again with `ablate run --fresh`",
            folder.display()
        )));
    };
    let plan = Plan::new(spec, &checked.device, 1, fingerprint(&checked.device));
    let before: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
    let (renamed, changed) = rename(&plan, records);
    let name = &spec.name;
    if changed == 0 && unchecked {
        runs::write_runs(&path, &renamed)?;
        rebuild(spec, results, console)?;
        return Ok(format!("{name}: gave the records checksums"));
    }
    if changed == 0 {
        return Ok(format!(
            "{name}: nothing to adopt; the records were trained by this code"
        ));
    }
    let revision = Revision::of(Path::new("."));
    let reproduced = provenance.reproduced(revision, verified, checked.until, contents(spec));
    let ids = before.iter().zip(renamed.iter().map(|record| &record.id));
    let ids: BTreeMap<&str, &str> = ids.map(|(old, new)| (old.as_str(), new.as_str())).collect();
    reproduced.with_ids(&ids).write(&folder)?;
    runs::write_runs(&path, &renamed)?;
    rebuild(spec, results, console)?;
    Ok(format!(
        "{name}: adopted {} that other code trained",
        counted(changed, "record")
    ))
}

/// Writes the report of `spec` again, because it names the hash of the records.
fn rebuild(spec: &Spec, results: &Path, console: &Console) -> Result<(), Failure> {
    let runs = folder::recorded_runs(spec, results)?;
    let neighbours = folder::neighbours(std::slice::from_ref(spec));
    let derived = folder::derive(spec, &runs, results, &neighbours, console)?;
    let home = results.join(&spec.name);
    manifest::write(&published(folder::files(spec, &derived, results), &home)?)?;
    Ok(manifest::refresh(&home)?)
}

/// Whether `record` is a record of `cell`, regardless of the code that trained it.
pub(super) fn is_record_of(spec: &Spec, cell: &PlannedCell, record: &CellRecord) -> bool {
    spec.arms[cell.arm].name == record.arm
        && (cell.seed, cell.learning_rate) == (record.seed, record.learning_rate)
}

/// Replaces the ids of the records of planned cells by those of `plan`. Returns all records, and the
/// number of changed ids.
fn rename(plan: &Plan, mut records: Vec<CellRecord>) -> (Vec<CellRecord>, usize) {
    let mut changed = 0;
    for record in &mut records {
        let cell = plan
            .cells
            .iter()
            .find(|cell| is_record_of(&plan.spec, cell, record));
        if let Some(cell) = cell.filter(|cell| cell.id != record.id) {
            record.id.clone_from(&cell.id);
            changed += 1;
        }
    }
    (records, changed)
}
