//! The IDX format of the MNIST family, plain or in gzip, which the content decides and not the name.
//!
//! A file of images starts with four big-endian 32-bit numbers: the mark 0x00000803, the number of
//! images, their height and their width; a file of labels with two: 0x00000801 and the number of
//! labels. Unsigned bytes follow, row by row. The format is described with the MNIST files of
//! LeCun, Cortes and Burges.
//!
//! Nothing a header claims is believed: memory grows with the bytes that arrive, up to
//! [`MAX_BYTES`], and a file must hold exactly what its header says.

use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, Read};

/// Most bytes of pixels or labels that a file may hold, unpacked: five times MNIST.
pub const MAX_BYTES: u64 = 256 << 20;

const IMAGES: u32 = 0x0000_0803;
const LABELS: u32 = 0x0000_0801;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What is wrong with an IDX file, as the end of a sentence about it.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// It ends within the header.
    #[error("it ends within its header, after {found} of {expected} bytes")]
    Header {
        /// Bytes it holds.
        found: usize,
        /// Bytes a header takes.
        expected: usize,
    },
    /// It starts with another number.
    #[error("it starts with {found:#010x}, not with {expected:#010x} as IDX files of {kind} do")]
    Magic {
        /// The number it starts with.
        found: u32,
        /// The number it should start with.
        expected: u32,
        /// `images` or `labels`.
        kind: &'static str,
    },
    /// A dimension is zero.
    #[error("it claims to hold nothing ({claim})")]
    Empty {
        /// The header in words.
        claim: String,
    },
    /// It claims more than any data set of the family holds.
    #[error("it claims to hold {claim}, more than the {} MiB that are read", MAX_BYTES >> 20)]
    TooLarge {
        /// The header in words.
        claim: String,
    },
    /// It ends early.
    #[error("it claims to hold {claim} but ends after {found} of {expected} bytes")]
    Truncated {
        /// The header in words.
        claim: String,
        /// Bytes after the header.
        found: usize,
        /// Bytes that the header claims.
        expected: u64,
    },
    /// It goes on after its last image or label.
    #[error("it goes on after the {claim} that it claims to hold")]
    Trailing {
        /// The header in words.
        claim: String,
    },
    /// A label is no class.
    #[error("label {index} is {label}, outside the classes 0 to {}", classes - 1)]
    Label {
        /// Place of the label, from 0.
        index: usize,
        /// The label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
    /// The gzip stream is damaged, or the bytes could not be read.
    #[error("its bytes cannot be read ({0})")]
    Bytes(#[from] std::io::Error),
}

/// The header of a file of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// Number of images.
    pub count: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl std::fmt::Display for ImageHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} images of {}x{}", self.count, self.height, self.width)
    }
}

/// The images of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// How many, and their size.
    pub header: ImageHeader,
    /// Pixels, image by image and row by row.
    pub pixels: Vec<u8>,
}

/// Reads a file of images.
///
/// # Errors
/// If the bytes are not exactly one IDX file of images, plain or in gzip.
pub fn read_images(source: impl BufRead) -> Result<Images, IdxError> {
    let mut bytes = unpacked(source)?;
    let header = image_header(&mut bytes)?;
    let size = header.count as u64 * header.height as u64 * header.width as u64;
    let pixels = read_exactly(bytes, size, || header.to_string())?;
    Ok(Images { header, pixels })
}

/// Reads only the header of a file of images.
///
/// # Errors
/// If the bytes do not start an IDX file of images, plain or in gzip.
pub fn read_image_header(source: impl BufRead) -> Result<ImageHeader, IdxError> {
    image_header(&mut unpacked(source)?)
}

/// Reads a file of labels below `classes`.
///
/// # Errors
/// If the bytes are not exactly one IDX file of labels, plain or in gzip, or if a label is not
/// below `classes`.
pub fn read_labels(source: impl BufRead, classes: usize) -> Result<Vec<u8>, IdxError> {
    let mut bytes = unpacked(source)?;
    let [count] = header(&mut bytes, LABELS, "labels")?;
    let claim = || format!("{count} labels");
    let size = bounded([count], claim)?;
    let labels = read_exactly(bytes, size, claim)?;
    match labels.iter().position(|&l| usize::from(l) >= classes) {
        None => Ok(labels),
        Some(index) => Err(IdxError::Label {
            index,
            label: labels[index],
            classes,
        }),
    }
}

/// The bytes of `source`, out of gzip where it is gzip.
fn unpacked<'a>(mut source: impl BufRead + 'a) -> Result<Box<dyn Read + 'a>, IdxError> {
    Ok(if source.fill_buf()?.starts_with(&GZIP) {
        Box::new(MultiGzDecoder::new(source))
    } else {
        Box::new(source)
    })
}

