//! CIFAR-10 and CIFAR-100 in their binary form, as a folder or as the published archive.
//!
//! A file is a row of records. A record has one label byte (CIFAR-10) or a coarse and a fine label byte
//! (CIFAR-100, of which the fine one counts), then 32x32 red bytes, as many green and as many blue ones, row by
//! row. Krizhevsky describes the format beside the files, <https://www.cs.toronto.edu/~kriz/cifar.html>.
//!
//! Sizes are not trusted: memory grows with the bytes that are actually read, up to [`MAX_BYTES`] per file.

use super::catalog::CatalogEntry;
use super::dataset::Dataset;
use super::error::{DataError, quoted};
use super::examples::Examples;
use super::locate::{DATA_DIR, SearchPath};
use crate::recipe::DataName;
use flate2::read::MultiGzDecoder;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Largest number of bytes per file.
const MAX_BYTES: u64 = 256 << 20;

const EDGE: usize = 32;
const PIXELS: usize = EDGE * EDGE;
const CHANNELS: usize = 3;

/// The files of one of the two data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    train: &'static [&'static str],
    test: &'static str,
    /// Label bytes per record; the last one counts.
    labels: usize,
    /// Name of the archive.
    pub(super) archive: &'static str,
}

const CIFAR10: Format = Format {
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    labels: 1,
    archive: "cifar-10-binary.tar.gz",
};

const CIFAR100: Format = Format {
    train: &["train.bin"],
    test: "test.bin",
    labels: 2,
    archive: "cifar-100-binary.tar.gz",
};

impl Format {
    /// The format of a data set; `None` if it is another.
    pub(super) const fn of(name: DataName) -> Option<Self> {
        match name {
            DataName::Cifar10 => Some(CIFAR10),
            DataName::Cifar100 => Some(CIFAR100),
            _ => None,
        }
    }

    fn files(self) -> impl Iterator<Item = &'static str> {
        self.train.iter().copied().chain([self.test])
    }

    const fn record(self) -> usize {
        self.labels + CHANNELS * PIXELS
    }
}

/// Where the files of a data set are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In an archive.
    Archive(PathBuf),
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Archive(path) => path,
        }
    }
}

/// Finds the folder or the archive of a data set.
///
/// # Errors
/// If there is none, or files are missing in it; the error says where to put them.
pub(super) fn find(
    entry: &CatalogEntry,
    format: Format,
    search_path: &SearchPath,
) -> Result<Place, DataError> {
    let folder = entry.folder.unwrap_or(entry.key());
    let bases = search_path.folders();
    for base in &bases {
        let dir = base.join(folder);
        let (found, missing): (Vec<_>, Vec<_>) =
            format.files().partition(|file| dir.join(file).is_file());
        if found.is_empty() {
            let archive = base.join(format.archive);
            if archive.is_file() {
                return Ok(Place::Archive(archive));
            }
            continue;
        }
        if missing.is_empty() {
            return Ok(Place::Folder(dir));
        }
        return Err(DataError::Missing {
            name: entry.key(),
            files: missing.into_iter().map(str::to_owned).collect(),
            looked_in: vec![dir],
            advice: "put them into that folder".to_owned(),
        });
    }
    let set = format!("set `{DATA_DIR}` to the folder that holds it");
    let advice = match search_path.first() {
        Some(base) => format!(
            "put it into {}, or {set}",
            quoted([base.display()].into_iter())
        ),
        None => set,
    };
    Err(DataError::Missing {
        name: entry.key(),
        files: vec![
            format.archive.to_owned(),
            format!("{folder}/{}", format.test),
        ],
        looked_in: bases,
        advice: format!("{advice}; the archive may be unpacked or not"),
    })
}

/// Reads a data set.
///
/// # Errors
/// If a file is missing or damaged.
pub(super) fn read(
    entry: &'static CatalogEntry,
    format: Format,
    place: &Place,
) -> Result<Dataset, DataError> {
    let mut files = match place {
        Place::Folder(folder) => unpacked(format, folder)?,
        Place::Archive(archive) => packed(entry, format, archive)?,
    };
    let mut part = |names: &[&str]| -> Result<Examples, DataError> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for name in names {
            let bytes = files.remove(*name).unwrap_or_default();
            let records = records(&bytes, format, entry.classes(), &mut pixels, &mut labels);
            records.map_err(|defect| DataError::Damaged {
                path: match place {
                    Place::Folder(folder) => folder.join(name),
                    Place::Archive(archive) => archive.clone(),
                },
                defect: match place {
                    Place::Folder(_) => defect,
                    Place::Archive(_) => format!("in `{name}`, {defect}"),
                },
            })?;
        }
        Ok(Examples::images(pixels, labels))
    };
    let (train, test) = (part(format.train)?, part(&[format.test])?);
    Ok(Dataset {
        name: entry.name,
        height: EDGE,
        width: EDGE,
        channels: CHANNELS,
        classes: entry.classes(),
        max_pixel: f32::from(entry.max_pixel),
        train,
        test: Some(test),
    })
}

