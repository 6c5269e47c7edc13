//! A small experiment with two learning rates per arm, for the tests.

use crate::analysis::{Summary, fixture, summarize};
use crate::record::CellRecord;
use crate::spec::Spec;

fn spec() -> Spec {
    let mut spec = fixture::spec(2, 4, 3);
    for arm in &mut spec.arms {
        arm.learning_rates = vec![0.003, 0.01];
    }
    spec
}

pub(super) fn summary() -> Summary {
    summarize(&spec(), &records()).unwrap()
}

pub(super) fn records() -> Vec<CellRecord> {
    let mut records = fixture::records(&spec());
    for record in &mut records {
        record.probes.insert("train_accuracy".to_owned(), 99.5);
        record.traces.insert("norm".to_owned(), vec![1.0, 2.0, 3.0]);
    }
    records
}
