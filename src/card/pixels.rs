//! Images to classify: IDX files, and CSV files with one image per line.

use super::{Card, CardError};
use crate::data::idx;
use crate::files::FileError;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Largest CSV file in bytes.
const MAX_CSV: u64 = 1 << 30;

/// The pixels in the file `path`, image by image, for the net of `card`. The name decides the format: `.csv`
/// is CSV, everything else IDX, plain or compressed with gzip.
///
/// # Errors
/// If the file cannot be read, is damaged, or has images of another size.
pub fn read(path: &Path, card: &Card) -> Result<Vec<u8>, CardError> {
    let wrong = |message: String| CardError::Weights {
        path: path.to_owned(),
        message,
    };
    let file = File::open(path).map_err(FileError::of("read", path))?;
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    if extension == "csv" {
        let mut text = String::new();
        let size = file.take(MAX_CSV).read_to_string(&mut text);
        let size = size.map_err(FileError::of("read", path))?;
        if size as u64 == MAX_CSV {
            return Err(wrong("it is larger than 1 GiB; split it".to_owned()));
        }
        return csv(&text, card).map_err(wrong);
    }
    let images = idx::read_images(BufReader::new(file)).map_err(|error| {
        wrong(format!(
            "{error}; images are read from IDX and CSV (`.csv`) files"
        ))
    })?;
    let (found, size) = (images.header, card.images);
    if (found.height, found.width, 1) != (size.height, size.width, size.channels) {
        let shape = [size.height, size.width, size.channels].map(|n| n.to_string());
        let message = format!(
            "it holds images of {}x{}, but `{}` classifies images of {}",
            found.height,
            found.width,
            card.name,
            shape.join("x")
        );
        return Err(wrong(message));
    }
    Ok(images.pixels)
}

/// Reads one image per line: its pixels by row, column and channel, separated by commas. A first line that
/// does not start with a number is a header.
fn csv(text: &str, card: &Card) -> Result<Vec<u8>, String> {
    let size = card.images;
    let expected = size.height * size.width * size.channels;
    let most = size.max_pixel;
    let mut pixels = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let mut cells = line.split(',').map(str::trim).peekable();
        let is_word = |cell: &&str| cell.parse::<f64>().is_err();
        if line.trim().is_empty() || (i == 0 && cells.peek().is_some_and(is_word)) {
            continue;
        }
        let before = pixels.len();
        for cell in cells {
            let value = cell.parse().ok().filter(|value| *value <= most);
            let value = value.ok_or_else(|| {
                format!(
                    "line {}: `{cell}` is not a whole number from 0 to {most}",
                    i + 1
                )
            })?;
            pixels.push(value);
        }
        let found = pixels.len() - before;
        if found != expected {
            return Err(format!(
                "line {}: has {found} values, but an image has {expected}",
                i + 1
            ));
        }
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    fn small() -> Card {
        let mut card = card();
        card.images.height = 1;
        card.images.width = 3;
        card
    }

    #[test]
    fn lines_are_images_and_a_header_is_skipped() {
        let pixels = csv("a,b,c\n1, 2,3\n\n16,0,0\n", &small()).unwrap();
        assert_eq!(pixels, [1, 2, 3, 16, 0, 0]);
        assert_eq!(csv("1,2,3", &small()).unwrap(), [1, 2, 3]);
        assert_eq!(csv("", &small()).unwrap(), [0u8; 0]);
    }

    #[test]
    fn wrong_values_and_lengths_are_named_with_their_line() {
        for (text, message) in [
            (
                "1,2,3\n1,2,17",
                "line 2: `17` is not a whole number from 0 to 16",
            ),
            (
                "1,2,3\na,2,3",
                "line 2: `a` is not a whole number from 0 to 16",
            ),
            (
                "1,2.5,3",
                "line 1: `2.5` is not a whole number from 0 to 16",
            ),
            ("1,2", "line 1: has 2 values, but an image has 3"),
            ("1,2,3,4", "line 1: has 4 values, but an image has 3"),
        ] {
            assert_eq!(csv(text, &small()).unwrap_err(), message);
        }
    }
}
