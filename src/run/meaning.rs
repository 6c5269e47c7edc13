//! Whether a record fits the cell that it names.

use super::lines::Lines;
use crate::plan::{Plan, PlannedCell};
use crate::record::{CellRecord, EpochRecord, Outcome};
use crate::spec::Spec;
use std::collections::BTreeMap;
use std::path::Path;

/// Moves records whose cell is in `plan` but has another seed, learning rate, device or arm to the
/// damaged lines. `bytes` is the content of `path`, which `lines` was parsed from.
pub(super) fn check(plan: &Plan, path: &Path, bytes: &[u8], lines: &mut Lines) {
    let mut cells: BTreeMap<&str, Vec<&PlannedCell>> = BTreeMap::new();
    for cell in &plan.cells {
        cells.entry(&cell.id).or_default().push(cell);
    }
    lines.set_aside(path, bytes, |record| {
        let cells = cells.get(record.id.as_str())?;
        fits(plan, cells, record).err()
    });
}

/// `cells` are the planned cells with the id of `record`: one per arm with the same recipe.
fn fits(plan: &Plan, cells: &[&PlannedCell], record: &CellRecord) -> Result<(), String> {
    let cell = cells[0];
    let differs = |what: &str, found: &dyn std::fmt::Display, planned: &dyn std::fmt::Display| {
        Err(format!(
            "it has {what} {found}, but its cell has {what} {planned}"
        ))
    };
    if record.seed != cell.seed {
        return differs("seed", &record.seed, &cell.seed);
    }
    if record.learning_rate != cell.learning_rate {
        let [found, planned] = [record.learning_rate, cell.learning_rate].map(rate);
        return differs("learning rate", &found, &planned);
    }
    if record.device != plan.device {
        return differs("device", &record.device, &plan.device);
    }
    // An arm that the spec does not have was renamed since.
    let name = |cell: &PlannedCell| &plan.spec.arms[cell.arm].name;
    if is_arm(&plan.spec, &record.arm) && !cells.iter().any(|cell| *name(cell) == record.arm) {
        return differs("arm", &record.arm, name(cell));
    }
    let found = record.epochs.iter().map(EpochRecord::place);
    let as_planned = match plan.spec.arms[cell.arm].recipe.evaluations() {
        Some(mut wanted) => {
            wanted.retain(|at| plan.until.is_none_or(|until| *at <= until));
            found.eq(wanted)
        }
        None => found.count() > 0,
    };
    if record.outcome == Outcome::Done && !as_planned {
        return Err("it is finished, but not evaluated at the planned epochs or steps".to_owned());
    }
    Ok(())
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or("none".to_owned(), |rate| rate.to_string())
}

fn is_arm(spec: &Spec, name: &str) -> bool {
    spec.arms.iter().any(|arm| arm.name == name)
}
