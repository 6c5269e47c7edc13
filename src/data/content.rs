//! Content of a data set: SHA-256 of its decoded pixels and labels. Compressed files have the same content as plain ones.
//!
//! The hash of a file is that of its IDX bytes: a header with the shape, then the pixels or labels. So
//! `zcat FILE | sha256sum` prints the same hash. The content of a data set is one hash over the hashes of
//! its files.

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
pub(super) fn hash_of(shape: &[usize], bytes: &[u8]) -> String {
    // 0x08 stands for unsigned bytes; the last byte is the number of dimensions.
    let mut hash = Sha256::new();
    hash.update([0, 0, 0x08, shape.len() as u8]);
    for &size in shape {
        let size = u32::try_from(size).expect("sizes of data sets fit an IDX header");
        hash.update(size.to_be_bytes());
    }
    hash.update(bytes);
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::super::idx::write;
    use super::*;

    #[test]
    fn hash_is_that_of_the_decompressed_file() {
        let pixels: Vec<u8> = (0..12).collect();
        let file = write::images(2, 2, 3, &pixels);
        assert_eq!(hash_of(&[2, 2, 3], &pixels), sha256(&file));
        let labels = [3, 1, 4];
        assert_eq!(hash_of(&[3], &labels), sha256(&write::labels(&labels)));
    }

    #[test]
    fn shape_counts() {
        let pixels = [7; 6];
        assert_ne!(hash_of(&[1, 2, 3], &pixels), hash_of(&[1, 3, 2], &pixels));
        assert_ne!(hash_of(&[6], &pixels), hash_of(&[1, 2, 3], &pixels));
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
