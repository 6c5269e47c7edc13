//! The image files of a folder, by part and class.

use crate::recipe::DataName;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

/// Largest number of classes: labels are bytes.
const MOST_CLASSES: usize = 256;

/// Largest number of image files.
const MOST_FILES: usize = 4_000_000;

/// Endings of image files, in lower case.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Parts of a folder that has both.
const PARTS: [&str; 2] = ["train", "test"];

/// A folder of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) folder: PathBuf,
    /// Names of the classes, sorted.
    pub(super) classes: Vec<String>,
    /// The files in the order of part (training first), class and name.
    pub(super) files: Vec<ImageFile>,
    pub(super) has_test: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageFile {
    /// Path below the folder, with `/`.
    pub(super) path: String,
    pub(super) label: u8,
    pub(super) test: bool,
}

/// Name and path of every folder below `folders` that may hold images by class and whose name may be that
/// of a data set. The first of two folders of one name counts. Only their first levels are looked at.
pub(in crate::data) fn candidates(folders: &[PathBuf]) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for folder in folders {
        for name in subfolders(folder).unwrap_or_default() {
            let path = folder.join(&name);
            let is_new = found.iter().all(|(known, _)| *known != name);
            if is_new && DataName::is_key(&name) && looks_like_images(&path) {
                found.push((name, path));
            }
        }
    }
    found
}

/// Whether the first class of a folder begins with an image.
fn looks_like_images(folder: &Path) -> bool {
    let train = folder.join(PARTS[0]);
    let classes = if train.is_dir() {
        train
    } else {
        folder.to_owned()
    };
    let Some(first) = subfolders(&classes)
        .ok()
        .and_then(|all| all.into_iter().next())
    else {
        return false;
    };
    let Ok(entries) = fs::read_dir(classes.join(first)) else {
        return false;
    };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_str().is_some_and(is_image))
}

/// Whether a file is an image, by its name. Hidden ones are not.
pub fn is_image(name: &str) -> bool {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_lowercase());
    !name.starts_with('.') && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

impl Tree {
    /// Lists the images.
    ///
    /// # Errors
    /// If a folder cannot be read, or there are too few or too many classes or files.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let has_parts = folder.join(PARTS[0]).is_dir();
        let has_test = has_parts && folder.join(PARTS[1]).is_dir();
        let parts: &[&str] = match (has_parts, has_test) {
            (false, _) => &[""],
            (true, false) => &PARTS[..1],
            (true, true) => &PARTS,
        };
        let classes = subfolders(&folder.join(parts[0]))?;
        if !(2..=MOST_CLASSES).contains(&classes.len()) {
            return Err(format!(
                "`{}` has {} folders, one per class; 2 to {MOST_CLASSES} classes are possible",
                folder.join(parts[0]).display(),
                classes.len()
            ));
        }
        let mut files = Vec::new();
        for (part, name) in parts.iter().enumerate() {
            let path = folder.join(name);
            if let Some(other) = subfolders(&path)?
                .into_iter()
                .find(|c| !classes.contains(c))
            {
                return Err(format!(
                    "`{}` has the class `{other}`, which has no training images",
                    path.display()
                ));
            }
            for (label, class) in classes.iter().enumerate() {
                let below = if name.is_empty() {
                    class.clone()
                } else {
                    format!("{name}/{class}")
                };
                for image in images(&folder.join(&below))? {
                    files.push(ImageFile {
                        path: format!("{below}/{image}"),
                        label: u8::try_from(label).expect("there are at most 256 classes"),
                        test: part == 1,
                    });
                }
            }
        }
        if files.len() > MOST_FILES {
            let found = files.len();
            return Err(format!("it has {found} images; {MOST_FILES} are possible"));
        }
        Ok(Self {
            folder: folder.to_owned(),
            classes,
            files,
            has_test,
        })
    }
}

/// Names of the folders in `folder`, sorted; hidden ones are left out.
fn subfolders(folder: &Path) -> Result<Vec<String>, String> {
    names(folder, |entry, name| {
        !name.starts_with('.') && is(entry, fs::FileType::is_dir, Path::is_dir)
    })
}

/// Names of the image files in `folder`, sorted. A class without a folder has none.
fn images(folder: &Path) -> Result<Vec<String>, String> {
    match folder.is_dir() {
        true => names(folder, |entry, name| {
            is_image(name) && is(entry, fs::FileType::is_file, Path::is_file)
        }),
        false => Ok(Vec::new()),
    }
}

/// The kind of an entry, which most systems tell without another call unless it is a link.
fn is(entry: &DirEntry, kind: fn(&fs::FileType) -> bool, target: fn(&Path) -> bool) -> bool {
    match entry.file_type() {
        Ok(found) if found.is_symlink() => target(&entry.path()),
        Ok(found) => kind(&found),
        Err(_) => false,
    }
}

fn names(folder: &Path, wanted: impl Fn(&DirEntry, &str) -> bool) -> Result<Vec<String>, String> {
    let failed = |error| format!("cannot read the folder `{}`: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A name that is not UTF-8 could not be shown in an error.
        if let Some(name) = entry.file_name().to_str()
            && wanted(&entry, name)
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
