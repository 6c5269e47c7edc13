//! Reader for the IDX format of the MNIST family, with or without gzip. The content decides whether
//! a file is compressed, not its name.
//!
//! An image file starts with four big-endian 32-bit numbers: the magic number 0x00000803, the
//! number of images, their height and their width. A label file starts with two: 0x00000801 and the
//! number of labels. Unsigned bytes follow, row by row. LeCun, Cortes and Burges describe the
//! format beside the MNIST files.
//!
//! Headers are not trusted: memory grows with the bytes that are actually read, up to
//! [`MAX_BYTES`], and a file must hold exactly as many bytes as its header says.

use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, Read};

/// Largest number of uncompressed pixel or label bytes per file: five times MNIST.
pub const MAX_BYTES: u64 = 256 << 20;

const IMAGES: u32 = 0x0000_0803;
const LABELS: u32 = 0x0000_0801;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Defect of an IDX file; completes a sentence that starts with the file's name.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// The file ends within its header.
    #[error("the file ends within its header, after {found} of {expected} bytes")]
    Header {
        /// Bytes in the file.
        found: usize,
        /// Bytes of a complete header.
        expected: usize,
    },
    /// The magic number is wrong.
    #[error("it starts with {found:#010x}, but IDX files of {kind} start with {expected:#010x}")]
    Magic {
        /// The magic number that was read.
        found: u32,
        /// The magic number of this kind of file.
        expected: u32,
        /// `images` or `labels`.
        kind: &'static str,
    },
    /// A dimension is zero.
    #[error("its header claims that it is empty ({claim})")]
    Empty {
        /// The header in words.
        claim: String,
    },
    /// The header claims more than [`MAX_BYTES`].
    #[error("its header claims {claim}, which exceeds the limit of {} MiB", MAX_BYTES >> 20)]
    TooLarge {
        /// The header in words.
        claim: String,
    },
    /// The file ends before its last image or label.
    #[error("its header claims {claim}, but the data end after {found} of {expected} bytes")]
    Truncated {
        /// The header in words.
        claim: String,
        /// Bytes after the header.
        found: usize,
        /// Bytes that the header implies.
        expected: u64,
    },
    /// The file goes on after its last image or label.
    #[error("there are more bytes after the {claim} that its header claims")]
    Trailing {
        /// The header in words.
        claim: String,
    },
    /// A label is not a valid class.
    #[error("label {index} is {label}; classes are 0 to {}", classes - 1)]
    Label {
        /// Index of the label, from 0.
        index: usize,
        /// The label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
    /// The gzip stream is damaged, or reading failed.
    #[error("reading or decompressing it failed ({0})")]
    Bytes(#[from] std::io::Error),
}

/// Header of an image file.
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

/// Content of an image file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Number and size of the images.
    pub header: ImageHeader,
    /// Pixels, image by image and row by row.
    pub pixels: Vec<u8>,
}

/// Reads an image file.
///
/// # Errors
/// Unless the bytes are exactly one IDX image file, plain or compressed with gzip.
pub fn read_images(source: impl BufRead) -> Result<Images, IdxError> {
    let mut bytes = decompressed(source)?;
    let header = image_header(&mut bytes)?;
    let size = header.count as u64 * header.height as u64 * header.width as u64;
    let pixels = read_exactly(bytes, size, || header.to_string())?;
    Ok(Images { header, pixels })
}

/// Reads only the header of an image file.
///
/// # Errors
/// Unless the bytes start with the header of an IDX image file, plain or compressed with gzip.
pub fn read_image_header(source: impl BufRead) -> Result<ImageHeader, IdxError> {
    image_header(&mut decompressed(source)?)
}

/// Reads a label file whose labels must be below `classes`.
///
/// # Errors
/// Unless the bytes are exactly one IDX label file, plain or compressed with gzip, and every label
/// is below `classes`.
pub fn read_labels(source: impl BufRead, classes: usize) -> Result<Vec<u8>, IdxError> {
    let mut bytes = decompressed(source)?;
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

/// Returns the bytes of `source`, decompressed if they are a gzip stream.
fn decompressed<'a>(mut source: impl BufRead + 'a) -> Result<Box<dyn Read + 'a>, IdxError> {
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

/// Checks the magic number and returns the dimensions that follow it.
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
    // A wrong magic number is reported before a short header: "not an IDX file" tells the reader
    // more than "too short".
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

/// Reads all remaining bytes, which must be exactly `size`.
///
/// It asks for one byte more to detect trailing bytes. This also reads a gzip stream to its end,
/// where the checksum is verified.
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

