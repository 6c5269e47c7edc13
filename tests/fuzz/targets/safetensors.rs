//! Weights in safetensors files.
#![no_main]

use ablate_fuzz::Limit;
use ablate_models::interchange::Weights;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    Limit::USUAL.hold(bytes.len(), || {
        if let Ok(weights) = Weights::from_safetensors(bytes) {
            assert!(weights.elements() <= bytes.len());
        }
    });
});
