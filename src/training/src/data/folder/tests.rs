//! Folders of images, from files to examples.

use super::*;
use std::fs;
use std::time::{Duration, SystemTime};
use zune_core::bit_depth::BitDepth;
use zune_core::colorspace::ColorSpace;
use zune_core::options::EncoderOptions;

/// A PNG file of 2x3 pixels of `value`.
fn png(value: u8, color: ColorSpace) -> Vec<u8> {
    let pixels = vec![value; 6 * color.num_components()];
    let options = EncoderOptions::new(3, 2, color, BitDepth::Eight);
    let mut bytes = Vec::new();
    zune_png::PngEncoder::new(&pixels, options)
        .encode(&mut bytes)
        .unwrap();
    bytes
}

const GREY: ColorSpace = ColorSpace::Luma;
const RGB: ColorSpace = ColorSpace::RGB;

/// Writes a file that was last changed a minute ago.
fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let then = SystemTime::now() - Duration::from_secs(60);
    file.set_modified(then).unwrap();
}

/// Two classes with a training and a test image each.
fn two_parts(folder: &Path) {
    for (i, path) in [
        "train/cat/b.png",
        "train/ant/a.png",
        "test/cat/a.png",
        "test/ant/x.PNG",
    ]
    .into_iter()
    .enumerate()
    {
        write(folder, path, &png(10 * (i as u8 + 1), GREY));
    }
}

fn loaded(folder: &Path) -> Result<Loading, String> {
    load("set", folder, None, Corrupt::Error)
}

#[test]
fn classes_are_sorted_and_parts_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    two_parts(dir.path());
    write(dir.path(), "train/cat/notes.txt", b"no image");
    write(dir.path(), "train/.hidden/a.png", b"no image");
    let Loading {
        images,
        class_names,
    } = loaded(dir.path()).unwrap();
    assert_eq!(class_names, ["ant", "cat"]);
    assert_eq!((images.shape, images.classes), ([2, 3, 1], 2));
    assert_eq!(images.train.labels, [0, 1]);
    assert_eq!(images.train.pixels().unwrap(), [[20; 6], [10; 6]].concat());
    let test = images.test.unwrap();
    assert_eq!(
        test,
        Examples::images([[40; 6], [30; 6]].concat(), vec![0, 1])
    );
}

#[test]
fn folder_without_parts_has_no_test_images() {
    let dir = tempfile::tempdir().unwrap();
    for path in ["a/1.png", "a/2.png", "b/1.png"] {
        write(dir.path(), path, &png(5, RGB));
    }
    let images = loaded(dir.path()).unwrap().images;
    assert_eq!((images.shape, images.test), ([2, 3, 3], None));
    assert_eq!(images.train.labels, [0, 0, 1]);
}

#[test]
fn grey_images_beside_colour_ones_become_colour() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a/1.png", &png(7, GREY));
    write(dir.path(), "b/1.png", &png(9, RGB));
    let images = loaded(dir.path()).unwrap().images;
    assert_eq!(images.shape, [2, 3, 3]);
    assert_eq!(images.train.pixels().unwrap(), [[7; 18], [9; 18]].concat());
}

#[test]
fn corrupt_images_are_named_and_left_out_only_on_request() {
    let dir = tempfile::tempdir().unwrap();
    two_parts(dir.path());
    write(dir.path(), "train/cat/broken.png", b"nothing");
    write(dir.path(), "train/ant/empty.jpg", b"");
    let error = loaded(dir.path()).unwrap_err();
    let start = "2 of its 6 images cannot be decoded: `train/ant/empty.jpg` (it is empty), \
                 `train/cat/broken.png` (it is neither a PNG nor a JPEG file)";
    assert!(error.starts_with(start), "{error}");
    let kept = load("set", dir.path(), None, Corrupt::Skip).unwrap().images;
    assert_eq!(kept.train.labels, [0, 1]);
    assert_eq!(kept.train.pixels().unwrap(), [[20; 6], [10; 6]].concat());
}

#[test]
fn images_of_two_sizes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    two_parts(dir.path());
    write(
        dir.path(),
        "train/cat/large.jpg",
        include_bytes!("grey.jpg"),
    );
    let error = loaded(dir.path()).unwrap_err();
    let start = "`train/ant/a.png` is 3x2 pixels and `train/cat/large.jpg` is 8x8";
    assert!(error.starts_with(start), "{error}");
}

#[test]
fn folders_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "train/only/a.png", &png(1, GREY));
    let error = loaded(dir.path()).unwrap_err();
    assert!(error.contains("has 1 folders, one per class"), "{error}");
    write(dir.path(), "train/other/a.png", &png(1, GREY));
    write(dir.path(), "test/third/a.png", &png(1, GREY));
    let error = loaded(dir.path()).unwrap_err();
    assert!(
        error.contains("`third`, which has no training images"),
        "{error}"
    );
}

#[test]
fn decoded_images_are_kept_until_a_file_changes() {
    let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    two_parts(dir.path());
    let load = || {
        load("set", dir.path(), Some(cache.path()), Corrupt::Error)
            .unwrap()
            .images
    };
    let cached = || {
        let files = fs::read_dir(cache.path()).unwrap();
        files.map(|file| file.unwrap().path()).collect::<Vec<_>>()
    };
    let first = load();
    let [file] = &cached()[..] else {
        panic!("one file: {:?}", cached());
    };
    assert_eq!(load(), first);
    // Damage is noticed by the checksum, and the images are decoded again.
    let mut bytes = fs::read(file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(file, &bytes).unwrap();
    assert_eq!(load(), first);
    assert_ne!(fs::read(file).unwrap(), bytes);
    // The next state of the folder replaces this one.
    write(dir.path(), "train/cat/c.png", &png(99, GREY));
    assert_eq!(load().train.labels, [0, 1, 1]);
    assert_eq!(cached().len(), 1);
    assert!(!file.exists());
}

#[test]
fn candidates_are_folders_of_images_with_a_plain_name() {
    let dir = tempfile::tempdir().unwrap();
    two_parts(&dir.path().join("animals"));
    write(dir.path(), "flat_set/a/1.png", b"");
    write(dir.path(), "Capital/a/1.png", b"");
    write(dir.path(), "texts/a/1.txt", b"");
    write(dir.path(), "mnist/train-images-idx3-ubyte", b"");
    let second = tempfile::tempdir().unwrap();
    two_parts(&second.path().join("animals"));
    let folders = [dir.path(), second.path()].map(Path::to_owned);
    let mut found = tree::candidates(&folders);
    found.sort();
    let expected = ["animals", "flat_set"].map(|name| (name.to_owned(), dir.path().join(name)));
    assert_eq!(found, expected);
}