fn image_header(bytes: &mut impl Read) -> Result<ImageHeader, IdxError> {
    let [count, height, width] = header(bytes, IMAGES, "images")?;
    let header = ImageHeader {
        count: count as usize,
        height: height as usize,
        width: width as usize,
    };
    bounded([count, height, width], || header.to_string())?;
    Ok(header)
}

/// Checks the mark and returns the dimensions that follow it.
fn header<const N: usize>(
    bytes: &mut impl Read,
    expected: u32,
    kind: &'static str,
) -> Result<[u32; N], IdxError> {
    let length = 4 * (N + 1);
    let mut start = Vec::with_capacity(length);
    bytes.take(length as u64).read_to_end(&mut start)?;
    let mut numbers = start
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    // The mark is looked at first: "not an IDX file" says more than "too short" where both hold.
    if let Some(found) = numbers.next().filter(|&found| found != expected) {
        return Err(IdxError::Magic {
            found,
            expected,
            kind,
        });
    }
    if start.len() < length {
        return Err(IdxError::Header {
            found: start.len(),
            expected: length,
        });
    }
    Ok(std::array::from_fn(|_| numbers.next().unwrap_or_default()))
}

/// The product of the dimensions, which must lie in `1..=MAX_BYTES`.
fn bounded<const N: usize>(
    dimensions: [u32; N],
    claim: impl Fn() -> String,
) -> Result<u64, IdxError> {
    let product = dimensions
        .into_iter()
        .try_fold(1u64, |product, d| product.checked_mul(u64::from(d)));
    if dimensions.contains(&0) {
        return Err(IdxError::Empty { claim: claim() });
    }
    product
        .filter(|&size| size <= MAX_BYTES)
        .ok_or_else(|| IdxError::TooLarge { claim: claim() })
}

/// All remaining bytes, which must be exactly `size`. The one byte that is asked for beyond them
/// finds trailing bytes, and takes a gzip stream to its end, where its checksum is compared.
fn read_exactly(
    bytes: impl Read,
    size: u64,
    claim: impl Fn() -> String,
) -> Result<Vec<u8>, IdxError> {
    let mut all = Vec::new();
    bytes.take(size + 1).read_to_end(&mut all)?;
    match (all.len() as u64).cmp(&size) {
        std::cmp::Ordering::Equal => Ok(all),
        std::cmp::Ordering::Greater => Err(IdxError::Trailing { claim: claim() }),
        std::cmp::Ordering::Less => Err(IdxError::Truncated {
            claim: claim(),
            found: all.len(),
            expected: size,
        }),
    }
}

/// Writes IDX files for tests here and beside.
#[cfg(test)]
pub(crate) mod write {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    /// A file of images.
    pub(crate) fn images(count: u32, height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
        let header = [super::IMAGES, count, height, width];
        let mut file: Vec<u8> = header.iter().flat_map(|n| n.to_be_bytes()).collect();
        file.extend_from_slice(pixels);
        file
    }

    /// A file of labels.
    pub(crate) fn labels(labels: &[u8]) -> Vec<u8> {
        let header = [super::LABELS, labels.len() as u32];
        let mut file: Vec<u8> = header.iter().flat_map(|n| n.to_be_bytes()).collect();
        file.extend_from_slice(labels);
        file
    }

    /// The same in gzip.
    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn images_error(file: &[u8]) -> String {
        read_images(file).unwrap_err().to_string()
    }

    #[test]
    fn a_file_reads_the_same_plain_and_in_gzip() {
        let pixels: Vec<u8> = (0..12).collect();
        let plain = write::images(2, 2, 3, &pixels);
        let images = read_images(&plain[..]).unwrap();
        assert_eq!(images.pixels, pixels);
        assert_eq!(
            images.header,
            ImageHeader {
                count: 2,
                height: 2,
                width: 3
            }
        );
        assert_eq!(read_images(&write::gzip(&plain)[..]).unwrap(), images);
        assert_eq!(read_image_header(&plain[..16]).unwrap(), images.header);
        let labels = write::labels(&[3, 0, 9]);
        assert_eq!(read_labels(&labels[..], 10).unwrap(), [3, 0, 9]);
        assert_eq!(
            read_labels(&write::gzip(&labels)[..], 10).unwrap(),
            [3, 0, 9]
        );
    }

