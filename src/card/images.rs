//! Image files to classify.

use super::{Card, CardError};
use crate::data::{Decoded, decode, is_image};
use crate::files::FileError;
use std::fs;
use std::path::{Path, PathBuf};

/// Deepest folder that is searched for images.
const MAX_DEPTH: usize = 32;

/// Whether `path` is that of a PNG or JPEG file, by its ending.
pub fn is_image_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    is_image(&name.to_string_lossy())
}

/// The PNG and JPEG files in `folder` and its subfolders, sorted. Hidden ones are left out.
///
/// # Errors
/// If a folder cannot be read, or there is no such file.
pub fn images_below(folder: &Path) -> Result<Vec<PathBuf>, CardError> {
    let mut found = Vec::new();
    collect(folder, 0, &mut found)?;
    found.sort_unstable();
    match found.is_empty() {
        true => Err(wrong(folder, "it has no PNG or JPEG files".to_owned())),
        false => Ok(found),
    }
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), CardError> {
    if depth > MAX_DEPTH {
        let message = format!("it is more than {MAX_DEPTH} folders deep");
        return Err(wrong(folder, message));
    }
    let failed = FileError::of("read the folder", folder);
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for entry in entries.map_err(failed)? {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect(&path, depth + 1, found)?;
        } else if is_image_file(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// The pixels of the image in the file `path`, for the net of `card`.
///
/// # Errors
/// If it cannot be decoded, or does not have the size and channels that the net classifies.
pub fn read_image(path: &Path, card: &Card) -> Result<Vec<u8>, CardError> {
    let pixels = decode(path).and_then(|decoded| fit(decoded, card));
    pixels.map_err(|message| wrong(path, message))
}

/// The pixels as the net takes them. A grey image counts as one with three equal channels, and the reverse.
fn fit(Decoded { shape, pixels }: Decoded, card: &Card) -> Result<Vec<u8>, String> {
    let (size, name) = (card.images, &card.name);
    if size.numbers {
        return Err(format!(
            "`{name}` classifies rows of numbers, which are read from CSV files (`.csv`)"
        ));
    }
    let [height, width, channels] = shape;
    if (height, width) != (size.height, size.width) {
        return Err(format!(
            "it has {width}x{height} pixels, but `{name}` classifies images of {}x{}",
            size.width, size.height
        ));
    }
    let pixels: Vec<u8> = match (channels, size.channels) {
        (found, wanted) if found == wanted => pixels,
        (1, 3) => pixels.into_iter().flat_map(|value| [value; 3]).collect(),
        (3, 1) => {
            let (triples, _) = pixels.as_chunks::<3>();
            let grey = |&[r, g, b]: &[u8; 3]| (r == g && g == b).then_some(r);
            let values: Option<Vec<u8>> = triples.iter().map(grey).collect();
            values.ok_or_else(|| format!("it has colours, but `{name}` classifies grey images"))?
        }
        (found, wanted) => {
            return Err(format!(
                "it has {found} channels, but `{name}` classifies images with {wanted}"
            ));
        }
    };
    match pixels.iter().find(|value| **value > size.max_pixel) {
        Some(value) => Err(format!(
            "it has a pixel of {value}, but the images of `{name}` have values from 0 to {}",
            size.max_pixel
        )),
        None => Ok(pixels),
    }
}

fn wrong(path: &Path, message: String) -> CardError {
    CardError::Weights {
        path: path.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    fn net(channels: usize) -> Card {
        let mut card = card();
        card.images.height = 1;
        card.images.width = 2;
        card.images.channels = channels;
        card
    }

    fn decoded(channels: usize, pixels: &[u8]) -> Decoded {
        Decoded {
            shape: [1, 2, channels],
            pixels: pixels.to_vec(),
        }
    }

    #[test]
    fn grey_images_fit_colour_nets_and_the_reverse() {
        assert_eq!(fit(decoded(1, &[3, 4]), &net(1)).unwrap(), [3, 4]);
        let colours = fit(decoded(1, &[3, 4]), &net(3)).unwrap();
        assert_eq!(colours, [3, 3, 3, 4, 4, 4]);
        let grey = decoded(3, &colours);
        assert_eq!(fit(grey, &net(1)).unwrap(), [3, 4]);
    }

    #[test]
    fn images_that_do_not_fit_say_why() {
        let mut numbers = net(1);
        numbers.images.numbers = true;
        for (image, card, message) in [
            (decoded(3, &[3, 3, 4, 5, 5, 5]), net(1), "it has colours"),
            (decoded(1, &[3, 17]), net(1), "a pixel of 17"),
            (decoded(1, &[3, 4]), net(2), "1 channels"),
            (decoded(1, &[3, 4]), numbers, "rows of numbers"),
            (
                Decoded {
                    shape: [2, 1, 1],
                    pixels: vec![0, 0],
                },
                net(1),
                "it has 1x2 pixels, but `small` classifies images of 2x1",
            ),
        ] {
            let error = fit(image, &card).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn folders_are_searched_in_order_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b/2.png", "b/1.JPG", "a.jpeg", "notes.txt", ".hidden.png"] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), "").unwrap();
        }
        let found = images_below(folder.path()).unwrap();
        assert_eq!(found, ["a.jpeg", "b/1.JPG", "b/2.png"].map(at));
        fs::create_dir(at("empty")).unwrap();
        let error = images_below(&at("empty")).unwrap_err().to_string();
        assert!(error.contains("no PNG or JPEG files"), "{error}");
    }
}
