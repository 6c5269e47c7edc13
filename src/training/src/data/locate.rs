//! Search path for the files of a data set.
//!
//! Folders are searched in this order: `$ABLATE_DATA_DIR/<folder>/`, `$ABLATE_DATA_DIR`,
//! `$XDG_DATA_HOME/ablate/<folder>/`, `$XDG_CACHE_HOME/ablate/<folder>/` (`~/.cache` if the
//! variable is unset), and `/usr/share/datasets/<folder>/`, where Debian's packages of data sets are. The
//! first folder that holds any of the four files must hold all of them.

use super::catalog::CatalogEntry;
use super::error::{DataError, quoted};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Environment variable that names the folder of data sets.
pub const DATA_DIR: &str = "ABLATE_DATA_DIR";

/// Folder of the data sets that Debian's packages install.
const SYSTEM: &str = "/usr/share/datasets";

/// Names of the four files; `.gz` may follow each.
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Folders that are searched for data sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPath {
    /// `$ABLATE_DATA_DIR`.
    data_dir: Option<PathBuf>,
    /// The `ablate` folders in the XDG base directories.
    xdg_folders: Vec<PathBuf>,
    /// The folder of the system's data sets.
    system: Option<PathBuf>,
    /// The `ablate` folder in the user's cache.
    cache: Option<PathBuf>,
}

/// Paths of the four files of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFiles {
    /// The folder that holds the files.
    pub folder: PathBuf,
    /// Training images.
    pub train_images: PathBuf,
    /// Training labels.
    pub train_labels: PathBuf,
    /// Test images.
    pub test_images: PathBuf,
    /// Test labels.
    pub test_labels: PathBuf,
}

impl SearchPath {
    /// Reads the search path from the environment.
    pub fn from_env() -> Self {
        Self {
            system: Some(SYSTEM.into()),
            ..Self::from_variables(|name| std::env::var_os(name))
        }
    }

    /// Reads the search path from the variables that `get` returns, without the system's folder. Empty
    /// variables are ignored, and so are relative paths in XDG variables (XDG Base Directory Specification
    /// 0.8).
    pub fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name| get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let absolute = |name| path(name).filter(|p| p.is_absolute());
        let cache =
            absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        let cache = cache.map(|base| base.join("ablate"));
        Self {
            data_dir: path(DATA_DIR),
            xdg_folders: absolute("XDG_DATA_HOME")
                .map(|base| base.join("ablate"))
                .into_iter()
                .chain(cache.clone())
                .collect(),
            system: None,
            cache,
        }
    }

    /// The folders that hold those of the data sets, in the order of the search.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let folders = self.data_dir.iter().chain(&self.xdg_folders);
        folders.chain(&self.system).cloned().collect()
    }

    /// The folder into which data sets of the user's own belong, if there is one.
    pub fn first(&self) -> Option<&Path> {
        let mut folders = self.data_dir.iter().chain(&self.xdg_folders);
        folders.next().map(PathBuf::as_path)
    }

    /// The folder for the program's own cache, if there is one.
    pub(super) fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// Finds the files of a data set.
    ///
    /// # Errors
    /// If a file is missing; the error says where to put it.
    pub(crate) fn find(&self, entry: &CatalogEntry, folder: &str) -> Result<DataFiles, DataError> {
        let data_dir = self.data_dir.iter();
        let candidates: Vec<PathBuf> = (data_dir.clone().map(|dir| dir.join(folder)))
            .chain(data_dir.cloned())
            .chain(self.xdg_folders.iter().map(|dir| dir.join(folder)))
            .chain(self.system.iter().map(|dir| dir.join(folder)))
            .collect();
        let complete = candidates
            .iter()
            .find(|dir| FILES.iter().any(|file| existing_file(dir, file).is_some()));
        let Some(complete) = complete else {
            return Err(DataError::Missing {
                name: entry.key(),
                files: FILES.map(str::to_owned).to_vec(),
                advice: self.advice(entry, folder),
                looked_in: candidates,
            });
        };
        let [train_images, train_labels, test_images, test_labels] =
            FILES.map(|file| existing_file(complete, file).ok_or(file));
        match (train_images, train_labels, test_images, test_labels) {
            (Ok(train_images), Ok(train_labels), Ok(test_images), Ok(test_labels)) => {
                Ok(DataFiles {
                    folder: complete.clone(),
                    train_images,
                    train_labels,
                    test_images,
                    test_labels,
                })
            }
            (a, b, c, d) => Err(DataError::Missing {
                name: entry.key(),
                files: [a, b, c, d]
                    .into_iter()
                    .filter_map(Result::err)
                    .map(str::to_owned)
                    .collect(),
                looked_in: vec![complete.clone()],
                advice: "put them into that folder, plain or with `.gz`".into(),
            }),
        }
    }

    /// Advice for the case that no file was found.
    fn advice(&self, entry: &CatalogEntry, folder: &str) -> String {
        let set = format!("set `{DATA_DIR}` to the parent folder of `{folder}`");
        let advice = match self.first() {
            None => set,
            Some(base) => {
                let target = base.join(folder);
                format!(
                    "put them into {}, plain or with `.gz`, or {set}",
                    quoted([target.display()].into_iter())
                )
            }
        };
        match (entry.package, &self.system) {
            (Some(package), Some(_)) => {
                format!("{advice}, or install Debian's package `{package}`")
            }
            _ => advice,
        }
    }
}

impl DataFiles {
    /// The files in the order of [`super::content::FILES`].
    pub(super) fn paths(&self) -> [&Path; 4] {
        [
            &self.train_images,
            &self.train_labels,
            &self.test_images,
            &self.test_labels,
        ]
    }
}

