//! Data sets as they are found on this machine: loading by name, and whether the content is the one that
//! a spec asks for.

use super::catalog;
use super::cifar::{self, Format};
use super::content::FileHashes;
use super::dataset::{Dataset, read};
use super::digits::digits;
use super::error::DataError;
use super::hash_cache::{FileIdentity, HashCache};
use super::locate::{DataFiles, SearchPath};
use super::registered::{self, Reading};
use crate::recipe::{Content, DataConfig, DataName};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A data set that was read, with its files and hashes.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) dataset: Arc<Dataset>,
    /// The hash of each file.
    pub(super) hashes: FileHashes,
    /// The folder or archive; `None` if the data set is embedded or registered.
    pub(super) place: Option<PathBuf>,
    /// The files, if they are IDX files.
    files: Option<DataFiles>,
    /// Whether the training labels are the published ones, as far as these are known.
    labels_match: bool,
}

/// Returns the data set of `config`, which is read from disk once per process.
///
/// # Errors
/// If files are missing, damaged, or have another content than `config` asks for.
pub fn load(config: &DataConfig) -> Result<Arc<Dataset>, DataError> {
    registered::check_kind(config)?;
    let found = find(config.name, &Reading::of(config))?;
    found.check(&config.content)?;
    Ok(found.dataset)
}

/// The content hash of the data of `config` ([`FileHashes::content`]): the one that it names, or the
/// published one, or that of the files on this machine if any content is accepted or the published hash is
/// not known. `None` if such files are missing or damaged.
pub fn content_hash(config: &DataConfig) -> Option<String> {
    let published = catalog::entry_of(config).hashes();
    match (&config.content, published) {
        (Content::Exactly(hash), _) => Some(hash.clone()),
        (Content::Published, Some(hashes)) => Some(hashes.content()),
        (Content::Published, None) | (Content::Any, _) => {
            hashes(config).ok().map(|hashes| hashes.content())
        }
    }
}

/// `config` with the hash of the files on this machine in place of [`Content::Any`], so that they cannot be
/// exchanged unnoticed.
#[must_use]
pub fn with_content(config: &DataConfig) -> DataConfig {
    let mut config = config.clone();
    if let (Content::Any, Some(content)) = (&config.content, content_hash(&config)) {
        config.content = Content::Exactly(content);
    }
    config
}

/// The hashes of the data of `config` on this machine. Files whose hashes are cached are not read.
///
/// # Errors
/// If files are missing or damaged.
pub fn hashes(config: &DataConfig) -> Result<FileHashes, DataError> {
    let search_path = SearchPath::from_env();
    let entry = catalog::entry_of(config);
    if let Some(folder) = entry.folder
        && Format::of(config.name).is_none()
        && let Some(hashes) = cached(&search_path.find(entry, folder)?, &search_path)
    {
        return Ok(hashes);
    }
    Ok(find(config.name, &Reading::of(config))?.hashes)
}

/// The data set with the files that the environment names, read once per process.
fn find(name: DataName, reading: &Reading) -> Result<Found, DataError> {
    static FOUND: Mutex<Option<HashMap<(DataName, Reading), Found>>> = Mutex::new(None);
    // The lock is held while reading, so that several threads read the same files only once. A
    // poisoned lock is safe to use: the map is only changed after a successful read.
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let found = found.get_or_insert_default();
    let key = (name, reading.clone());
    if let Some(known) = found.get(&key) {
        return Ok(known.clone());
    }
    let new = find_in(name, reading, &SearchPath::from_env())?;
    found.insert(key, new.clone());
    Ok(new)
}

/// Reads the data set from the folders of `search_path`. Its content is not checked.
///
/// # Errors
/// If files are missing, damaged, or belong to another data set.
pub(super) fn find_in(
    name: DataName,
    reading: &Reading,
    search_path: &SearchPath,
) -> Result<Found, DataError> {
    let entry = catalog::entry_with(name, reading);
    let Some(folder) = entry.folder else {
        let (dataset, hashes) = match name {
            DataName::Registered(_) => registered::load(name, reading)?,
            _ => (digits(), digits().hashes()),
        };
        return Ok(Found {
            hashes,
            dataset,
            place: None,
            files: None,
            labels_match: true,
        });
    };
    if let Some(format) = Format::of(name) {
        let place = cifar::find(entry, format, search_path)?;
        let dataset = cifar::read(entry, format, &place)?;
        return Ok(Found {
            hashes: dataset.hashes(),
            place: Some(place.path().to_owned()),
            files: None,
            labels_match: entry.matches(&dataset.train.labels),
            dataset: Arc::new(dataset),
        });
    }
    let files = search_path.find(entry, folder)?;
    let before = identities(&files);
    let (dataset, labels_match) = read(entry, &files)?;
    // A file that changed while it was read may have either hash.
    let unchanged = before.filter(|before| identities(&files).as_ref() == Some(before));
    let cached = unchanged.as_ref().and(cached(&files, search_path));
    let hashes = cached.unwrap_or_else(|| {
        let hashes = dataset.hashes();
        if let Some(files) = unchanged {
            let known = hashes.files().map(|(_, hash)| hash.to_owned());
            HashCache::read(search_path.cache()).add(files.into_iter().zip(known));
        }
        hashes
    });
    Ok(Found {
        dataset: Arc::new(dataset),
        hashes,
        place: Some(files.folder.clone()),
        files: Some(files),
        labels_match,
    })
}

