//! The embedded data set: 1,797 handwritten digits of 8x8 pixels with values from 0 to 16.
//!
//! Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
//! Learning Repository, 1998, <https://doi.org/10.24432/C50P49>, CC BY 4.0. It is the test part of
//! that data set, in scikit-learn's order. `DIGITS.md` in this folder documents how the embedded
//! file was made.

use super::catalog;
use super::dataset::Dataset;
use super::examples::Examples;
use crate::recipe::DataName;
use flate2::read::GzDecoder;
use std::io::Read;
use std::sync::{Arc, OnceLock};

static PACKED: &[u8] = include_bytes!("digits.bin.gz");

const IMAGES: usize = 1_797;
const PIXELS: usize = 64;

/// Returns the digits, which are decompressed on first use.
pub fn digits() -> Arc<Dataset> {
    static DIGITS: OnceLock<Arc<Dataset>> = OnceLock::new();
    Arc::clone(DIGITS.get_or_init(|| Arc::new(unpack())))
}

fn unpack() -> Dataset {
    let mut pixels = Vec::with_capacity(IMAGES * (PIXELS + 1));
    GzDecoder::new(PACKED)
        .read_to_end(&mut pixels)
        .expect("the embedded bytes are one gzip stream");
    let labels = pixels.split_off(IMAGES * PIXELS);
    let entry = catalog::entry(DataName::Digits);
    Dataset {
        name: entry.name,
        height: entry.height,
        width: entry.width,
        channels: 1,
        classes: entry.classes(),
        max_pixel: f32::from(entry.max_pixel),
        train: Examples::images(pixels, labels),
        test: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn embedded_bytes_match_the_published_hash() {
        let digits = digits();
        let mut hash = Sha256::new();
        hash.update(digits.train.pixels().unwrap());
        hash.update(&digits.train.labels);
        let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
        );
    }

    /// Reference values: first image and totals of `sklearn.datasets.load_digits` (scikit-learn
    /// 1.9.1).
    #[test]
    fn first_image_and_totals_match_scikit_learn() {
        let digits = digits();
        #[rustfmt::skip]
        let zero = [
            0, 0,  5, 13,  9,  1,  0, 0,
            0, 0, 13, 15, 10, 15,  5, 0,
            0, 3, 15,  2,  0, 11,  8, 0,
            0, 4, 12,  0,  0,  8,  8, 0,
            0, 5,  8,  0,  0,  9,  8, 0,
            0, 4, 11,  0,  1, 12,  7, 0,
            0, 2, 14,  5, 10, 12,  0, 0,
            0, 0,  6, 13, 10,  0,  0, 0,
        ];
        let pixels = digits.train.pixels().unwrap();
        assert_eq!(pixels[..64], zero);
        assert_eq!(digits.train.labels[0], 0);
        assert_eq!(pixels.len(), 1_797 * 64);
        assert_eq!(digits.train.labels.len(), 1_797);
        assert_eq!(pixels.iter().max(), Some(&16));
        let sum: u64 = pixels.iter().map(|&p| u64::from(p)).sum();
        assert_eq!(sum, 561_718);
    }

    #[test]
    fn class_counts_match_the_published_ones() {
        assert_eq!(
            catalog::class_counts(&digits().train.labels, 10),
            [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        );
    }

    #[test]
    fn digits_are_decompressed_once() {
        assert!(Arc::ptr_eq(&digits(), &digits()));
    }
}
