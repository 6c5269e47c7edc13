//! A data set in memory, and reading it from its files.

use super::catalog::{self, CatalogEntry};
use super::content::{FileHashes, hash_of, hash_of_bytes};
use super::error::DataError;
use super::examples::Examples;
use super::idx::{self, IdxError, Images};
use super::locate::DataFiles;
use crate::recipe::DataName;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Labelled images, or rows of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Name of the data set.
    pub name: DataName,
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
    /// Number of classes; every label is below it.
    pub classes: usize,
    /// Largest pixel value of the format; 1 for numbers.
    pub max_pixel: f32,
    /// The training file, or all examples if the data set has no test file.
    pub train: Examples,
    /// The test file, if the data set has one.
    pub test: Option<Examples>,
}

impl Dataset {
    /// Values per image: height times width times channels.
    pub const fn features(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The hash of each file of the data set.
    ///
    /// # Panics
    /// If there are more than 2^32 examples or pixels.
    pub fn hashes(&self) -> FileHashes {
        let image = [self.height, self.width, self.channels];
        let image = &image[..if self.channels == 1 { 2 } else { 3 }];
        let parts = [Some(&self.train), self.test.as_ref()];
        let hashes = parts.into_iter().flatten().flat_map(|part| {
            let shape = [&[part.len()], image].concat();
            [
                hash_of(&shape, &part.values),
                hash_of_bytes(&[part.len()], &part.labels),
            ]
        });
        FileHashes::new(hashes.collect())
    }
}

/// Reads the four files of a data set. Returns it, and whether its training labels are the published ones.
///
/// # Errors
/// If a file is damaged, or if the files contradict each other or belong to another data set.
pub(super) fn read(
    entry: &'static CatalogEntry,
    files: &DataFiles,
) -> Result<(Dataset, bool), DataError> {
    let (train, header) = read_part(entry, &files.train_images, &files.train_labels)?;
    let (test, test_header) = read_part(entry, &files.test_images, &files.test_labels)?;
    let side = |header: idx::ImageHeader| format!("images of {}x{}", header.height, header.width);
    require_equal(
        (&files.train_images, side(header)),
        (&files.test_images, side(test_header)),
    )?;
    let published = check_identity(entry, files, &train.labels)?;
    let dataset = Dataset {
        name: entry.name,
        height: header.height,
        width: header.width,
        channels: 1,
        classes: entry.classes(),
        max_pixel: f32::from(entry.max_pixel),
        train,
        test: Some(test),
    };
    Ok((dataset, published))
}

/// Returns true if the training labels are the published ones of `entry`, false if they are
/// unknown.
///
/// # Errors
/// If they are the published labels of another data set.
pub(crate) fn check_identity(
    entry: &'static CatalogEntry,
    files: &DataFiles,
    train_labels: &[u8],
) -> Result<bool, DataError> {
    match catalog::recognise(train_labels) {
        Some(found) if found.name != entry.name => Err(DataError::WrongSet {
            path: files.train_labels.clone(),
            wanted: entry.key(),
            wanted_folder: entry.folder.unwrap_or(entry.key()),
            found: found.key(),
        }),
        found => Ok(found.is_some()),
    }
}

/// Reads an image file and its label file.
fn read_part(
    entry: &CatalogEntry,
    images: &Path,
    labels: &Path,
) -> Result<(Examples, idx::ImageHeader), DataError> {
    let Images { header, pixels } = read_file(images, idx::read_images)?;
    let classes = entry.classes();
    let found = read_file(labels, |source| idx::read_labels(source, classes))?;
    require_equal(
        (images, format!("{} examples", header.count)),
        (labels, format!("{} examples", found.len())),
    )?;
    Ok((Examples::images(pixels, found), header))
}

/// Reads a file and adds its path to errors.
pub(crate) fn read_file<T>(
    path: &Path,
    read: impl FnOnce(BufReader<File>) -> Result<T, IdxError>,
) -> Result<T, DataError> {
    let file = File::open(path).map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })?;
    read(BufReader::new(file)).map_err(|source| DataError::Malformed {
        path: path.to_owned(),
        source,
    })
}

/// Returns an error that names both files unless their contents agree.
fn require_equal(left: (&Path, String), right: (&Path, String)) -> Result<(), DataError> {
    if left.1 == right.1 {
        return Ok(());
    }
    Err(DataError::Disagree {
        left: left.0.to_owned(),
        left_holds: left.1,
        right: right.0.to_owned(),
        right_holds: right.1,
    })
}

/// Small data sets for the tests of this module and of its siblings.
#[cfg(test)]
pub(crate) mod small {
    use super::*;
    use crate::data::idx::write;
    use crate::data::locate::SearchPath;

