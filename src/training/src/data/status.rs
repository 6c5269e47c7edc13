//! Which data sets are available, and whether they match the published facts.

use super::catalog::{self, CatalogEntry};
use super::cifar;
use super::content::FileHashes;
use super::dataset::{Dataset, check_identity, read_file};
use super::error::DataError;
use super::examples::Examples;
use super::found::find_in;
use super::idx;
use super::locate::SearchPath;
use super::registered::{self, Reading};
use crate::recipe::{DataConfig, DataName};
use std::path::PathBuf;

/// Availability of a data set. For IDX files it is determined without reading the images: only the headers
/// of the image files and the training labels, which identify the data set, are read.
#[derive(Debug)]
pub struct DataStatus {
    /// Published facts.
    pub entry: &'static CatalogEntry,
    /// What was found, or which file is missing or damaged.
    pub found: Result<FoundDataset, DataError>,
}

/// A data set that is available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDataset {
    /// The folder that holds the files; `None` if the data set is embedded.
    pub folder: Option<PathBuf>,
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Training images.
    pub train: usize,
    /// Test images, if there is a test file.
    pub test: Option<usize>,
}

/// A published fact and the value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedFact {
    /// The quantity.
    pub what: String,
    /// The published value.
    pub published: String,
    /// The value that was found.
    pub found: String,
}

impl PublishedFact {
    /// True if the value that was found is the published one.
    pub fn holds(&self) -> bool {
        self.published == self.found
    }
}

/// A data set that was read, compared with its published facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedData {
    /// The facts.
    pub facts: Vec<PublishedFact>,
    /// The content hash of its files ([`FileHashes::content`]).
    pub content: String,
}

impl CheckedData {
    /// Whether every fact holds.
    pub fn holds(&self) -> bool {
        self.facts.iter().all(PublishedFact::holds)
    }
}

/// Looks for a data set in the folders that the environment names.
pub fn status(name: DataName) -> DataStatus {
    status_in(name, &SearchPath::from_env())
}

/// Looks for a data set in the folders of `search_path`.
pub fn status_in(name: DataName, search_path: &SearchPath) -> DataStatus {
    let entry = catalog::entry(name);
    let found = match entry.folder {
        None => Ok(FoundDataset {
            folder: None,
            height: entry.height,
            width: entry.width,
            train: entry.train_images(),
            test: entry.test_images(),
        }),
        Some(folder) => find(entry, folder, search_path),
    };
    DataStatus { entry, found }
}

fn find(
    entry: &'static CatalogEntry,
    folder: &str,
    search_path: &SearchPath,
) -> Result<FoundDataset, DataError> {
    if cifar::Format::of(entry.name).is_some() {
        let found = find_in(entry.name, &Reading::default(), search_path)?;
        let dataset = found.dataset;
        return Ok(FoundDataset {
            folder: found.place,
            height: dataset.height,
            width: dataset.width,
            train: dataset.train.len(),
            test: dataset.test.as_ref().map(Examples::len),
        });
    }
    let files = search_path.find(entry, folder)?;
    let train = read_file(&files.train_images, idx::read_image_header)?;
    let test = read_file(&files.test_images, idx::read_image_header)?;
    let labels = read_file(&files.train_labels, |source| {
        idx::read_labels(source, entry.classes())
    })?;
    check_identity(entry, &files, &labels)?;
    Ok(FoundDataset {
        folder: Some(files.folder),
        height: train.height,
        width: train.width,
        train: train.count,
        test: Some(test.count),
    })
}

/// Reads a whole data set from the folders that the environment names and compares it with the
/// published facts. Hashes are computed, not taken from the cache.
///
/// # Errors
/// If it cannot be loaded.
pub fn check(config: &DataConfig) -> Result<CheckedData, DataError> {
    registered::check_kind(config)?;
    check_in(config, &SearchPath::from_env())
}

/// Like [`check`], for the folders of `search_path`.
///
/// # Errors
/// If it cannot be loaded.
pub fn check_in(config: &DataConfig, search_path: &SearchPath) -> Result<CheckedData, DataError> {
    let reading = Reading::of(config);
    let dataset = find_in(config.name, &reading, search_path)?.dataset;
    let entry = catalog::entry_of(config);
    let hashes = dataset.hashes();
    let mut facts = facts(entry, &dataset);
    facts.extend(hash_facts(entry, &hashes));
    Ok(CheckedData {
        facts,
        content: hashes.content(),
    })
}

