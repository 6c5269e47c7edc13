//! Comparison of newly trained cells with committed records.

use super::lines::{self, Line, LinesById};
use crate::plan::Plan;
use crate::record::CellRecord;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Cells trained in this run compared with those of the committed `runs.jsonl`. Cells are matched by
/// id, so cells whose recipe, device or code changed are counted but not compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reproduction {
    /// Cells that were trained now and are in the file.
    pub compared: usize,
    /// Compared cells whose records are equal bit for bit, except for the name of the arm, and for
    /// misclassified images that only one of them lists.
    pub identical: usize,
    /// Largest absolute difference of test accuracy in points, over all epochs that both records
    /// have; `None` without such scores.
    pub largest_difference: Option<f64>,
    /// The first field that differs, for each compared cell that is not identical.
    pub differing: Vec<String>,
    /// Planned cells that are not in the file.
    pub only_planned: usize,
    /// Cells in the file that are not planned.
    pub only_committed: usize,
}

impl Reproduction {
    pub(super) fn new(
        plan: &Plan,
        trained: &BTreeSet<String>,
        lines: &LinesById,
        committed: &[Line],
    ) -> Self {
        let planned = plan.ids();
        let in_file: BTreeMap<&str, &Line> =
            committed.iter().map(|line| (&**line.id(), line)).collect();
        let mut found = Self {
            only_planned: planned
                .iter()
                .filter(|id| !in_file.contains_key(*id))
                .count(),
            only_committed: in_file.keys().filter(|id| !planned.contains(*id)).count(),
            ..Self::default()
        };
        for id in trained {
            let (Some(ours), Some(theirs)) = (lines.get(id.as_str()), in_file.get(id.as_str()))
            else {
                continue;
            };
            let (ours, theirs) = (&ours.record(), &theirs.record());
            found.compared += 1;
            match identical(ours, theirs) {
                true => found.identical += 1,
                false => found.differing.push(difference_of(ours, theirs)),
            }
            let differences = found
                .largest_difference
                .into_iter()
                .chain(difference(ours, theirs));
            found.largest_difference = differences.reduce(f64::max);
        }
        found
    }
}

/// Whether two records are equal bit for bit, except for the name of the arm. Records of older versions
/// do not list the misclassified images; then these are not compared.
pub fn identical(ours: &CellRecord, theirs: &CellRecord) -> bool {
    let (mut ours, mut theirs) = (ours.clone(), theirs.clone());
    ours.arm.clone_from(&theirs.arm);
    if ours.misclassified.is_none() || theirs.misclassified.is_none() {
        (ours.misclassified, theirs.misclassified) = (None, None);
    }
    matches!((lines::encode([&ours]), lines::encode([&theirs])), (Ok(a), Ok(b)) if a == b)
}

/// Whether two records have equal numbers: as [`identical`], but without telling 0 from -0, and much faster.
pub(super) fn equal(ours: &CellRecord, theirs: &CellRecord) -> bool {
    let CellRecord {
        id,
        arm: _,
        seed,
        learning_rate,
        device,
        outcome,
        epochs,
        probes,
        traces,
        series,
        misclassified,
    } = ours;
    let of_both = misclassified.as_ref().zip(theirs.misclassified.as_ref());
    (id, seed, learning_rate, device)
        == (
            &theirs.id,
            &theirs.seed,
            &theirs.learning_rate,
            &theirs.device,
        )
        && (outcome, epochs) == (&theirs.outcome, &theirs.epochs)
        && (probes, traces, series) == (&theirs.probes, &theirs.traces, &theirs.series)
        && of_both.is_none_or(|(ours, theirs)| ours == theirs)
}

/// Whether two lines have [`equal`] records.
pub(super) fn agree(ours: &Line, theirs: &Line) -> bool {
    ours.text() == theirs.text() || equal(&ours.record(), &theirs.record())
}

/// The first field in which two records differ, with both values: that of `theirs` first.
pub fn difference_of(ours: &CellRecord, theirs: &CellRecord) -> String {
    let [a, b] = [theirs, ours].map(|record| {
        let mut record = record.clone();
        record.arm.clone_from(&theirs.arm);
        serde_json::to_value(record).unwrap_or_default()
    });
    let field = first_difference("", &a, &b).unwrap_or_default();
    format!("{}: {field}", super::described(theirs))
}