/// Path of the file in the folder, with or without `.gz`.
fn existing_file(folder: &Path, file: &str) -> Option<PathBuf> {
    [folder.join(file), folder.join(format!("{file}.gz"))]
        .into_iter()
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::super::catalog;
    use super::*;
    use crate::recipe::DataName;

    fn search_path(variables: &[(&str, &Path)]) -> SearchPath {
        SearchPath::from_variables(|name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.as_os_str().to_owned())
        })
    }

    fn find(search_path: &SearchPath) -> Result<DataFiles, DataError> {
        let entry = catalog::entry(DataName::FashionMnist);
        search_path.find(entry, entry.folder.unwrap())
    }

    fn fill(folder: &Path, suffix: &str) {
        std::fs::create_dir_all(folder).unwrap();
        for file in FILES {
            std::fs::write(folder.join(format!("{file}{suffix}")), "").unwrap();
        }
    }

    #[test]
    fn folders_are_searched_in_documented_order() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let (data_dir, data, cache, home) = (at("data_dir"), at("data"), at("cache"), at("home"));
        let all = search_path(&[
            (DATA_DIR, &data_dir),
            ("XDG_DATA_HOME", &data),
            ("XDG_CACHE_HOME", &cache),
            ("HOME", &home),
        ]);
        let without_xdg = search_path(&[(DATA_DIR, &data_dir), ("HOME", &home)]);
        // From the last folder of the search path to the first, so that each new folder takes
        // precedence.
        let in_home = home.join(".cache/ablate/fashion-mnist");
        fill(&in_home, "");
        assert!(find(&all).is_err(), "XDG_CACHE_HOME replaces ~/.cache");
        assert_eq!(find(&without_xdg).unwrap().folder, in_home);
        let system = SearchPath {
            system: Some(at("system")),
            ..all.clone()
        };
        let in_system = at("system/fashion-mnist");
        fill(&in_system, ".gz");
        assert_eq!(find(&system).unwrap().folder, in_system);
        for folder in [
            cache.join("ablate/fashion-mnist"),
            data.join("ablate/fashion-mnist"),
            data_dir.clone(),
            data_dir.join("fashion-mnist"),
        ] {
            fill(&folder, "");
            assert_eq!(find(&all).unwrap().folder, folder);
            assert_eq!(find(&system).unwrap().folder, folder);
        }
    }

    #[test]
    fn missing_files_error_names_the_package() {
        let system = SearchPath {
            system: Some("/nowhere".into()),
            ..SearchPath::default()
        };
        let message = find(&system).unwrap_err().to_string();
        assert!(
            message.contains("searched `/nowhere/fashion-mnist`;"),
            "{message}"
        );
        assert!(
            message.ends_with("or install Debian's package `dataset-fashion-mnist`"),
            "{message}"
        );
    }

    #[test]
    fn files_are_found_with_and_without_gz() {
        let root = tempfile::tempdir().unwrap();
        fill(root.path(), ".gz");
        let plain = root.path().join("t10k-labels-idx1-ubyte");
        std::fs::write(&plain, "").unwrap();
        let files = find(&search_path(&[(DATA_DIR, root.path())])).unwrap();
        assert_eq!(files.test_labels, plain);
        assert_eq!(
            files.train_images,
            root.path().join("train-images-idx3-ubyte.gz")
        );
    }

    #[test]
    fn missing_files_error_names_folder_and_variable() {
        let data_dir = Path::new("/nowhere");
        let message = find(&search_path(&[(DATA_DIR, data_dir)]))
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "cannot find `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, \
             `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte` of data set `fashion_mnist`; searched \
             `/nowhere/fashion-mnist`, `/nowhere`; put them into `/nowhere/fashion-mnist`, plain \
             or with `.gz`, or set `ABLATE_DATA_DIR` to the parent folder of `fashion-mnist`"
        );
        let nowhere = find(&SearchPath::default()).unwrap_err().to_string();
        assert!(
            nowhere.ends_with(
                "searched no folders; set `ABLATE_DATA_DIR` to the parent folder of \
                 `fashion-mnist`"
            ),
            "{nowhere}"
        );
    }

    #[test]
    fn incomplete_folder_names_the_missing_file() {
        let root = tempfile::tempdir().unwrap();
        fill(root.path(), "");
        std::fs::remove_file(root.path().join("t10k-images-idx3-ubyte")).unwrap();
        let message = find(&search_path(&[(DATA_DIR, root.path())]))
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            format!(
                "cannot find `t10k-images-idx3-ubyte` of data set `fashion_mnist`; searched `{}`; \
                 put them into that folder, plain or with `.gz`",
                root.path().display()
            )
        );
    }

    #[test]
    fn empty_and_relative_variables_are_ignored() {
        let relative = Path::new("some/cache");
        let empty = Path::new("");
        let found = search_path(&[
            (DATA_DIR, empty),
            ("XDG_DATA_HOME", relative),
            ("XDG_CACHE_HOME", relative),
            ("HOME", Path::new("/h")),
        ]);
        assert_eq!(found, search_path(&[("HOME", Path::new("/h"))]));
        assert_eq!(found.xdg_folders, [PathBuf::from("/h/.cache/ablate")]);
        assert_eq!(found.cache(), Some(Path::new("/h/.cache/ablate")));
        assert_eq!(SearchPath::from_variables(|_| None).cache(), None);
        assert_eq!(SearchPath::from_env().system, Some(SYSTEM.into()));
    }
}
