//! Provenance files.
#![no_main]

use ablate::provenance::Provenance;
use ablate_fuzz::{Limit, file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = file("provenance.json", bytes);
    Limit::USUAL.hold(bytes.len(), || {
        if let Ok(made) = Provenance::load(&path) {
            let made = made.expect("the file is there");
            let _ = made.fingerprint().len();
        }
    });
});
