//! IDX files of images and labels, plain or gzip.
#![no_main]

use ablate::data::idx::{read_image_header, read_images, read_labels};
use ablate_fuzz::{Limit, MIB};
use libfuzzer_sys::fuzz_target;

/// A gzip stream grows by a factor of 1032 at most, and a growing list has room for as much again.
const LIMIT: Limit = Limit {
    per_byte: 3 * 1032,
    constant: MIB,
};
const PLAIN: Limit = Limit {
    per_byte: 4,
    constant: MIB,
};

fuzz_target!(|bytes: &[u8]| {
    let limit = if bytes.starts_with(b"\x1f\x8b") {
        LIMIT
    } else {
        PLAIN
    };
    limit.hold(bytes.len(), || {
        let header = read_image_header(bytes);
        if let Ok(images) = read_images(bytes) {
            assert_eq!(header.unwrap(), images.header);
        }
        if let Ok(labels) = read_labels(bytes, 10) {
            assert!(labels.iter().all(|&label| label < 10));
        }
    });
});
