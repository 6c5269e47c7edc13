//! An image of a folder of images: PNG or JPEG.
#![no_main]

#[allow(dead_code, unreachable_pub)]
#[path = "../../../src/training/src/data/folder/decode.rs"]
mod decode;

use ablate_fuzz::{Limit, MIB, file};
use libfuzzer_sys::fuzz_target;

/// An image has at most 4096x4096 pixels of four channels of 16 bits, and the decoders hold it more than once.
const LIMIT: Limit = Limit {
    per_byte: 16,
    constant: 512 * MIB,
};

fuzz_target!(|bytes: &[u8]| {
    let path = file("image", bytes);
    LIMIT.hold(bytes.len(), || {
        if let Ok(image) = decode::decode(&path) {
            assert_eq!(image.pixels.len(), image.shape.iter().product::<usize>());
        }
    });
});