/// Writes IDX files for the tests of this module and of its siblings.
#[cfg(test)]
pub(crate) mod write {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    /// An image file.
    pub(crate) fn images(count: u32, height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
        let header = [super::IMAGES, count, height, width];
        let mut file: Vec<u8> = header.iter().flat_map(|n| n.to_be_bytes()).collect();
        file.extend_from_slice(pixels);
        file
    }

    /// A label file.
    pub(crate) fn labels(labels: &[u8]) -> Vec<u8> {
        let header = [super::LABELS, labels.len() as u32];
        let mut file: Vec<u8> = header.iter().flat_map(|n| n.to_be_bytes()).collect();
        file.extend_from_slice(labels);
        file
    }

    /// Compresses with gzip.
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
    fn plain_and_gzip_files_read_the_same() {
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
    fn truncated_file_reports_missing_bytes() {
        assert_eq!(
            images_error(&write::images(2, 2, 3, &[0; 11])),
            "its header claims 2 images of 2x3, but the data end after 11 of 12 bytes"
        );
        assert_eq!(
            images_error(&write::images(2, 2, 3, &[])[..15]),
            "the file ends within its header, after 15 of 16 bytes"
        );
        assert_eq!(
            images_error(&[]),
            "the file ends within its header, after 0 of 16 bytes"
        );
    }

    #[test]
    fn trailing_bytes_are_rejected() {
        let long = write::images(2, 2, 3, &[0; 13]);
        let message = "there are more bytes after the 2 images of 2x3 that its header claims";
        assert_eq!(images_error(&long), message);
        assert_eq!(images_error(&write::gzip(&long)), message);
        let mut after_gzip = write::gzip(&write::images(2, 2, 3, &[0; 12]));
        after_gzip.push(0);
        assert!(images_error(&after_gzip).starts_with("reading or decompressing it failed"));
    }

    #[test]
    fn wrong_magic_number_is_rejected() {
        assert_eq!(
            images_error(&write::labels(&[1, 2, 3])),
            "it starts with 0x00000801, but IDX files of images start with 0x00000803"
        );
        assert_eq!(
            images_error(b"<!DOCTYPE html>"),
            "it starts with 0x3c21444f, but IDX files of images start with 0x00000803"
        );
    }

    #[test]
    fn oversized_header_of_small_file_is_rejected() {
        for (count, side) in [(u32::MAX, u32::MAX), (400_000, 28)] {
            let file = write::images(count, side, side, &[0; 84]);
            assert_eq!(
                images_error(&file),
                format!(
                    "its header claims {count} images of {side}x{side}, \
                     which exceeds the limit of 256 MiB"
                )
            );
        }
        assert_eq!(
            images_error(&write::images(5, 0, u32::MAX, &[])),
            "its header claims that it is empty (5 images of 0x4294967295)"
        );
    }

    #[test]
    fn decompression_stops_at_the_claimed_size() {
        let mut bomb = write::images(1, 2, 2, &[0; 4]);
        bomb.resize(64 << 20, 0);
        let packed = write::gzip(&bomb);
        let mut reader = &packed[..];
        let message = read_images(&mut reader).unwrap_err().to_string();
        assert!(
            message.starts_with("there are more bytes after the 1 images"),
            "{message}"
        );
        assert!(reader.len() > packed.len() / 2, "unread: {}", reader.len());
    }

    #[test]
    fn damaged_gzip_stream_is_rejected() {
        let whole = write::gzip(&write::images(1, 2, 2, &[1, 2, 3, 4]));
        let mut wrong_checksum = whole.clone();
        let at = whole.len() - 6;
        wrong_checksum[at] ^= 1;
        for damaged in [&wrong_checksum[..], &whole[..whole.len() - 3], &whole[..5]] {
            assert!(images_error(damaged).starts_with("reading or decompressing it failed"));
        }
    }

    #[test]
    fn label_outside_the_classes_is_rejected() {
        assert_eq!(
            read_labels(&write::labels(&[0, 9, 10])[..], 10)
                .unwrap_err()
                .to_string(),
            "label 2 is 10; classes are 0 to 9"
        );
    }

    proptest! {
        #[test]
        fn random_bytes_do_not_panic(
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
        fn files_are_read_if_sizes_match(
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
        fn flipped_byte_does_not_panic(at in 0usize..60, flip in 1u8..) {
            let mut file = write::gzip(&write::images(3, 4, 4, &[9; 48]));
            let at = at % file.len();
            file[at] ^= flip;
            let _ = read_images(&file[..]);
        }
    }
}
