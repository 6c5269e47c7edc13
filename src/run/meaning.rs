//! Whether a record fits the cell that it names.

use super::lines::{self, Intact, Lines};
use crate::data::{entry_of, tests_on_folds};
use crate::plan::{Plan, PlannedCell};
use crate::recipe::DataConfig;
use crate::record::{CellRecord, EpochRecord, Misclassified, Outcome};
use crate::spec::Spec;
use std::path::Path;

/// The cells of a plan, by id.
pub(super) struct Planned<'p> {
    plan: &'p Plan,
    /// Sorted by id; those with one id in the order of the plan.
    cells: Vec<&'p PlannedCell>,
}

impl<'p> Planned<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let mut cells: Vec<&PlannedCell> = plan.cells.iter().collect();
        cells.sort_by(|a, b| a.id.cmp(&b.id));
        Self { plan, cells }
    }

    /// Why `record` is not one of its cell, if that is planned: it has another seed, learning rate, device or arm, or
    /// other evaluations.
    pub(super) fn fault(&self, record: &CellRecord) -> Option<String> {
        let start = self.cells.partition_point(|cell| cell.id < record.id);
        let same = self.cells[start..]
            .iter()
            .take_while(|cell| cell.id == record.id);
        let cells = &self.cells[start..start + same.count()];
        match cells.is_empty() {
            true => None,
            false => fits(self.plan, cells, record).err(),
        }
    }
}

/// Parses `bytes`, the content of `path`, and checks its records against the cells of `planned`, if it is given.
pub(super) fn parse<T: Intact>(
    path: &Path,
    bytes: &[u8],
    planned: Option<&Planned<'_>>,
) -> Lines<T> {
    lines::parse(path, bytes, |line, unchecked| {
        lines::read(line, unchecked, |record| planned?.fault(record))
    })
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
    match (&record.misclassified, plan.spec.arms[cell.arm].net()) {
        (Some(list), Some(net)) => check_images(&net.data, list),
        (Some(_), None) => Err("it lists misclassified images, but is a program".to_owned()),
        (None, _) => Ok(()),
    }
}

/// Checks that the number of test images is the one that the data of an arm give.
fn check_images(data: &DataConfig, list: &Misclassified) -> Result<(), String> {
    let (tested, file) = (list.tested() as usize, list.file() as usize);
    let entry = entry_of(data);
    let embedded = entry.folder.is_none();
    if embedded && entry.train_images() == 0 {
        // Its own data cannot be read here, so its size is not known.
        return Ok(());
    }
    let planned = match tests_on_folds(data) {
        true if embedded => entry.train_images() / data.folds.max(1),
        true => file / data.folds.max(1),
        false => file,
    };
    match tested == planned {
        true => Ok(()),
        false => Err(format!(
            "it has {tested} test images of a file with {file}, but its cell has {planned}"
        )),
    }
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or("none".to_owned(), |rate| rate.to_string())
}

fn is_arm(spec: &Spec, name: &str) -> bool {
    spec.arms.iter().any(|arm| arm.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{DataName, TestSplit};
    use crate::run::fake;

    #[test]
    fn test_images_must_be_those_of_the_arm() {
        let mut data = fake::spec(&["a"], 1).arms[0].net().unwrap().data.clone();
        let images = |tested, file| Misclassified::new(tested, file, Vec::new()).unwrap();
        assert_eq!(check_images(&data, &images(359, 1_797)), Ok(()));
        let why = check_images(&data, &images(360, 1_797)).unwrap_err();
        assert!(why.contains("but its cell has 359"), "{why}");
        assert!(check_images(&data, &images(200, 1_000)).is_err());
        data.name = DataName::Mnist;
        assert_eq!(check_images(&data, &images(10_000, 10_000)), Ok(()));
        assert!(check_images(&data, &images(10_000, 60_000)).is_err());
        data.test = TestSplit::Folds;
        assert_eq!(check_images(&data, &images(12_000, 60_000)), Ok(()));
    }
}
