//! Images or rows of numbers to classify: IDX files, and CSV files with one example per line.

use super::{Card, CardError};
use crate::data::{Values, idx};
use crate::files::FileError;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Largest CSV file in bytes.
const MAX_CSV: u64 = 1 << 30;

/// The values in the file `path`, example by example, for the net of `card`. The name decides the format: `.csv`
/// is CSV, everything else IDX, plain or compressed with gzip.
///
/// # Errors
/// If the file cannot be read, is damaged, or has images of another size.
pub fn read(path: &Path, card: &Card) -> Result<Values, CardError> {
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
        let values = match card.images.numbers {
            true => csv(&text, card, number).map(Values::Numbers),
            false => csv(&text, card, |cell| pixel(cell, card)).map(Values::Bytes),
        };
        return values.map_err(wrong);
    }
    if card.images.numbers {
        let name = &card.name;
        return Err(wrong(format!(
            "`{name}` classifies rows of numbers, which are read from CSV files (`.csv`)"
        )));
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
    Ok(Values::Bytes(images.pixels))
}

/// A pixel: a whole number up to the largest of the images.
fn pixel(cell: &str, card: &Card) -> Result<u8, String> {
    let most = card.images.max_pixel;
    let value = cell.parse().ok().filter(|value| *value <= most);
    value.ok_or_else(|| format!("`{cell}` is not a whole number from 0 to {most}"))
}

/// A number of a table.
fn number(cell: &str) -> Result<f32, String> {
    let value = cell.parse().ok().filter(|value: &f32| value.is_finite());
    value.ok_or_else(|| format!("`{cell}` is not a finite number"))
}

/// Reads one example per line: its values by row, column and channel, separated by commas. A first line that
/// does not start with a number is a header.
fn csv<T>(
    text: &str,
    card: &Card,
    value: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let size = card.images;
    let expected = size.height * size.width * size.channels;
    let mut values = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let mut cells = line.split(',').map(str::trim).peekable();
        let is_word = |cell: &&str| cell.parse::<f64>().is_err();
        if line.trim().is_empty() || (i == 0 && cells.peek().is_some_and(is_word)) {
            continue;
        }
        let before = values.len();
        for cell in cells {
            values.push(value(cell).map_err(|why| format!("line {}: {why}", i + 1))?);
        }
        let found = values.len() - before;
        if found != expected {
            let what = if size.numbers { "a row" } else { "an image" };
            return Err(format!(
                "line {}: has {found} values, but {what} has {expected}",
                i + 1
            ));
        }
    }
    Ok(values)
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

    fn pixels(text: &str) -> Result<Vec<u8>, String> {
        let card = small();
        csv(text, &card, |cell| pixel(cell, &card))
    }

    #[test]
    fn rows_of_a_table_are_numbers() {
        let found = csv("1,-2.5,3e2\n", &small(), number).unwrap();
        assert_eq!(found, [1.0, -2.5, 300.0]);
        let error = csv("1,2,inf\n", &small(), number).unwrap_err();
        assert_eq!(error, "line 1: `inf` is not a finite number");
    }

    #[test]
    fn lines_are_images_and_a_header_is_skipped() {
        let found = pixels("a,b,c\n1, 2,3\n\n16,0,0\n").unwrap();
        assert_eq!(found, [1, 2, 3, 16, 0, 0]);
        assert_eq!(pixels("1,2,3").unwrap(), [1, 2, 3]);
        assert_eq!(pixels("").unwrap(), [0u8; 0]);
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
            assert_eq!(pixels(text).unwrap_err(), message);
        }
    }
}
