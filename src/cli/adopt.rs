//! Records of other code that this program was seen to reproduce.

use super::exit::Failure;
use crate::plan::{Plan, PlannedCell};
use crate::provenance::{FINGERPRINT, Provenance, Revision};
use crate::record::CellRecord;
use crate::run::lock::Lock;
use crate::run::{RunError, runs};
use crate::spec::Spec;
use std::path::Path;

/// Gives the records of an experiment the ids that this program gives their cells, after `verified`
/// cells of it were reproduced as `checked` says. Says what was done.
pub(super) fn adopt(checked: &Plan, results: &Path, verified: usize) -> Result<String, Failure> {
    let spec = &checked.spec;
    let folder = results.join(&spec.name);
    let _lock = Lock::acquire(&folder).map_err(RunError::from)?;
    let path = folder.join(runs::NAME);
    let records = runs::read_runs(&path)?.records;
    let Some(provenance) = Provenance::read(&folder) else {
        return Err(Failure::unavailable(format!(
            "`{}` has no `provenance.json` to say where the records come from",
            folder.display()
        )));
    };
    let plan = Plan::new(spec, &checked.device, 1, FINGERPRINT);
    let (renamed, changed) = rename(&plan, records);
    let name = &spec.name;
    if changed == 0 {
        return Ok(format!("{name}: the records are of this code already"));
    }
    runs::write_runs(&path, &renamed)?;
    let revision = Revision::of(Path::new("."));
    let reproduced = provenance.reproduced(revision, verified, checked.until);
    reproduced.write(&folder)?;
    Ok(format!("{name}: took over {changed} records of other code"))
}

/// Whether `record` is of `cell` of `spec`, whatever code trained it.
pub(super) fn is_of(spec: &Spec, cell: &PlannedCell, record: &CellRecord) -> bool {
    spec.arms[cell.arm].name == record.arm
        && (cell.seed, cell.learning_rate) == (record.seed, record.learning_rate)
}

/// The records of the cells of `plan` under their ids, the others as they are, and how many ids
/// changed.
fn rename(plan: &Plan, mut records: Vec<CellRecord>) -> (Vec<CellRecord>, usize) {
    let mut changed = 0;
    for record in &mut records {
        let cell = plan
            .cells
            .iter()
            .find(|cell| is_of(&plan.spec, cell, record));
        if let Some(cell) = cell.filter(|cell| cell.id != record.id) {
            record.id.clone_from(&cell.id);
            changed += 1;
        }
    }
    (records, changed)
}
