//! Where the files of a data set are looked for.
//!
//! First `$ABLATE_DATA_DIR/<folder>/`, then `$ABLATE_DATA_DIR` itself, then
//! `$XDG_DATA_HOME/ablate/<folder>/`, then `$XDG_CACHE_HOME/ablate/<folder>/` (`~/.cache` where the
//! variable is unset). The first folder that holds any of the four files is the data set's folder.

use super::catalog::CatalogEntry;
use super::error::{DataError, quoted};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variable that names the folder of data sets.
pub const DATA_DIR: &str = "ABLATE_DATA_DIR";

/// Names of the four files, each with or without `.gz`.
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The folders in which data sets are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPath {
    /// `$ABLATE_DATA_DIR`.
    own: Option<PathBuf>,
    /// The `ablate` folders of the XDG base directories.
    shared: Vec<PathBuf>,
}

/// The four files of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFiles {
    /// The folder that holds them.
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
    /// The places that the environment names.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// The places that the given variables name. An empty variable counts as unset, and so does a
    /// relative path in an XDG variable (XDG Base Directory Specification 0.8).
    pub fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name| get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let absolute = |name| path(name).filter(|p| p.is_absolute());
        let cache =
            absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        Self {
            own: path(DATA_DIR),
            shared: absolute("XDG_DATA_HOME")
                .into_iter()
                .chain(cache)
                .map(|base| base.join("ablate"))
                .collect(),
        }
    }

    /// Finds the files of a data set.
    ///
    /// # Errors
    /// If a file is missing; the error says which file to put where.
    pub(crate) fn find(&self, entry: &CatalogEntry, folder: &str) -> Result<DataFiles, DataError> {
        let own = self.own.iter();
        let candidates: Vec<PathBuf> = (own.clone().map(|dir| dir.join(folder)))
            .chain(own.cloned())
            .chain(self.shared.iter().map(|dir| dir.join(folder)))
            .collect();
        let held = candidates
            .iter()
            .find(|dir| FILES.iter().any(|file| present(dir, file).is_some()));
        let Some(held) = held else {
            return Err(DataError::Missing {
                name: entry.key,
                files: FILES.map(str::to_owned).to_vec(),
                advice: self.advice(folder),
                looked_in: candidates,
            });
        };
        let [train_images, train_labels, test_images, test_labels] =
            FILES.map(|file| present(held, file).ok_or(file));
        match (train_images, train_labels, test_images, test_labels) {
            (Ok(train_images), Ok(train_labels), Ok(test_images), Ok(test_labels)) => {
                Ok(DataFiles {
                    folder: held.clone(),
                    train_images,
                    train_labels,
                    test_images,
                    test_labels,
                })
            }
            (a, b, c, d) => Err(DataError::Missing {
                name: entry.key,
                files: [a, b, c, d]
                    .into_iter()
                    .filter_map(Result::err)
                    .map(str::to_owned)
                    .collect(),
                looked_in: vec![held.clone()],
                advice: "put it beside the files that are there, plain or with `.gz`".into(),
            }),
        }
    }

    /// What to put where, when nothing was found.
    fn advice(&self, folder: &str) -> String {
        let set = format!("set `{DATA_DIR}` to the folder that holds the folder `{folder}`");
        match self.own.iter().chain(&self.shared).next() {
            None => set,
            Some(base) => {
                let target = base.join(folder);
                format!(
                    "put them into {}, plain or with `.gz`, or {set}",
                    quoted([target.display()].into_iter())
                )
            }
        }
    }
}

/// The file of this name in the folder, plain or with `.gz`.
fn present(folder: &Path, file: &str) -> Option<PathBuf> {
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
    fn folders_are_searched_in_the_documented_order() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let (own, data, cache, home) = (at("own"), at("data"), at("cache"), at("home"));
        let all = search_path(&[
            (DATA_DIR, &own),
            ("XDG_DATA_HOME", &data),
            ("XDG_CACHE_HOME", &cache),
            ("HOME", &home),
        ]);
        let without_xdg = search_path(&[(DATA_DIR, &own), ("HOME", &home)]);
        // From the last place to the first, so that each new one takes over.
        let in_home = home.join(".cache/ablate/fashion-mnist");
        fill(&in_home, "");
        assert!(find(&all).is_err(), "XDG_CACHE_HOME replaces ~/.cache");
        assert_eq!(find(&without_xdg).unwrap().folder, in_home);
        for folder in [
            cache.join("ablate/fashion-mnist"),
            data.join("ablate/fashion-mnist"),
            own.clone(),
            own.join("fashion-mnist"),
        ] {
            fill(&folder, "");
            assert_eq!(find(&all).unwrap().folder, folder);
        }
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
    fn the_error_says_which_file_to_put_where_and_which_variable_to_set() {
        let own = Path::new("/nowhere");
        let message = find(&search_path(&[(DATA_DIR, own)]))
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "cannot find `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, \
             `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte` of `fashion_mnist` in \
             `/nowhere/fashion-mnist`, `/nowhere`; put them into `/nowhere/fashion-mnist`, plain \
             or with `.gz`, or set `ABLATE_DATA_DIR` to the folder that holds the folder \
             `fashion-mnist`"
        );
        let nowhere = find(&SearchPath::default()).unwrap_err().to_string();
        assert!(
            nowhere.ends_with(
                "in no folder at all; set `ABLATE_DATA_DIR` to the folder that \
                 holds the folder `fashion-mnist`"
            ),
            "{nowhere}"
        );
    }

    #[test]
    fn a_folder_that_lacks_one_file_is_named_with_that_file() {
        let root = tempfile::tempdir().unwrap();
        fill(root.path(), "");
        std::fs::remove_file(root.path().join("t10k-images-idx3-ubyte")).unwrap();
        let message = find(&search_path(&[(DATA_DIR, root.path())]))
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            format!(
                "cannot find `t10k-images-idx3-ubyte` of `fashion_mnist` in `{}`; \
                 put it beside the files that are there, plain or with `.gz`",
                root.path().display()
            )
        );
    }

    #[test]
    fn empty_variables_and_relative_xdg_paths_count_as_unset() {
        let relative = Path::new("some/cache");
        let empty = Path::new("");
        let found = search_path(&[
            (DATA_DIR, empty),
            ("XDG_DATA_HOME", relative),
            ("XDG_CACHE_HOME", relative),
            ("HOME", Path::new("/h")),
        ]);
        assert_eq!(found, search_path(&[("HOME", Path::new("/h"))]));
        assert_eq!(found.shared, [PathBuf::from("/h/.cache/ablate")]);
    }
}
