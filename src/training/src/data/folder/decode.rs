//! Pixels of PNG and JPEG files.
//!
//! Headers are not trusted: sizes are bounded before anything is allocated.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_png::PngDecoder;
use zune_png::error::PngDecodeErrors;

/// Largest height and width in pixels.
const MAX_EDGE: usize = 4096;

/// Largest number of bytes of an image file.
const MAX_FILE: u64 = 64 << 20;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Height, width and channels (1 or 3).
    pub shape: [usize; 3],
    /// One byte per value, row by row, channels fastest.
    pub pixels: Vec<u8>,
}

/// Decodes a PNG or JPEG file; its content says which of the two it is.
///
/// # Errors
/// If it cannot be read or decoded, with the reason.
pub fn decode(path: &Path) -> Result<Decoded, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    // Messages of the decoders may have line breaks.
    decode_bytes(&bytes).map_err(|why| why.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// [`decode`] for the bytes of a file.
fn decode_bytes(bytes: &[u8]) -> Result<Decoded, String> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is larger than {} MiB", MAX_FILE >> 20));
    }
    let decoded = match bytes {
        [] => return Err("it is empty".to_owned()),
        png if png.starts_with(PNG) => decode_png(png)?,
        jpeg if jpeg.starts_with(JPEG) => decode_jpeg(jpeg)?,
        _ => return Err("it is neither a PNG nor a JPEG file".to_owned()),
    };
    let [height, width, channels] = decoded.shape;
    match decoded.pixels.len() == height * width * channels && !decoded.pixels.is_empty() {
        true => Ok(decoded),
        false => Err("it ends before its last pixel".to_owned()),
    }
}

fn bounded(height: usize, width: usize) -> Result<(), String> {
    match (1..=MAX_EDGE).contains(&height) && (1..=MAX_EDGE).contains(&width) {
        true => Ok(()),
        false => Err(format!(
            "it is {width}x{height} pixels; 1x1 to {MAX_EDGE}x{MAX_EDGE} are possible"
        )),
    }
}

fn decode_png(bytes: &[u8]) -> Result<Decoded, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .png_set_strip_to_8bit(true)
        .png_set_decode_animated(false)
        .set_max_width(MAX_EDGE)
        .set_max_height(MAX_EDGE);
    let mut decoder = PngDecoder::new_with_options(Cursor::new(bytes), options);
    let failed = |error: PngDecodeErrors| format!("{error:?}").trim_matches('"').to_owned();
    decoder.decode_headers().map_err(failed)?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    bounded(height, width)?;
    let mut pixels = decoder.decode_raw().map_err(failed)?;
    // Channels in the file, and those that are kept: transparency is dropped.
    let (found, kept) = match decoder.colorspace() {
        Some(ColorSpace::Luma) => (1, 1),
        Some(ColorSpace::LumaA) => (2, 1),
        Some(ColorSpace::RGB) => (3, 3),
        Some(ColorSpace::RGBA) => (4, 3),
        other => return Err(format!("its colours are of the kind {other:?}")),
    };
    if found != kept {
        let opaque = pixels.chunks_exact(found).flat_map(|pixel| &pixel[..kept]);
        pixels = opaque.copied().collect();
    }
    Ok(Decoded {
        shape: [height, width, kept],
        pixels,
    })
}

fn decode_jpeg(bytes: &[u8]) -> Result<Decoded, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_EDGE)
        .set_max_height(MAX_EDGE);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder
        .decode_headers()
        .map_err(|error| error.to_string())?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let space = if grey {
        ColorSpace::Luma
    } else {
        ColorSpace::RGB
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    bounded(height, width)?;
    let pixels = decoder.decode().map_err(|error| error.to_string())?;
    Ok(Decoded {
        shape: [height, width, if grey { 1 } else { 3 }],
        pixels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zune_core::bit_depth::BitDepth;
    use zune_core::options::EncoderOptions;

    fn png_file(height: usize, width: usize, color: ColorSpace, pixels: &[u8]) -> Vec<u8> {
        let options = EncoderOptions::new(width, height, color, BitDepth::Eight);
        let mut bytes = Vec::new();
        zune_png::PngEncoder::new(pixels, options)
            .encode(&mut bytes)
            .unwrap();
        bytes
    }

    #[test]
    fn png_files_give_their_pixels() {
        let pixels: Vec<u8> = (0..24).collect();
        let rgb = decode_bytes(&png_file(2, 4, ColorSpace::RGB, &pixels)).unwrap();
        assert_eq!((rgb.shape, rgb.pixels), ([2, 4, 3], pixels.clone()));
        let grey = decode_bytes(&png_file(4, 6, ColorSpace::Luma, &pixels)).unwrap();
        assert_eq!((grey.shape, grey.pixels), ([4, 6, 1], pixels.clone()));
        let rgba = decode_bytes(&png_file(2, 3, ColorSpace::RGBA, &pixels)).unwrap();
        assert_eq!(rgba.shape, [2, 3, 3]);
        assert_eq!(rgba.pixels[..6], [0, 1, 2, 4, 5, 6]);
    }

    #[test]
    fn damaged_files_say_what_is_wrong() {
        let pixels = [7; 48];
        let file = png_file(4, 4, ColorSpace::RGB, &pixels);
        assert_eq!(decode_bytes(b"").unwrap_err(), "it is empty");
        let text = decode_bytes(b"hello").unwrap_err();
        assert_eq!(text, "it is neither a PNG nor a JPEG file");
        decode_bytes(&file[..file.len() - 20]).unwrap_err();
        // A header that claims 2^31 - 1 pixels a side, with the right checksum.
        let mut huge = file.clone();
        huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        let sum = crc32(&huge[12..29]).to_be_bytes();
        huge[29..33].copy_from_slice(&sum);
        let message = decode_bytes(&huge).unwrap_err();
        assert!(message.contains("4096"), "{message}");
    }

    /// CRC-32 as PNG uses it.
    fn crc32(bytes: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }

    /// A grey JPEG file of 8x8 pixels of one value.
    const JPEG_FILE: &[u8] = include_bytes!("grey.jpg");

    #[test]
    fn jpeg_files_give_their_pixels() {
        let grey = decode_bytes(JPEG_FILE).unwrap();
        assert_eq!(grey.shape, [8, 8, 1]);
        assert!(
            grey.pixels.iter().all(|&p| p.abs_diff(128) <= 2),
            "{:?}",
            grey.pixels
        );
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_image_or_an_error(
            start in 0usize..2,
            mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            bytes.splice(0..0, [PNG, JPEG][start].iter().copied());
            let _ = decode_bytes(&bytes);
        }

        #[test]
        fn mutated_files_give_an_image_or_an_error(
            jpeg in any::<bool>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let png = png_file(4, 4, ColorSpace::RGB, &[9; 48]);
            let mut bytes = if jpeg { JPEG_FILE.to_vec() } else { png };
            for (index, value) in changes {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            let _ = decode_bytes(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = decode_bytes(&bytes);
        }
    }
}