    #[test]
    fn a_file_that_is_cut_short_says_how_much_is_missing() {
        assert_eq!(
            images_error(&write::images(2, 2, 3, &[0; 11])),
            "it claims to hold 2 images of 2x3 but ends after 11 of 12 bytes"
        );
        assert_eq!(
            images_error(&write::images(2, 2, 3, &[])[..15]),
            "it ends within its header, after 15 of 16 bytes"
        );
        assert_eq!(
            images_error(&[]),
            "it ends within its header, after 0 of 16 bytes"
        );
    }

    #[test]
    fn bytes_after_the_last_image_are_refused() {
        let long = write::images(2, 2, 3, &[0; 13]);
        let message = "it goes on after the 2 images of 2x3 that it claims to hold";
        assert_eq!(images_error(&long), message);
        assert_eq!(images_error(&write::gzip(&long)), message);
        let mut after_gzip = write::gzip(&write::images(2, 2, 3, &[0; 12]));
        after_gzip.push(0);
        assert!(images_error(&after_gzip).starts_with("its bytes cannot be read"));
    }

    #[test]
    fn a_file_of_labels_is_no_file_of_images() {
        assert_eq!(
            images_error(&write::labels(&[1, 2, 3])),
            "it starts with 0x00000801, not with 0x00000803 as IDX files of images do"
        );
        assert_eq!(
            images_error(b"<!DOCTYPE html>"),
            "it starts with 0x3c21444f, not with 0x00000803 as IDX files of images do"
        );
    }

    #[test]
    fn a_claim_of_gigabytes_is_refused_however_small_the_file() {
        for (count, side) in [(u32::MAX, u32::MAX), (400_000, 28)] {
            let file = write::images(count, side, side, &[0; 84]);
            assert_eq!(
                images_error(&file),
                format!(
                    "it claims to hold {count} images of {side}x{side}, \
                     more than the 256 MiB that are read"
                )
            );
        }
        assert_eq!(
            images_error(&write::images(5, 0, u32::MAX, &[])),
            "it claims to hold nothing (5 images of 0x4294967295)"
        );
    }

    #[test]
    fn a_gzip_stream_is_unpacked_no_further_than_its_header_claims() {
        let mut bomb = write::images(1, 2, 2, &[0; 4]);
        bomb.resize(64 << 20, 0);
        let packed = write::gzip(&bomb);
        let mut reader = &packed[..];
        let message = read_images(&mut reader).unwrap_err().to_string();
        assert!(
            message.starts_with("it goes on after the 1 images"),
            "{message}"
        );
        assert!(reader.len() > packed.len() / 2, "unread: {}", reader.len());
    }

    #[test]
    fn a_damaged_gzip_stream_is_refused() {
        let whole = write::gzip(&write::images(1, 2, 2, &[1, 2, 3, 4]));
        let mut wrong_checksum = whole.clone();
        let at = whole.len() - 6;
        wrong_checksum[at] ^= 1;
        for damaged in [&wrong_checksum[..], &whole[..whole.len() - 3], &whole[..5]] {
            assert!(images_error(damaged).starts_with("its bytes cannot be read"));
        }
    }

    #[test]
    fn a_label_outside_the_classes_is_named() {
        assert_eq!(
            read_labels(&write::labels(&[0, 9, 10])[..], 10)
                .unwrap_err()
                .to_string(),
            "label 2 is 10, outside the classes 0 to 9"
        );
    }

    proptest! {
        #[test]
        fn random_bytes_are_read_or_refused_without_a_panic(
            mark in prop::sample::select(vec![vec![], vec![0, 0, 8, 3], vec![0, 0, 8, 1], vec![0x1f, 0x8b, 8, 0]]),
            rest in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let file = [mark, rest].concat();
            let _ = read_labels(&file[..], 10);
            if let Ok(images) = read_images(&file[..]) {
                prop_assert!(images.pixels.len() <= file.len());
            }
        }

        #[test]
        fn small_claims_hold_exactly_when_the_bytes_are_there(
            (count, height, width) in (0u32..4, 0u32..4, 0u32..4),
            held in 0usize..30,
            packed in any::<bool>(),
        ) {
            let mut file = write::images(count, height, width, &vec![7; held]);
            if packed {
                file = write::gzip(&file);
            }
            let claimed = (count * height * width) as usize;
            prop_assert_eq!(read_images(&file[..]).is_ok(), claimed == held && claimed > 0);
        }

        #[test]
        fn a_flipped_byte_never_panics(at in 0usize..60, flip in 1u8..) {
            let mut file = write::gzip(&write::images(3, 4, 4, &[9; 48]));
            let at = at % file.len();
            file[at] ^= flip;
            let _ = read_images(&file[..]);
        }
    }
}
