//! Messages between a run and its worker processes.
#![no_main]

use ablate::worker::{Reply, Request};
use ablate_fuzz::Limit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    Limit::USUAL.hold(bytes.len(), || {
        let _ = serde_json::from_slice::<Request>(bytes);
        let _ = serde_json::from_slice::<Reply>(bytes);
    });
});
