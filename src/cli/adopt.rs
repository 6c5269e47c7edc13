//! Adopting records that were trained by other code and reproduced by this program.

use super::exit::Failure;
use super::manifest;
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
pub(super) fn adopt(checked: &Plan, results: &Path, verified: usize) -> Result<String, Failure> {
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
        manifest::refresh(&folder)?;
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
    manifest::refresh(&folder)?;
    Ok(format!(
        "{name}: adopted {} that other code trained",
        counted(changed, "record")
    ))
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
