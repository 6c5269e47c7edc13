//! A contact sheet: the first images of every class in one PNG file.

use super::exit::Failure;
use crate::data::Dataset;
use crate::files::write_atomic;
use std::path::Path;
use zune_core::bit_depth::BitDepth;
use zune_core::colorspace::ColorSpace;
use zune_core::options::EncoderOptions;
use zune_png::PngEncoder;

/// Images per class.
const COLUMNS: usize = 16;

/// Pixels between images.
const GAP: usize = 2;

/// Smallest edge of an image on the sheet; smaller images are enlarged by a whole factor.
const EDGE: usize = 32;

/// Grey level between images.
const BACKGROUND: u8 = 255;

/// Writes the sheet to `path`.
///
/// # Errors
/// If the images are neither grey nor colour, or the file cannot be written.
pub(super) fn write(dataset: &Dataset, path: &Path) -> Result<(), Failure> {
    if dataset.train.pixels().is_none() {
        let message = "numbers of a table cannot be drawn; leave out `--sheet`";
        return Err(Failure::usage(message));
    }
    let space = match dataset.channels {
        1 => ColorSpace::Luma,
        3 => ColorSpace::RGB,
        n => {
            let message = format!("images of {n} channels cannot be drawn; leave out `--sheet`");
            return Err(Failure::usage(message));
        }
    };
    let Sheet {
        height,
        width,
        pixels,
    } = sheet(dataset);
    let options = EncoderOptions::new(width, height, space, BitDepth::Eight);
    let mut bytes = Vec::new();
    (PngEncoder::new(&pixels, options).encode(&mut bytes))
        .map_err(|error| Failure::internal(format!("cannot encode the sheet: {error:?}")))?;
    write_atomic(path, &bytes)?;
    Ok(())
}

struct Sheet {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

/// One row per class, with the first training images of that class.
fn sheet(dataset: &Dataset) -> Sheet {
    let (h, w, c) = (dataset.height, dataset.width, dataset.channels);
    let zoom = EDGE.div_ceil(h.max(w)).max(1);
    let cell = [h * zoom + GAP, w * zoom + GAP];
    let (height, width) = (dataset.classes * cell[0] + GAP, COLUMNS * cell[1] + GAP);
    let mut pixels = vec![BACKGROUND; height * width * c];
    let mut drawn = vec![0; dataset.classes];
    let bright = 255.0 / dataset.max_pixel;
    for (example, &label) in dataset.train.labels.iter().enumerate() {
        let label = usize::from(label);
        if drawn[label] == COLUMNS {
            continue;
        }
        let (top, left) = (GAP + label * cell[0], GAP + drawn[label] * cell[1]);
        let image = dataset.train.image(example, dataset.features());
        for y in 0..h * zoom {
            for x in 0..w * zoom {
                let from = (y / zoom * w + x / zoom) * c;
                let to = ((top + y) * width + left + x) * c;
                for channel in 0..c {
                    pixels[to + channel] = (f32::from(image[from + channel]) * bright) as u8;
                }
            }
        }
        drawn[label] += 1;
    }
    Sheet {
        height,
        width,
        pixels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits::digits;

    #[test]
    fn sheet_has_the_first_images_of_each_class() {
        let digits = digits();
        let sheet = sheet(&digits);
        // Digits of 8x8 pixels are drawn at four times their size.
        assert_eq!((sheet.height, sheet.width), (10 * 34 + 2, 16 * 34 + 2));
        let at = |y: usize, x: usize| sheet.pixels[y * sheet.width + x];
        assert_eq!(at(0, 0), BACKGROUND);
        // The first training image is a 0; its pixel of row 0 and column 3 is 13 of 16.
        let image = digits.train.image(0, 64);
        assert_eq!((digits.train.labels[0], image[3]), (0, 13));
        assert_eq!(at(GAP, GAP + 3 * 4), (13.0 * 255.0 / 16.0) as u8);
        let second = digits.train.labels.iter().position(|&l| l == 1).unwrap();
        let value = digits.train.image(second, 64)[8 * 4 + 4];
        let expected = (f32::from(value) * 255.0 / 16.0) as u8;
        assert_eq!(at(GAP + 34 + 4 * 4, GAP + 4 * 4), expected);
    }
}