fn fact(what: impl Into<String>, published: String, found: String) -> PublishedFact {
    PublishedFact {
        what: what.into(),
        published,
        found,
    }
}

/// The hash of each file; empty if the published hashes are not known.
fn hash_facts(entry: &CatalogEntry, found: &FileHashes) -> Vec<PublishedFact> {
    let Some(published) = entry.hashes() else {
        return Vec::new();
    };
    let both = published.files().zip(found.files());
    both.map(|((what, published), (_, found))| {
        let what = format!("SHA-256 of the {what}");
        fact(what, published.to_owned(), found.to_owned())
    })
    .collect()
}

fn facts(entry: &CatalogEntry, dataset: &Dataset) -> Vec<PublishedFact> {
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
            "training images per class",
            listed(Some(entry.train)),
            listed(Some(&train)),
        ),
        fact(
            "test images per class",
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
    use super::super::dataset::small::{self, SmallFiles};
    use super::super::idx::write;
    use super::*;

    #[test]
    fn embedded_digits_match_the_published_facts() {
        let status = status_in(DataName::Digits, &SearchPath::default());
        let found = status.found.unwrap();
        assert_eq!((found.folder, found.train, found.test), (None, 1_797, None));
        let checked =
            check_in(&DataConfig::whole(DataName::Digits), &SearchPath::default()).unwrap();
        assert_eq!(checked.facts.len(), 10);
        assert!(checked.holds(), "{checked:?}");
        let published = catalog::entry(DataName::Digits).hashes().unwrap();
        assert_eq!(checked.content, published.content());
    }

    #[test]
    fn status_reads_no_images() {
        let folder = tempfile::tempdir().unwrap();
        let mut small = SmallFiles::default();
        small.test_images.truncate(16);
        let search_path = small.write(folder.path());
        let found = status_in(DataName::Mnist, &search_path).found.unwrap();
        assert_eq!(
            found,
            FoundDataset {
                folder: Some(folder.path().to_owned()),
                height: 2,
                width: 3,
                train: 20,
                test: Some(10),
            }
        );
        assert!(check_in(&DataConfig::whole(DataName::Mnist), &search_path).is_err());
    }

    #[test]
    fn missing_data_set_reports_an_error() {
        let status = status_in(DataName::Mnist, &SearchPath::default());
        assert!(matches!(status.found, Err(DataError::Missing { .. })));
        assert_eq!(status.entry.key(), "mnist");
    }

    #[test]
    fn files_of_another_data_set_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let search_path = SmallFiles {
            train_labels: write::labels(&small::mnist_labels()),
            ..SmallFiles::default()
        }
        .write(folder.path());
        assert!(status_in(DataName::Mnist, &search_path).found.is_ok());
        let error = status_in(DataName::FashionMnist, &search_path)
            .found
            .unwrap_err();
        assert!(matches!(error, DataError::WrongSet { found: "mnist", .. }));
    }

    #[test]
    fn check_lists_the_facts_that_differ() {
        let folder = tempfile::tempdir().unwrap();
        let search_path = SmallFiles::default().write(folder.path());
        let checked = check_in(&DataConfig::whole(DataName::Mnist), &search_path).unwrap();
        let fails: Vec<_> = checked.facts.iter().filter(|f| !f.holds()).collect();
        let whats: Vec<_> = fails.iter().map(|fact| fact.what.as_str()).collect();
        assert_eq!(
            whats,
            [
                "image size",
                "training images",
                "test images",
                "training images per class",
                "test images per class",
                "first training labels",
                "last training labels",
                "SHA-256 of the training images",
                "SHA-256 of the training labels",
                "SHA-256 of the test images",
                "SHA-256 of the test labels"
            ]
        );
        assert_eq!(fails[0].published, "28x28");
        assert_eq!(fails[0].found, "2x3");
        assert_eq!(fails[4].found, "1 1 1 1 1 1 1 1 1 1");
    }
}
