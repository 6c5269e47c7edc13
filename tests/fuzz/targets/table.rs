//! CSV tables.
#![no_main]

#[allow(dead_code, unreachable_pub)]
#[path = "../../../src/training/src/data/table/records.rs"]
mod records;
#[allow(dead_code, unreachable_pub)]
#[path = "../../../src/training/src/data/table/rows.rs"]
mod rows;

use ablate_fuzz::{Limit, file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = file("table.csv", bytes);
    Limit::USUAL.hold(bytes.len(), || {
        if let Ok(rows) = rows::read(&path, "label") {
            assert_eq!(rows.values.len(), rows.labels.len() * rows.columns.len());
            assert!(rows.labels.iter().all(|&label| label < rows.classes.len()));
            assert!(rows.values.iter().all(|value| value.is_finite()));
        }
    });
});
