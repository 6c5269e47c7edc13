//! What is there of each data set, and whether it is what was published.

use super::catalog::{self, Entry};
use super::dataset::{Dataset, identify, load_from, read_file};
use super::error::DataError;
use super::idx;
use super::locate::Places;
use crate::recipe::DataName;
use std::path::PathBuf;

/// What is known of a data set without reading its images: the headers of their files, and the
/// training labels, which tell the data sets apart.
#[derive(Debug)]
pub struct DataStatus {
    /// Its published facts.
    pub entry: &'static Entry,
    /// What was found, or what is missing or damaged.
    pub found: Result<Found, DataError>,
}

/// A data set that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The folder that holds its files; `None` where it is embedded.
    pub folder: Option<PathBuf>,
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Training images.
    pub train: usize,
    /// Test images, where there is a test file.
    pub test: Option<usize>,
}

/// One published fact beside what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub what: &'static str,
    /// As published.
    pub published: String,
    /// As found.
    pub found: String,
}

impl Fact {
    /// Whether the data are as published.
    pub fn holds(&self) -> bool {
        self.published == self.found
    }
}

/// What is there of a data set, in the places that the environment names.
pub fn status(name: DataName) -> DataStatus {
    status_in(name, &Places::from_env())
}

/// What is there of a data set, in the given places.
pub fn status_in(name: DataName, places: &Places) -> DataStatus {
    let entry = catalog::entry(name);
    let found = match entry.folder {
        None => Ok(Found {
            folder: None,
            height: entry.height,
            width: entry.width,
            train: entry.train.iter().sum(),
            test: entry.test.map(|counts| counts.iter().sum()),
        }),
        Some(folder) => find(entry, folder, places),
    };
    DataStatus { entry, found }
}

fn find(entry: &'static Entry, folder: &str, places: &Places) -> Result<Found, DataError> {
    let files = places.find(entry, folder)?;
    let train = read_file(&files.train_images, idx::read_image_header)?;
    let test = read_file(&files.test_images, idx::read_image_header)?;
    let labels = read_file(&files.train_labels, |source| {
        idx::read_labels(source, entry.classes())
    })?;
    identify(entry, &files, &labels)?;
    Ok(Found {
        folder: Some(files.folder),
        height: train.height,
        width: train.width,
        train: train.count,
        test: Some(test.count),
    })
}

/// Reads all of a data set, in the places that the environment names, and lays it beside the
/// published facts.
///
/// # Errors
/// If it cannot be loaded.
pub fn check(name: DataName) -> Result<Vec<Fact>, DataError> {
    check_in(name, &Places::from_env())
}

/// As [`check`], in the given places.
///
/// # Errors
/// If it cannot be loaded.
pub fn check_in(name: DataName, places: &Places) -> Result<Vec<Fact>, DataError> {
    Ok(facts(catalog::entry(name), &*load_from(name, places)?))
}

fn facts(entry: &Entry, dataset: &Dataset) -> Vec<Fact> {
    let fact = |what, published: String, found: String| Fact {
        what,
        published,
        found,
    };
    let size = |height, width| format!("{height}x{width}");
    let counts = |labels| catalog::class_counts(labels, dataset.classes);
    let train = counts(&dataset.train.labels);
    let test = dataset.test.as_ref().map(|test| counts(&test.labels));
    let total = |counts: Option<&[usize]>| match counts {
        Some(counts) => counts.iter().sum::<usize>().to_string(),
        None => "none".into(),
    };
    let listed = |counts: Option<&[usize]>| match counts {
        Some(counts) => counts
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        None => "none".into(),
    };
    let mut facts = vec![
        fact(
            "image size",
            size(entry.height, entry.width),
            size(dataset.height, dataset.width),
        ),
        fact(
            "classes",
            entry.classes().to_string(),
            train.iter().filter(|&&n| n > 0).count().to_string(),
        ),
        fact(
            "training images",
            total(Some(entry.train)),
            total(Some(&train)),
        ),
        fact("test images", total(entry.test), total(test.as_deref())),
        fact(
            "training images of each class",
            listed(Some(entry.train)),
            listed(Some(&train)),
        ),
        fact(
            "test images of each class",
            listed(entry.test),
            listed(test.as_deref()),
        ),
    ];
    if let Some((first, last)) = entry.ends {
        let labels = &dataset.train.labels;
        let (n, found) = (labels.len(), |part: &[u8]| format!("{part:?}"));
        facts.push(fact(
            "first training labels",
            found(&first),
            found(&labels[..n.min(first.len())]),
        ));
        facts.push(fact(
            "last training labels",
            found(&last),
            found(&labels[n.saturating_sub(last.len())..]),
        ));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::super::dataset::small::{self, Small};
    use super::super::idx::write;
    use super::*;

    #[test]
    fn the_digits_are_embedded_and_as_published() {
        let status = status_in(DataName::Digits, &Places::default());
        let found = status.found.unwrap();
        assert_eq!((found.folder, found.train, found.test), (None, 1_797, None));
        let facts = check_in(DataName::Digits, &Places::default()).unwrap();
        assert_eq!(facts.len(), 8);
        assert!(facts.iter().all(Fact::holds), "{facts:?}");
    }

    #[test]
    fn status_reads_no_images() {
        let folder = tempfile::tempdir().unwrap();
        let mut small = Small::default();
        small.test_images.truncate(16);
        let places = small.write(folder.path());
        let found = status_in(DataName::Mnist, &places).found.unwrap();
        assert_eq!(
            found,
            Found {
                folder: Some(folder.path().to_owned()),
                height: 2,
                width: 3,
                train: 20,
                test: Some(10),
            }
        );
        assert!(check_in(DataName::Mnist, &places).is_err());
    }

    #[test]
    fn a_missing_data_set_has_its_error_as_status() {
        let status = status_in(DataName::Mnist, &Places::default());
        assert!(matches!(status.found, Err(DataError::Missing { .. })));
        assert_eq!(status.entry.key, "mnist");
    }

    #[test]
    fn one_folder_is_not_listed_under_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let places = Small {
            train_labels: write::labels(&small::mnist_labels()),
            ..Small::default()
        }
        .write(folder.path());
        assert!(status_in(DataName::Mnist, &places).found.is_ok());
        let error = status_in(DataName::FashionMnist, &places)
            .found
            .unwrap_err();
        assert!(matches!(error, DataError::WrongSet { found: "mnist", .. }));
    }

    #[test]
    fn check_says_what_differs_from_the_published_set() {
        let folder = tempfile::tempdir().unwrap();
        let places = Small::default().write(folder.path());
        let facts = check_in(DataName::Mnist, &places).unwrap();
        let fails: Vec<_> = facts.iter().filter(|f| !f.holds()).collect();
        let whats: Vec<_> = fails.iter().map(|fact| fact.what).collect();
        assert_eq!(
            whats,
            [
                "image size",
                "training images",
                "test images",
                "training images of each class",
                "test images of each class",
                "first training labels",
                "last training labels"
            ]
        );
        assert_eq!(fails[0].published, "28x28");
        assert_eq!(fails[0].found, "2x3");
        assert_eq!(fails[4].found, "1 1 1 1 1 1 1 1 1 1");
    }
}
