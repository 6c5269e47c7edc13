//! Folders of images as data sets.
//!
//! A folder `NAME` in one of the [folders that are searched](super::locate) is the data set `NAME` if it
//! holds images by class: `NAME/train/CLASS/*.png` and `NAME/test/CLASS/*.png`, or `NAME/CLASS/*.png`
//! without a test part (seeds then test on folds). Images are PNG or JPEG files of one size. Classes are
//! numbered in the order of their names.
//!
//! Images are decoded once: the pixels are kept in one file in the user's cache folder, which serves as
//! long as no image file changes.

mod decode;
mod packed;
mod tree;

use super::examples::Examples;
use super::registered::{Images, Loading};
use crate::recipe::Corrupt;
pub use decode::{Decoded, decode};
use packed::{Contents, Packed};
use rayon::prelude::*;
use std::path::Path;
use tree::Tree;
pub(super) use tree::candidates;
pub use tree::is_image;

/// Largest number of pixel bytes of a data set.
const MAX_BYTES: usize = 4 << 30;

/// Most files that an error or a warning names.
const MOST_NAMED: usize = 5;

/// Reads the images in `folder`.
///
/// # Errors
/// If there are none, they have several sizes, or some cannot be decoded and are not to be skipped.
pub(super) fn load(
    name: &str,
    folder: &Path,
    cache: Option<&Path>,
    corrupt: Corrupt,
) -> Result<Loading, String> {
    let tree = Tree::read(folder)?;
    let packed = Packed::new(cache, name, &tree);
    let contents = match packed.read() {
        Some(contents) => contents,
        None => {
            let contents = read_images(&tree)?;
            packed.write(&contents);
            contents
        }
    };
    finish(&tree, contents, corrupt)
}

/// Decodes all images.
fn read_images(tree: &Tree) -> Result<Contents, String> {
    let decoded: Vec<Result<Decoded, String>> = (tree.files.par_iter())
        .map(|file| decode(&tree.folder.join(&file.path)))
        .collect();
    let mut shape: Option<(usize, [usize; 3])> = None;
    let mut contents = Contents::default();
    for (index, image) in decoded.iter().enumerate() {
        let image = match image {
            Ok(image) => image,
            Err(why) => {
                contents.corrupt.push((index, why.clone()));
                continue;
            }
        };
        let (first, [height, width, channels]) = *shape.get_or_insert((index, image.shape));
        let [h, w, c] = image.shape;
        if (h, w) != (height, width) {
            return Err(format!(
                "`{}` is {width}x{height} pixels and `{}` is {w}x{h}; all images must have one size, so scale \
                 or crop them first",
                tree.files[first].path, tree.files[index].path
            ));
        }
        // Grey images beside colour ones become colour images.
        shape = Some((first, [height, width, channels.max(c)]));
    }
    let Some((_, shape)) = shape else {
        let why = contents.corrupt.first().map_or("", |(_, why)| why);
        return Err(format!("none of its images can be decoded: {why}"));
    };
    let features: usize = shape.iter().product();
    let total = features.saturating_mul(tree.files.len());
    if total > MAX_BYTES {
        return Err(format!(
            "its images have {total} bytes, which exceeds the limit of {MAX_BYTES}"
        ));
    }
    contents.shape = shape;
    contents.pixels.reserve_exact(total);
    for image in decoded.into_iter().flatten() {
        match image.shape[2] == shape[2] {
            true => contents.pixels.extend(image.pixels),
            false => {
                let colours = image.pixels.iter().flat_map(|&grey| [grey; 3]);
                contents.pixels.extend(colours);
            }
        }
    }
    Ok(contents)
}

/// Splits the images into parts, without those that cannot be decoded.
fn finish(tree: &Tree, contents: Contents, corrupt: Corrupt) -> Result<Loading, String> {
    let broken = &contents.corrupt;
    if !broken.is_empty() {
        let list = named(tree, broken);
        let (n, all) = (broken.len(), tree.files.len());
        if corrupt == Corrupt::Error {
            return Err(format!(
                "{n} of its {all} images cannot be decoded: {list}; repair or remove them, or set \
                 `data.corrupt = \"skip\"` to leave them out"
            ));
        }
        log::warn!(
            "leaving out {n} of {all} images in `{}` that cannot be decoded: {list}",
            tree.folder.display()
        );
    }
    let features: usize = contents.shape.iter().product();
    let is_broken = |index| broken.binary_search_by_key(&index, |(i, _)| *i).is_ok();
    let kept = (tree.files.iter().enumerate()).filter(|(index, _)| !is_broken(*index));
    let (mut train, mut test) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for ((_, file), pixels) in kept.zip(contents.pixels.chunks_exact(features)) {
        let (all, labels) = if file.test { &mut test } else { &mut train };
        all.extend_from_slice(pixels);
        labels.push(file.label);
    }
    let examples = |(pixels, labels)| Examples::images(pixels, labels);
    let images = Images {
        shape: contents.shape,
        classes: tree.classes.len(),
        max_pixel: u8::MAX,
        train: examples(train),
        test: tree.has_test.then(|| examples(test)),
    };
    Ok(Loading {
        images,
        class_names: tree.classes.clone(),
    })
}

/// The first files that cannot be decoded, with the reason.
fn named(tree: &Tree, broken: &[(usize, String)]) -> String {
    let some = broken.iter().take(MOST_NAMED);
    let some = some.map(|(index, why)| format!("`{}` ({why})", tree.files[*index].path));
    let mut list = some.collect::<Vec<_>>().join(", ");
    if broken.len() > MOST_NAMED {
        list.push_str(&format!(" and {} more", broken.len() - MOST_NAMED));
    }
    list
}

#[cfg(test)]
mod tests;
