//! Experiment files.
#![no_main]

use ablate::spec::Spec;
use ablate_fuzz::{Limit, MIB, file};
use libfuzzer_sys::fuzz_target;
use std::sync::Once;

/// A line may ask for 10,000 seeds and 256 arms.
const LIMIT: Limit = Limit {
    per_byte: 1024,
    constant: 16 * MIB,
};

/// Experiments name claims that a file beside them declares.
const CLAIMS: &str = include_str!("../../../experiments/claims.toml");
static CLAIMED: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    CLAIMED.call_once(|| drop(file("claims.toml", CLAIMS.as_bytes())));
    let path = file("mine.toml", bytes);
    LIMIT.hold(bytes.len(), || match Spec::load(&path, &[]) {
        Ok(spec) => assert!(!spec.arms.is_empty() && !spec.seeds.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    });
});
