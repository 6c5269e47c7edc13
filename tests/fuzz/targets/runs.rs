//! Records in `runs.jsonl`.
#![no_main]

use ablate::run::runs::{read_runs, write_runs};
use ablate_fuzz::{Limit, MIB, file, path};
use libfuzzer_sys::fuzz_target;

/// An empty line is damaged, and its report takes some hundred bytes.
const LIMIT: Limit = Limit {
    per_byte: 512,
    constant: 4 * MIB,
};

fuzz_target!(|bytes: &[u8]| {
    let name = file("runs.jsonl", bytes);
    LIMIT.hold(bytes.len(), || {
        let found = read_runs(&name).expect("the file can be read");
        if found.records.is_empty() {
            return;
        }
        // What was accepted can be written, and is read again as it was.
        let again = path("again.jsonl");
        write_runs(&again, &found.records).expect("a record that was read can be written");
        let same = read_runs(&again).expect("the file can be read");
        assert!(same.damaged.is_empty(), "{:?}", same.damaged);
        assert_eq!(same.records, found.records);
    });
});
