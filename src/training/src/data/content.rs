//! Content of a data set: SHA-256 of its decoded pixels and labels. Compressed files have the same content as plain ones.
//!
//! The hash of a file is that of its IDX bytes: a header with the shape, then the pixels or labels. So
//! `zcat FILE | sha256sum` prints the same hash. The content of a data set is one hash over the hashes of
//! its files. Numbers of a table are hashed like an IDX file of single-precision numbers.

use super::examples::Values;
use sha2::{Digest, Sha256};

/// The files of a data set in words, in the order of all their lists. A data set without a test file has
/// the first two.
pub const FILES: [&str; 4] = [
    "training images",
    "training labels",
    "test images",
    "test labels",
];

/// SHA-256 of each file of a data set in the order of [`FILES`], as 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHashes(Vec<String>);

impl FileHashes {
    pub(super) fn new(hashes: Vec<String>) -> Self {
        Self(hashes)
    }

    pub(super) fn published(hashes: &[&str]) -> Self {
        Self(hashes.iter().map(|&hash| hash.to_owned()).collect())
    }

    /// Each file in words, and its hash.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        FILES.into_iter().zip(self.0.iter().map(String::as_str))
    }

    /// The content of the data set: SHA-256 of the hashes, each followed by a line feed, as 64 lower-case
    /// hexadecimal digits.
    pub fn content(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.0 {
            hash.update(file);
            hash.update(b"\n");
        }
        format!("{:x}", hash.finalize())
    }
}

/// SHA-256 of `bytes`, as 64 lower-case hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// SHA-256 of an IDX file of unsigned bytes with the dimensions `shape`, e.g. examples, height and width.
///
/// # Panics
/// If a dimension has no IDX form, which needs more than 2^32 examples or pixels.
pub(super) fn hash_of_bytes(shape: &[usize], bytes: &[u8]) -> String {
    format!("{:x}", header(0x08, shape).chain_update(bytes).finalize())
}

/// SHA-256 of an IDX file of bytes or single-precision numbers with the dimensions `shape`.
///
/// # Panics
/// As [`hash_of_bytes`].
pub(super) fn hash_of(shape: &[usize], values: &Values) -> String {
    match values {
        Values::Bytes(bytes) => hash_of_bytes(shape, bytes),
        Values::Numbers(numbers) => {
            let mut hash = header(0x0d, shape);
            for number in numbers {
                hash.update(number.to_be_bytes());
            }
            format!("{:x}", hash.finalize())
        }
    }
}

/// The start of an IDX file: the type of its values, and its dimensions.
fn header(values: u8, shape: &[usize]) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update([0, 0, values, shape.len() as u8]);
    for &size in shape {
        let size = u32::try_from(size).expect("sizes of data sets fit an IDX header");
        hash.update(size.to_be_bytes());
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::super::idx::write;
    use super::*;

    #[test]
    fn hash_is_that_of_the_decompressed_file() {
        let pixels: Vec<u8> = (0..12).collect();
        let file = write::images(2, 2, 3, &pixels);
        let found = hash_of(&[2, 2, 3], &Values::Bytes(pixels));
        assert_eq!(found, sha256(&file));
        let labels = [3, 1, 4];
        assert_eq!(
            hash_of_bytes(&[3], &labels),
            sha256(&write::labels(&labels))
        );
    }

    #[test]
    fn numbers_are_hashed_with_their_type() {
        let numbers = vec![1.0, -2.5];
        let file = b"\0\0\x0d\x01\0\0\0\x02\x3f\x80\0\0\xc0\x20\0\0";
        assert_eq!(hash_of(&[2], &Values::Numbers(numbers)), sha256(file));
    }

    #[test]
    fn shape_counts() {
        let pixels = [7; 6];
        let hash = |shape: &[usize]| hash_of_bytes(shape, &pixels);
        assert_ne!(hash(&[1, 2, 3]), hash(&[1, 3, 2]));
        assert_ne!(hash(&[6]), hash(&[1, 2, 3]));
    }

    #[test]
    fn content_hashes_the_lines_of_all_files() {
        let hashes = FileHashes::published(&["ab", "cd"]);
        assert_eq!(hashes.content(), sha256(b"ab\ncd\n"));
        let files: Vec<_> = hashes.files().collect();
        assert_eq!(
            files,
            [("training images", "ab"), ("training labels", "cd")]
        );
    }
}