fn unpacked(format: Format, folder: &Path) -> Result<HashMap<&'static str, Vec<u8>>, DataError> {
    let read = |name: &'static str| {
        let path = folder.join(name);
        let bytes = File::open(&path).and_then(bounded);
        match bytes {
            Ok(bytes) => Ok((name, bytes)),
            Err(source) => Err(DataError::Read { path, source }),
        }
    };
    format.files().map(read).collect()
}

fn packed(
    entry: &CatalogEntry,
    format: Format,
    archive: &Path,
) -> Result<HashMap<&'static str, Vec<u8>>, DataError> {
    let failed = |source| DataError::Read {
        path: archive.to_owned(),
        source,
    };
    let file = File::open(archive).map_err(failed)?;
    let bytes = MultiGzDecoder::new(BufReader::new(file));
    let found = unpack(format, bytes).map_err(|error| DataError::Damaged {
        path: archive.to_owned(),
        defect: format!("reading or decompressing it failed ({error})"),
    })?;
    let missing: Vec<String> = (format.files())
        .filter(|name| !found.contains_key(name))
        .map(str::to_owned)
        .collect();
    match missing.is_empty() {
        true => Ok(found),
        false => Err(DataError::Missing {
            name: entry.key(),
            files: missing,
            looked_in: vec![archive.to_owned()],
            advice: "download the archive again and replace it".to_owned(),
        }),
    }
}

/// The files of the data set in a tar archive, by name. Folders in the archive do not matter.
fn unpack(format: Format, archive: impl Read) -> io::Result<HashMap<&'static str, Vec<u8>>> {
    let mut found = HashMap::new();
    for file in tar::Archive::new(archive).entries()? {
        let file = file?;
        let path = file.path()?.into_owned();
        let wanted = format.files().find(|name| path.ends_with(name));
        if let Some(name) = wanted.filter(|_| file.header().entry_type().is_file()) {
            found.insert(name, bounded(file)?);
        }
    }
    Ok(found)
}

/// All bytes, at most [`MAX_BYTES`].
fn bounded(bytes: impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    bytes.take(MAX_BYTES + 1).read_to_end(&mut all)?;
    match all.len() as u64 > MAX_BYTES {
        true => Err(io::Error::other(format!(
            "it is larger than {} MiB",
            MAX_BYTES >> 20
        ))),
        false => Ok(all),
    }
}