/// The identity of each file; `None` if the system does not give one.
fn identities(files: &DataFiles) -> Option<Vec<FileIdentity>> {
    files.paths().into_iter().map(FileIdentity::of).collect()
}

/// The cached hashes of the files; `None` unless all are known.
fn cached(files: &DataFiles, search_path: &SearchPath) -> Option<FileHashes> {
    let cache = HashCache::read(search_path.cache());
    let hashes = identities(files)?.into_iter().map(|file| {
        let hash = cache.get(&file)?;
        Some(hash.to_owned())
    });
    Some(FileHashes::new(hashes.collect::<Option<_>>()?))
}

impl Found {
    /// Checks that the content is the one that a spec asks for.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn check(&self, wanted: &Content) -> Result<(), DataError> {
        let found = self.hashes.content();
        match wanted {
            Content::Any => Ok(()),
            Content::Published => self.check_published(),
            Content::Exactly(hash) if *hash == found => Ok(()),
            Content::Exactly(hash) => Err(DataError::OtherContent {
                name: self.dataset.name.key(),
                place: match &self.place {
                    Some(place) => format!("`{}`", place.display()),
                    None => "this program".to_owned(),
                },
                found,
                wanted: hash.clone(),
            }),
        }
    }

    fn check_published(&self) -> Result<(), DataError> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        let entry = catalog::entry(self.dataset.name);
        let unpublished = |path: &std::path::Path, difference: String| DataError::Unpublished {
            path: path.to_owned(),
            title: entry.title,
            difference,
        };
        let Some(published) = entry.hashes() else {
            return match self.labels_match {
                true => Ok(()),
                false => Err(unpublished(
                    self.files
                        .as_ref()
                        .map_or(place, |files| &files.train_labels),
                    "the number of labels per class differs".to_owned(),
                )),
            };
        };
        let paths = self.files.iter().flat_map(DataFiles::paths);
        for (path, (found, published)) in paths.zip(self.hashes.files().zip(published.files())) {
            if found != published {
                let difference = format!(
                    "the SHA-256 of its {} is {}, published is {}",
                    found.0, found.1, published.1
                );
                return Err(unpublished(path, difference));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::small::SmallFiles;
    use super::super::idx::write;
    use super::super::locate::DATA_DIR;
    use super::*;
    use std::ffi::OsString;
    use std::fs::File;
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    fn found(small: &SmallFiles, name: DataName) -> (Found, String) {
        let folder = tempfile::tempdir().unwrap();
        let search_path = small.write(folder.path());
        let found = find_in(name, &Reading::default(), &search_path).unwrap();
        (found, folder.path().display().to_string())
    }

    fn config(content: Content) -> DataConfig {
        let config: DataConfig = serde_json::from_str(r#"{"name": "digits"}"#).unwrap();
        DataConfig { content, ..config }
    }

    #[test]
    fn other_content_is_rejected_and_the_file_named() {
        let (found, folder) = found(&SmallFiles::default(), DataName::Mnist);
        let message = found.check(&Content::Published).unwrap_err().to_string();
        let start = format!(
            "`{folder}/train-images-idx3-ubyte.gz` is not a file of MNIST as published: the SHA-256 of its \
             training images is {}, published is ba89",
            found.hashes.files().next().unwrap().1
        );
        assert!(message.starts_with(&start), "{message}");
        assert!(message.contains("`data.content = \"any\"`"), "{message}");
        found.check(&Content::Any).unwrap();
    }

    #[test]
    fn named_content_is_required() {
        let (found, folder) = found(&SmallFiles::default(), DataName::Mnist);
        let hash = found.hashes.content();
        found.check(&Content::Exactly(hash.clone())).unwrap();
        let wanted = "0".repeat(64);
        let error = found.check(&Content::Exactly(wanted.clone())).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&folder) && message.contains(&hash) && message.contains(&wanted));
    }

    #[test]
    fn without_published_hashes_the_class_counts_decide() {
        let (found, folder) = found(&SmallFiles::default(), DataName::Kmnist);
        let message = found.check(&Content::Published).unwrap_err().to_string();
        let start = format!(
            "`{folder}/train-labels-idx1-ubyte.gz` is not a file of Kuzushiji-MNIST as published: the number \
             of labels per class differs;"
        );
        assert!(message.starts_with(&start), "{message}");
        let published = Found {
            labels_match: true,
            ..found
        };
        published.check(&Content::Published).unwrap();
    }

    #[test]
    fn any_change_of_a_file_changes_the_content() {
        let (base, _) = found(&SmallFiles::default(), DataName::Mnist);
        let black = SmallFiles {
            train_images: write::images(20, 2, 3, &[0; 120]),
            ..SmallFiles::default()
        };
        let turned = SmallFiles {
            train_images: write::images(20, 3, 2, &(0..120).collect::<Vec<u8>>()),
            test_images: write::images(10, 3, 2, &(60..120).collect::<Vec<u8>>()),
            ..SmallFiles::default()
        };
        let relabelled = SmallFiles {
            test_labels: write::labels(&[9; 10]),
            ..SmallFiles::default()
        };
        for changed in [black, turned, relabelled] {
            let (changed, _) = found(&changed, DataName::Mnist);
            assert_ne!(changed.hashes.content(), base.hashes.content());
        }
        let plain = SmallFiles {
            train_images: write::images(20, 2, 3, &(0..120).collect::<Vec<u8>>()),
            ..SmallFiles::default()
        };
        let (plain, _) = found(&plain, DataName::Mnist);
        assert_eq!(plain.hashes, base.hashes, "compression does not count");
    }

    /// A search path of `folder` with a cache in `folder`, and files there that changed a minute ago.
    fn cached_files(folder: &Path) -> SearchPath {
        SmallFiles::default().write(folder);
        let then = SystemTime::now() - Duration::from_secs(60);
        for entry in folder.read_dir().unwrap().flatten() {
            let file = File::options().write(true).open(entry.path()).unwrap();
            file.set_modified(then).unwrap();
        }
        let folder = OsString::from(folder);
        SearchPath::from_variables(move |name| {
            [DATA_DIR, "XDG_CACHE_HOME"]
                .contains(&name)
                .then(|| folder.clone())
        })
    }

    #[test]
    fn hashes_are_computed_once() {
        let dir = tempfile::tempdir().unwrap();
        let search_path = cached_files(dir.path());
        let entry = catalog::entry(DataName::Mnist);
        let files = search_path.find(entry, "mnist").unwrap();
        assert_eq!(cached(&files, &search_path), None);
        let found = find_in(DataName::Mnist, &Reading::default(), &search_path).unwrap();
        assert_eq!(cached(&files, &search_path), Some(found.hashes.clone()));
        // A cached hash that does not fit shows that the second reading takes it from the cache.
        let path = dir.path().join("ablate/content-hashes.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, first) = found.hashes.files().next().unwrap();
        let other = "a".repeat(64);
        std::fs::write(&path, text.replace(first, &other)).unwrap();
        let again = find_in(DataName::Mnist, &Reading::default(), &search_path).unwrap();
        assert_eq!(again.hashes.files().next().unwrap().1, other);
        // A changed file is hashed again.
        let black = write::gzip(&write::images(20, 2, 3, &[0; 120]));
        std::fs::write(&files.train_images, black).unwrap();
        assert_eq!(cached(&files, &search_path), None);
        let black = find_in(DataName::Mnist, &Reading::default(), &search_path).unwrap();
        assert_ne!(black.hashes.content(), found.hashes.content());
    }

    #[test]
    fn embedded_digits_have_the_published_content() {
        let published = catalog::entry(DataName::Digits).hashes().unwrap();
        assert_eq!(hashes(&config(Content::Published)).unwrap(), published);
        assert_eq!(
            published.content(),
            content_hash(&config(Content::Published)).unwrap()
        );
        assert_eq!(
            content_hash(&config(Content::Any)),
            content_hash(&config(Content::Published))
        );
    }

    #[test]
    fn content_of_published_data_needs_no_files() {
        for (name, start) in [
            (DataName::Digits, "2c67d1bb39233fcb"),
            (DataName::Mnist, "ac89dbc26b7b0b5f"),
            (DataName::FashionMnist, "7b0688d0999122d6"),
        ] {
            let config = DataConfig {
                name,
                ..config(Content::Published)
            };
            // python3: sha256 of the hashes in the catalogue, one per line.
            assert!(
                content_hash(&config).unwrap().starts_with(start),
                "{name:?}"
            );
        }
    }

    #[test]
    fn accepted_content_becomes_the_one_found() {
        let published = content_hash(&config(Content::Published)).unwrap();
        let any = with_content(&config(Content::Any));
        assert_eq!(any.content, Content::Exactly(published));
        let config = config(Content::Published);
        assert_eq!(with_content(&config), config);
        load(&any).unwrap();
    }

    #[test]
    fn data_set_is_loaded_once() {
        let config = config(Content::Published);
        let first = load(&config).unwrap();
        assert!(Arc::ptr_eq(&first, &load(&config).unwrap()));
    }
}