fn first_difference(path: &str, a: &Value, b: &Value) -> Option<String> {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            let value =
                |of: &Map<String, Value>, key: &str| of.get(key).cloned().unwrap_or_default();
            let mut found = keys
                .filter_map(|key| first_difference(&below(key), &value(a, key), &value(b, key)));
            found.next()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).zip(1..);
            pairs.find_map(|((a, b), number)| first_difference(&below(&number.to_string()), a, b))
        }
        _ if a == b => None,
        _ => Some(format!("{path} was {}, is {}", short(a), short(b))),
    }
}

/// The value, or what kind of value it is if it is long.
fn short(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "a table".to_owned(),
        value => value.to_string(),
    }
}

fn difference(ours: &CellRecord, theirs: &CellRecord) -> Option<f64> {
    (ours.epochs.iter().zip(&theirs.epochs))
        .filter_map(|(a, b)| Some((a.test?.accuracy - b.test?.accuracy).abs()))
        .reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Misclassified;
    use crate::run::fake::{self, FakeTrainer};

    fn trained(plan: &Plan) -> Vec<CellRecord> {
        (plan.jobs(|_| true).iter())
            .flat_map(FakeTrainer::records)
            .collect()
    }

    fn compare(plan: &Plan, committed: &[CellRecord]) -> Reproduction {
        let line = |record: &CellRecord| Line::new(record).unwrap();
        let ours: LinesById = (trained(plan).iter().map(line))
            .map(|line| (line.id().clone(), line))
            .collect();
        let ids = ours.keys().map(|id| id.to_string()).collect();
        let committed: Vec<Line> = committed.iter().map(line).collect();
        Reproduction::new(plan, &ids, &ours, &committed)
    }

    #[test]
    fn arm_name_does_not_matter() {
        let plan = Plan::new(&fake::spec(&["a"], 3), "flex", 1, "f");
        let mut committed = trained(&plan);
        committed[0].arm = "earlier-name".into();
        let found = compare(&plan, &committed);
        assert_eq!(
            found,
            Reproduction {
                compared: 3,
                identical: 3,
                largest_difference: Some(0.0),
                ..Reproduction::default()
            }
        );
    }

    #[test]
    fn smallest_bit_counts_as_a_difference() {
        let plan = Plan::new(&fake::spec(&["a"], 3), "flex", 1, "f");
        let mut committed = trained(&plan);
        committed[0].epochs[0].test.as_mut().unwrap().accuracy -= 0.25;
        let loss = committed[1].epochs[1].train_loss.as_mut().unwrap();
        *loss = loss.next_up();
        let found = compare(&plan, &committed);
        assert_eq!((found.compared, found.identical), (3, 1));
        assert_eq!(found.differing.len(), 2);
        let all = found.differing.join("; ");
        for field in ["epochs.1.test.accuracy was ", "epochs.2.train_loss was "] {
            assert!(all.contains(field), "{all}");
        }
        assert!((found.largest_difference.unwrap() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn misclassified_images_count_where_both_records_list_them() {
        let plan = Plan::new(&fake::spec(&["a"], 1), "flex", 1, "f");
        let old = trained(&plan).remove(0);
        let listed = |first: u32| {
            let mut record = old.clone();
            record.epochs[1].test.as_mut().unwrap().accuracy = 99.0;
            let images = Misclassified::new(100, 100, vec![first]);
            record.misclassified = images.ok();
            record
        };
        assert!(identical(&listed(3), &listed(3)));
        assert!(!identical(&listed(3), &listed(4)));
        let mut older = listed(3);
        older.misclassified = None;
        assert!(identical(&older, &listed(4)) && identical(&listed(4), &older));
    }

    #[test]
    fn unmatched_cells_are_counted_and_not_compared() {
        let plan = Plan::new(&fake::spec(&["a"], 3), "flex", 1, "f");
        let mut committed = trained(&plan);
        committed.remove(2);
        committed[0].id = "elsewhere".into();
        let found = compare(&plan, &committed);
        assert_eq!((found.compared, found.identical), (1, 1));
        assert_eq!((found.only_planned, found.only_committed), (2, 1));
    }
}