/// Appends the images and labels of a file. An error continues a sentence that starts with its name.
fn records(
    bytes: &[u8],
    format: Format,
    classes: usize,
    pixels: &mut Vec<u8>,
    labels: &mut Vec<u8>,
) -> Result<(), String> {
    let size = format.record();
    if bytes.is_empty() || !bytes.len().is_multiple_of(size) {
        return Err(format!(
            "it has {} bytes, which are no whole number of records of {size}",
            bytes.len()
        ));
    }
    for (index, record) in bytes.chunks_exact(size).enumerate() {
        let (head, planes) = record.split_at(format.labels);
        let label = head[format.labels - 1];
        if usize::from(label) >= classes {
            let last = classes - 1;
            return Err(format!("label {index} is {label}; classes are 0 to {last}"));
        }
        labels.push(label);
        for at in 0..PIXELS {
            pixels.extend([planes[at], planes[PIXELS + at], planes[2 * PIXELS + at]]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::catalog;
    use crate::data::idx::write::gzip;
    use std::fs;

    /// A file of `n` records: image `i` is red `i`, green `i + 1` and blue `i + 2` all over, of class `i`.
    fn file(format: Format, n: u8) -> Vec<u8> {
        let record = |i: u8| {
            let mut record = vec![99; format.labels];
            record[format.labels - 1] = i % 10;
            for plane in 0..3 {
                record.extend(vec![i + plane; PIXELS]);
            }
            record
        };
        (0..n).flat_map(record).collect()
    }

    fn write_folder(format: Format, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for name in format.files() {
            fs::write(folder.join(name), file(format, 10)).unwrap();
        }
    }

    fn archive(format: Format, files: &[&str]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for name in files {
            let bytes = file(format, 10);
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            let path = format!("cifar-bin/{name}");
            builder.append_data(&mut header, path, &bytes[..]).unwrap();
        }
        gzip(&builder.into_inner().unwrap())
    }

    fn search_path(folder: &Path) -> SearchPath {
        SearchPath::from_variables(|name| (name == DATA_DIR).then(|| folder.as_os_str().to_owned()))
    }

    fn loaded(name: DataName, folder: &Path) -> Result<Dataset, DataError> {
        let (entry, format) = (catalog::entry(name), Format::of(name).unwrap());
        let place = find(entry, format, &search_path(folder))?;
        read(entry, format, &place)
    }

    #[test]
    fn planes_become_channels_and_the_fine_label_counts() {
        for name in [DataName::Cifar10, DataName::Cifar100] {
            let dir = tempfile::tempdir().unwrap();
            let format = Format::of(name).unwrap();
            let folder = catalog::entry(name).folder.unwrap();
            write_folder(format, &dir.path().join(folder));
            let dataset = loaded(name, dir.path()).unwrap();
            assert_eq!(dataset.train.len(), 10 * format.train.len());
            assert_eq!(dataset.train.labels[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            let image = dataset.train.image(4, dataset.features());
            assert_eq!(image[..6], [4, 5, 6, 4, 5, 6]);
            assert_eq!(dataset.test.unwrap().len(), 10);
        }
    }

    #[test]
    fn archive_and_folder_read_the_same() {
        let (packed, plain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let names: Vec<_> = CIFAR10.files().collect();
        fs::write(
            packed.path().join(CIFAR10.archive),
            archive(CIFAR10, &names),
        )
        .unwrap();
        write_folder(CIFAR10, &plain.path().join("cifar-10-batches-bin"));
        let from_archive = loaded(DataName::Cifar10, packed.path()).unwrap();
        assert_eq!(
            from_archive,
            loaded(DataName::Cifar10, plain.path()).unwrap()
        );
    }

    #[test]
    fn missing_and_damaged_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let message = |error: DataError| error.to_string();
        let nothing = message(loaded(DataName::Cifar10, dir.path()).unwrap_err());
        let place = dir.path().display();
        assert!(
            nothing.contains("cannot find `cifar-10-binary.tar.gz`"),
            "{nothing}"
        );
        assert!(
            nothing.contains(&format!("put it into `{place}`, or set")),
            "{nothing}"
        );

        fs::write(
            dir.path().join(CIFAR10.archive),
            archive(CIFAR10, &CIFAR10.train[1..]),
        )
        .unwrap();
        let part = message(loaded(DataName::Cifar10, dir.path()).unwrap_err());
        assert!(
            part.contains("cannot find `data_batch_1.bin`, `test_batch.bin`"),
            "{part}"
        );
        fs::write(dir.path().join(CIFAR10.archive), b"\x1f\x8b\x08nothing").unwrap();
        let broken = message(loaded(DataName::Cifar10, dir.path()).unwrap_err());
        assert!(
            broken.contains("reading or decompressing it failed"),
            "{broken}"
        );

        let folder = dir.path().join("cifar-10-batches-bin");
        write_folder(CIFAR10, &folder);
        fs::write(folder.join("data_batch_3.bin"), &file(CIFAR10, 2)[..4000]).unwrap();
        let short = message(loaded(DataName::Cifar10, dir.path()).unwrap_err());
        assert!(
            short.contains("data_batch_3.bin`: it has 4000 bytes, which are no"),
            "{short}"
        );
        let mut wrong = file(CIFAR10, 3);
        wrong[3073] = 10;
        fs::write(folder.join("data_batch_3.bin"), wrong).unwrap();
        let label = message(loaded(DataName::Cifar10, dir.path()).unwrap_err());
        assert!(
            label.contains("label 1 is 10; classes are 0 to 9"),
            "{label}"
        );
        fs::remove_file(folder.join("test_batch.bin")).unwrap();
        let missing = message(loaded(DataName::Cifar10, dir.path()).unwrap_err());
        assert!(
            missing.contains("cannot find `test_batch.bin`"),
            "{missing}"
        );
    }
}
