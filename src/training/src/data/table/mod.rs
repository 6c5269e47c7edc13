//! CSV files as data sets.
//!
//! A file `NAME.csv` in one of the [folders that are searched](super::locate) is the data set `NAME`, and so
//! is a folder `NAME` with `train.csv` and, if there is a test part, `test.csv`. Without a test part, seeds
//! test on folds. The first line names the columns. One column holds the class of each row; the others hold
//! numbers.

mod records;
mod rows;

use super::examples::{Examples, Values};
use super::registered::{Images, Loading, Reading};
use crate::recipe::DataName;
use rows::{Rows, read};
use std::fs;
use std::path::{Path, PathBuf};

/// Column with the class, unless `data.label` names another.
const LABEL: &str = "label";

/// Largest number of classes: labels are bytes.
const MOST_CLASSES: usize = 256;

const TRAIN: &str = "train.csv";
const TEST: &str = "test.csv";
const ENDING: &str = "csv";

/// The files of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableFiles {
    pub(super) train: PathBuf,
    pub(super) test: Option<PathBuf>,
}

impl TableFiles {
    /// The file or folder that people see as the data set.
    pub(super) fn place(&self) -> &Path {
        match self.train.file_name() {
            Some(name) if name == TRAIN => self.train.parent().unwrap_or(&self.train),
            _ => &self.train,
        }
    }
}

/// Name and files of every table in `folders` whose name may be that of a data set. The first of two of one
/// name counts; in one folder, a folder counts before a file.
pub(super) fn candidates(folders: &[PathBuf]) -> Vec<(String, TableFiles)> {
    let mut found: Vec<(String, TableFiles)> = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        // `NAME` sorts before `NAME.csv`.
        paths.sort_unstable();
        for path in paths {
            let Some((name, files)) = files_of(&path) else {
                continue;
            };
            if DataName::is_key(name) && found.iter().all(|(known, _)| known != name) {
                found.push((name.to_owned(), files));
            }
        }
    }
    found
}

/// Name and files of the table that is `path`.
fn files_of(path: &Path) -> Option<(&str, TableFiles)> {
    let name = path.file_name()?.to_str()?;
    if let Some((stem, ENDING)) = name.rsplit_once('.') {
        let files = || TableFiles {
            train: path.to_owned(),
            test: None,
        };
        return path.is_file().then(|| (stem, files()));
    }
    let (train, test) = (path.join(TRAIN), path.join(TEST));
    let files = || TableFiles {
        test: test.is_file().then_some(test),
        train: train.clone(),
    };
    train.is_file().then(|| (name, files()))
}

/// Reads a table.
///
/// # Errors
/// If a file cannot be read, a value is no finite number, or the parts do not fit each other.
pub(super) fn load(files: &TableFiles, reading: &Reading) -> Result<Loading, String> {
    let label = reading.label.as_deref().unwrap_or(LABEL);
    let train = read(&files.train, label)?;
    let test = files.test.as_ref().map(|path| read(path, label));
    let test = test.transpose()?;
    if let (Some(test), Some(path)) = (&test, &files.test) {
        same_columns(path, &train.columns, &test.columns)?;
    }
    let features = train.columns.len();
    let shape = reading.shape.unwrap_or([1, features, 1]);
    if shape.iter().product::<usize>() != features {
        let [height, width, channels] = shape;
        return Err(format!(
            "`data.shape` is {height} x {width} x {channels}, but `{}` has {features} columns beside \
             `{label}`",
            files.train.display()
        ));
    }
    let classes = classes(&train);
    let labels = |rows: &Rows, path: &Path| labels(rows, &classes, path, label);
    let train_labels = labels(&train, &files.train)?;
    let test_labels = match (&test, &files.test) {
        (Some(test), Some(path)) => Some(labels(test, path)?),
        _ => None,
    };
    // Whole numbers that are given the shape of an image are its pixels.
    let parts = || [Some(&train), test.as_ref()].into_iter().flatten();
    let as_bytes = reading.shape.is_some() && parts().all(|rows| rows.values.iter().all(is_byte));
    let examples = |values: Vec<f32>, labels| Examples {
        values: match as_bytes {
            true => Values::Bytes(values.into_iter().map(|value| value as u8).collect()),
            false => Values::Numbers(values),
        },
        labels,
    };
    let test = test.zip(test_labels);
    Ok(Loading {
        images: Images {
            shape,
            classes: classes.len(),
            max_pixel: if as_bytes { u8::MAX } else { 1 },
            train: examples(train.values, train_labels),
            test: test.map(|(rows, labels)| examples(rows.values, labels)),
        },
        class_names: classes,
    })
}

fn is_byte(value: &f32) -> bool {
    value.fract() == 0.0 && (0.0..=255.0).contains(value)
}

fn same_columns(path: &Path, train: &[String], test: &[String]) -> Result<(), String> {
    let differs = train.iter().zip(test).position(|(a, b)| a != b);
    match differs {
        None if train.len() == test.len() => Ok(()),
        Some(at) => Err(format!(
            "`{}` has the column `{}` where `{TRAIN}` has `{}`; both must have the same columns in one order",
            path.display(),
            test[at],
            train[at]
        )),
        None => Err(format!(
            "`{}` has {} columns of numbers, but `{TRAIN}` has {}",
            path.display(),
            test.len(),
            train.len()
        )),
    }
}

/// Names of the classes, in numerical order if they are whole numbers, else in that of the alphabet.
fn classes(train: &Rows) -> Vec<String> {
    let mut names = train.classes.clone();
    names.sort_unstable();
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    if numbers.is_some() {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or_default());
    }
    names
}

/// The label of each row: the place of its class among `classes`.
fn labels(rows: &Rows, classes: &[String], path: &Path, label: &str) -> Result<Vec<u8>, String> {
    if !(2..=MOST_CLASSES).contains(&classes.len()) {
        return Err(format!(
            "`{}` has {} classes in the column `{label}`; 2 to {MOST_CLASSES} are possible",
            path.display(),
            classes.len()
        ));
    }
    let places: Option<Vec<u8>> = (rows.classes.iter())
        .map(|class| classes.iter().position(|known| known == class))
        .map(|place| u8::try_from(place?).ok())
        .collect();
    let Some(places) = places else {
        let new = rows.classes.iter().find(|class| !classes.contains(class));
        return Err(format!(
            "`{}` has the class `{}`, which no row of `{TRAIN}` has",
            path.display(),
            new.map_or("", String::as_str)
        ));
    };
    Ok(rows.labels.iter().map(|&class| places[class]).collect())
}

#[cfg(test)]
mod tests;