    /// The four files of a small data set: 20 training and 10 test images of 2x3 pixels, two and
    /// one per class.
    pub(crate) struct SmallFiles {
        pub(crate) train_images: Vec<u8>,
        pub(crate) train_labels: Vec<u8>,
        pub(crate) test_images: Vec<u8>,
        pub(crate) test_labels: Vec<u8>,
    }

    impl Default for SmallFiles {
        fn default() -> Self {
            let pixels: Vec<u8> = (0..120).collect();
            let labels: Vec<u8> = (0..20).map(|i| i % 10).collect();
            Self {
                train_images: write::gzip(&write::images(20, 2, 3, &pixels)),
                train_labels: write::gzip(&write::labels(&labels)),
                test_images: write::images(10, 2, 3, &pixels[60..]),
                test_labels: write::labels(&labels[10..]),
            }
        }
    }

    /// Training labels that are recognised as those of MNIST.
    pub(crate) fn mnist_labels() -> Vec<u8> {
        catalog::tests::labels(DataName::Mnist, [5, 0, 4], [5, 6, 8])
    }

    impl SmallFiles {
        /// Writes the files into `folder` and returns a search path for it.
        pub(crate) fn write(&self, folder: &Path) -> SearchPath {
            for (name, bytes) in [
                ("train-images-idx3-ubyte.gz", &self.train_images),
                ("train-labels-idx1-ubyte.gz", &self.train_labels),
                ("t10k-images-idx3-ubyte", &self.test_images),
                ("t10k-labels-idx1-ubyte", &self.test_labels),
            ] {
                std::fs::write(folder.join(name), bytes).unwrap();
            }
            SearchPath::from_variables(|name| {
                (name == crate::data::locate::DATA_DIR).then(|| folder.as_os_str().to_owned())
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::small::{self, SmallFiles};
    use super::*;
    use crate::data::idx::write;

    fn load_small(small: &SmallFiles) -> Result<Dataset, (String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let search_path = small.write(folder.path());
        let entry = catalog::entry(DataName::Kmnist);
        let files = search_path.find(entry, "kmnist").unwrap();
        let (dataset, _) = read(entry, &files)
            .map_err(|e| (e.to_string(), folder.path().display().to_string()))?;
        Ok(dataset)
    }

    #[test]
    fn four_files_are_read_as_one_data_set() {
        let dataset = load_small(&SmallFiles::default()).unwrap();
        assert_eq!(
            (dataset.name, dataset.height, dataset.width),
            (DataName::Kmnist, 2, 3)
        );
        assert_eq!(
            (dataset.channels, dataset.classes, dataset.max_pixel),
            (1, 10, 255.0)
        );
        assert_eq!((dataset.features(), dataset.train.len()), (6, 20));
        assert_eq!(dataset.train.image(1, 6), [6, 7, 8, 9, 10, 11]);
        let test = dataset.test.as_ref().unwrap();
        assert_eq!(test.labels, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(test.image(0, 6)[0], 60);
    }

    #[test]
    fn unequal_image_and_label_counts_name_both_files() {
        let (message, folder) = load_small(&SmallFiles {
            test_labels: write::labels(&[1; 9]),
            ..SmallFiles::default()
        })
        .unwrap_err();
        assert_eq!(
            message,
            format!(
                "`{folder}/t10k-images-idx3-ubyte` holds 10 examples but \
                 `{folder}/t10k-labels-idx1-ubyte` holds 9 examples; \
                 download both files again and replace them"
            )
        );
    }

    #[test]
    fn unequal_image_sizes_are_rejected() {
        let (message, _) = load_small(&SmallFiles {
            test_images: write::images(10, 3, 2, &[0; 60]),
            ..SmallFiles::default()
        })
        .unwrap_err();
        assert!(message.contains("holds images of 2x3 but"), "{message}");
        assert!(message.contains("holds images of 3x2;"), "{message}");
    }

    #[test]
    fn damaged_file_is_named_with_its_defect() {
        let (message, folder) = load_small(&SmallFiles {
            test_labels: write::labels(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 200]),
            ..SmallFiles::default()
        })
        .unwrap_err();
        assert_eq!(
            message,
            format!(
                "cannot use `{folder}/t10k-labels-idx1-ubyte`: label 9 is 200; \
                 classes are 0 to 9; download the file again and replace it"
            )
        );
    }

    #[test]
    fn files_of_another_data_set_are_rejected() {
        let labels = small::mnist_labels();
        let (message, folder) = load_small(&SmallFiles {
            train_images: write::images(60_000, 2, 3, &[0; 360_000]),
            train_labels: write::labels(&labels),
            ..SmallFiles::default()
        })
        .unwrap_err();
        assert_eq!(
            message,
            format!(
                "`{folder}/train-labels-idx1-ubyte.gz` holds the labels of data set `mnist`, not of \
                 `kmnist`; put the files of `kmnist` into a folder named `kmnist` and set \
                 `ABLATE_DATA_DIR` to its parent folder"
            )
        );
    }
}
