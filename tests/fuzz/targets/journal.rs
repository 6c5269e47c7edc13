//! Journals, checked against a plan. With an odd first byte every line gets a right checksum.
#![no_main]

use ablate::plan::Plan;
use ablate::run::fake;
use ablate::run::journal::inspect;
use ablate_fuzz::{Limit, MIB, file, path};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// See the target `runs`.
const LIMIT: Limit = Limit {
    per_byte: 512,
    constant: 4 * MIB,
};

static PLAN: LazyLock<Plan> =
    LazyLock::new(|| Plan::new(&fake::spec(&["a", "b"], 3), "flex", 1, "f"));

fn with_checksum(line: &[u8]) -> Vec<u8> {
    let body = line.strip_suffix(b"}").unwrap_or(line);
    let digest = Sha256::new()
        .chain_update(body)
        .chain_update(b"}")
        .finalize();
    let digits: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    [body, b",\"checksum\":\"", digits.as_bytes(), b"\"}\n"].concat()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let plan = &*PLAN;
    let content = match first % 2 {
        0 => rest.to_vec(),
        _ => rest
            .split(|&byte| byte == b'\n')
            .flat_map(with_checksum)
            .collect(),
    };
    file("results/.cells.jsonl", &content);
    LIMIT.hold(content.len(), || {
        let found = inspect(&path("results"), plan).expect("the file can be read");
        for (id, record) in &found.records {
            assert_eq!(*id, record.id);
            let planned = plan.cells.iter().find(|cell| cell.id == *id);
            assert!(planned.is_none_or(|cell| cell.seed == record.seed));
        }
    });
});
