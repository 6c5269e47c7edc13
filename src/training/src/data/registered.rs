//! Data sets beside the built-in ones: those that a program registers, folders of images, and tables.

use super::catalog::{CatalogEntry, class_counts};
use super::content::FileHashes;
use super::dataset::Dataset;
use super::error::DataError;
use super::examples::{Examples, Values};
use crate::recipe::{Corrupt, DataConfig, DataName, Scale};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Largest number of classes: labels are bytes.
const MOST_CLASSES: usize = 256;

/// A data set of one's own. It is loaded when a spec first needs it, once per process.
///
/// The content hash that enters the ids of cells is computed from the images and labels.
pub trait DataSource {
    /// Name in prose.
    const TITLE: &'static str;
    /// Authors, reference and licence.
    const SOURCE: &'static str;

    /// Loads the images.
    ///
    /// # Errors
    /// If that is impossible. The message continues "cannot load data set `name`: ".
    fn load() -> Result<Images, String>;
}

/// Labelled images, or rows of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    /// Height, width and channels.
    pub shape: [usize; 3],
    /// Number of classes, from 2 to 256.
    pub classes: usize,
    /// Largest value of the format, by which `scale = "unit"` divides; 1 for numbers.
    pub max_pixel: u8,
    /// The training examples, or all examples if there is no test part; every class must occur.
    pub train: Examples,
    /// The test examples, if they are a part of their own.
    pub test: Option<Examples>,
}

/// What loading a data set gives.
#[derive(Debug)]
pub(super) struct Loading {
    pub(super) images: Images,
    /// Names of the classes; empty if they are only numbered.
    pub(super) class_names: Vec<String>,
}

/// Loads a data set.
pub(super) type Load = Box<dyn Fn(&Reading) -> Result<Loading, String> + Send + Sync>;

/// The settings that decide what the files of a data set say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Reading {
    pub(super) corrupt: Corrupt,
    /// `data.label`.
    pub(super) label: Option<String>,
    /// `data.shape`.
    pub(super) shape: Option<[usize; 3]>,
}

impl Reading {
    pub(super) fn of(config: &DataConfig) -> Self {
        Self {
            corrupt: config.corrupt,
            label: config.label.clone(),
            shape: config.shape,
        }
    }
}

/// What a data set is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A data set that every program knows, or that a program registers.
    Program,
    /// A folder of images.
    Images,
    /// A CSV file, or a folder of CSV files.
    Table,
}

/// A registered data set.
struct Registered {
    name: DataName,
    title: &'static str,
    source: &'static str,
    kind: Kind,
    load: Load,
    /// What was loaded with each reading.
    loaded: Mutex<HashMap<Reading, &'static Result<Loaded, String>>>,
    /// The entry of a data set that cannot be loaded.
    empty: OnceLock<CatalogEntry>,
}

struct Loaded {
    entry: CatalogEntry,
    dataset: Arc<Dataset>,
    hashes: FileHashes,
}

/// The registered data sets. A static, because the catalogue is asked by name wherever data are used.
static REGISTERED: Mutex<Vec<&'static Registered>> = Mutex::new(Vec::new());

/// Registers a data set under the name `key`; false if there is one already.
pub fn register<D: DataSource>(key: &str) -> bool {
    let load = |_: &Reading| {
        Ok(Loading {
            images: D::load()?,
            class_names: Vec::new(),
        })
    };
    add(key, [D::TITLE, D::SOURCE], Kind::Program, Box::new(load))
}

/// Registers images or a table that were found at `place` under their name; false if there is a data set of
/// that name.
pub(super) fn register_found(key: &str, kind: Kind, place: String, load: Load) -> bool {
    let what = if kind == Kind::Table {
        "table"
    } else {
        "images in"
    };
    // They are registered once per process.
    let title: &'static str = format!("{what} `{key}`").leak();
    add(key, [title, place.leak()], kind, load)
}

/// What the data set is made of.
pub fn kind_of(name: DataName) -> Kind {
    match name {
        DataName::Registered(_) => named(name).kind,
        _ => Kind::Program,
    }
}

/// Path of a folder of images or a table; the source of any other registered data set.
pub fn place_of(name: DataName) -> &'static str {
    named(name).source
}

/// Checks that the settings are about the kind of data that `config` names.
///
/// # Errors
/// If one is not.
pub(super) fn check_kind(config: &DataConfig) -> Result<(), DataError> {
    let (kind, key) = (kind_of(config.name), config.name.key());
    let misplaced = |setting, data| {
        let message = format!("is for {data}, and `{key}` is none; remove it");
        Err(DataError::setting(setting, message))
    };
    if config.corrupt == Corrupt::Skip && kind != Kind::Images {
        return misplaced("corrupt", "folders of images");
    }
    if config.label.is_some() && kind != Kind::Table {
        return misplaced("label", "tables");
    }
    if config.shape.is_some() && kind != Kind::Table {
        return misplaced("shape", "tables");
    }
    Ok(())
}

/// Checks that the settings fit the values of the data set.
///
/// # Errors
/// If one is for images and the data set is a table of numbers.
pub(super) fn check_use(dataset: &Dataset, config: &DataConfig) -> Result<(), DataError> {
    if dataset.train.pixels().is_some() {
        return Ok(());
    }
    let name = config.name.key();
    if !config.augment.is_none() {
        let message = format!("is for images, and `{name}` is a table of numbers; remove it");
        return Err(DataError::setting("augment", message));
    }
    let is_flat = config.shape.is_none();
    match config.scale {
        Scale::Unit => {
            let message = format!(
                "is `unit`, which is for pixels, and `{name}` is a table of numbers; use \
                 `standardize_features`"
            );
            Err(DataError::setting("scale", message))
        }
        Scale::Standardize | Scale::StandardizeChannels if is_flat => {
            let message = format!(
                "must be `standardize_features` for the table `{name}`, whose columns may have different \
                 units; set it in the experiment file, or give `data.shape` if the columns are pixels"
            );
            Err(DataError::setting("scale", message))
        }
        _ => Ok(()),
    }
}

fn add(key: &str, [title, source]: [&'static str; 2], kind: Kind, load: Load) -> bool {
    let Some(name) = DataName::register(key) else {
        return false;
    };
    let new = Registered {
        name,
        title,
        source,
        kind,
        load,
        loaded: Mutex::default(),
        empty: OnceLock::new(),
    };
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    registered.push(Box::leak(Box::new(new)));
    true
}

/// The names, in the order of their registration.
pub(super) fn names() -> Vec<DataName> {
    let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    registered.iter().map(|data| data.name).collect()
}

/// The catalogue entry; without images if the data set cannot be loaded.
pub(super) fn entry(name: DataName, reading: &Reading) -> &'static CatalogEntry {
    let data = named(name);
    match data.loaded(reading) {
        Ok(loaded) => &loaded.entry,
        Err(_) => data.empty.get_or_init(|| data.entry([1; 3], 0, &[], None)),
    }
}

/// The images and their hashes.
///
/// # Errors
/// If they cannot be loaded.
pub(super) fn load(
    name: DataName,
    reading: &Reading,
) -> Result<(Arc<Dataset>, FileHashes), DataError> {
    let loaded = named(name).loaded(reading);
    let loaded = loaded.map_err(|why| DataError::Registered {
        name: name.key(),
        why: why.to_owned(),
    })?;
    Ok((Arc::clone(&loaded.dataset), loaded.hashes.clone()))
}

fn named(name: DataName) -> &'static Registered {
    let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    registered
        .iter()
        .find(|data| data.name == name)
        .expect("only registered names can be made")
}

impl Registered {
    fn loaded(&self, reading: &Reading) -> Result<&'static Loaded, &'static str> {
        // Settings of other kinds of data change nothing.
        let reading = match self.kind {
            Kind::Program => Reading::default(),
            Kind::Images => Reading {
                corrupt: reading.corrupt,
                ..Reading::default()
            },
            Kind::Table => Reading {
                corrupt: Corrupt::Error,
                ..reading.clone()
            },
        };
        // The lock is held while loading, so that several threads load once.
        let mut all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded: &'static Result<Loaded, String> = match all.get(&reading) {
            Some(loaded) => loaded,
            None => {
                let loaded: &'static _ = Box::leak(Box::new(self.load(&reading)));
                all.insert(reading, loaded);
                loaded
            }
        };
        loaded.as_ref().map_err(String::as_str)
    }

    fn load(&self, reading: &Reading) -> Result<Loaded, String> {
        let Loading {
            images,
            class_names,
        } = (self.load)(reading)?;
        images.check()?;
        Ok(self.complete(images, class_names))
    }

    fn complete(&self, images: Images, class_names: Vec<String>) -> Loaded {
        let [height, width, channels] = images.shape;
        let counts = |examples: &Examples| -> &'static [usize] {
            class_counts(&examples.labels, images.classes).leak()
        };
        let (train, test) = (counts(&images.train), images.test.as_ref().map(counts));
        let dataset = Dataset {
            name: self.name,
            height,
            width,
            channels,
            classes: images.classes,
            max_pixel: f32::from(images.max_pixel),
            train: images.train,
            test: images.test,
        };
        Loaded {
            entry: CatalogEntry {
                class_names: (!class_names.is_empty()).then(|| leaked(class_names)),
                ..self.entry(images.shape, images.max_pixel, train, test)
            },
            hashes: dataset.hashes(),
            dataset: Arc::new(dataset),
        }
    }

    fn entry(
        &self,
        [height, width, channels]: [usize; 3],
        max_pixel: u8,
        train: &'static [usize],
        test: Option<&'static [usize]>,
    ) -> CatalogEntry {
        CatalogEntry {
            name: self.name,
            title: self.title,
            source: self.source,
            folder: None,
            height,
            width,
            channels,
            max_pixel,
            train,
            test,
            ends: None,
            hashes: None,
            package: None,
            class_names: None,
        }
    }
}

/// Registered data sets are loaded once per process.
fn leaked(names: Vec<String>) -> &'static [&'static str] {
    let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
    names.leak()
}

impl Images {
    /// Checks that the parts fit each other.
    fn check(&self) -> Result<(), String> {
        let features: usize = self.shape.iter().product();
        if features == 0 {
            return Err(format!("its images have the shape {:?}", self.shape));
        }
        if !(2..=MOST_CLASSES).contains(&self.classes) {
            let classes = self.classes;
            return Err(format!(
                "it has {classes} classes; 2 to {MOST_CLASSES} are possible"
            ));
        }
        if self.max_pixel == 0 {
            return Err("its `max_pixel` is 0".to_owned());
        }
        let parts = [
            ("training", Some(&self.train)),
            ("test", self.test.as_ref()),
        ];
        for (part, examples) in parts.into_iter().filter_map(|(part, e)| Some((part, e?))) {
            if examples.is_empty() {
                return Err(format!("it has no {part} examples"));
            }
            let (found, wanted) = (examples.values.len(), examples.len() * features);
            if found != wanted {
                return Err(format!(
                    "it has {found} values for {} {part} labels and images of {features} values",
                    examples.len()
                ));
            }
            if let Values::Numbers(numbers) = &examples.values
                && let Some(at) = numbers.iter().position(|number| !number.is_finite())
            {
                let (row, value) = (at / features, numbers[at]);
                return Err(format!("{part} example {row} has the value {value}"));
            }
            let beyond = examples
                .labels
                .iter()
                .find(|&&label| usize::from(label) >= self.classes);
            if let Some(label) = beyond {
                let classes = self.classes;
                return Err(format!(
                    "the {part} label {label} is not below {classes}, its classes"
                ));
            }
        }
        let counts = class_counts(&self.train.labels, self.classes);
        match counts.iter().position(|&count| count == 0) {
            Some(class) => Err(format!("no training example belongs to class {class}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;
    use crate::recipe::DataConfig;

    fn images() -> Images {
        let labels: Vec<u8> = (0..40).map(|i| i % 2).collect();
        Images {
            shape: [1, 1, 3],
            classes: 2,
            max_pixel: 2,
            train: Examples::images(
                labels.iter().flat_map(|&label| [label, 1, 2]).collect(),
                labels,
            ),
            test: None,
        }
    }

    struct Stripes;

    impl DataSource for Stripes {
        const TITLE: &'static str = "Stripes";
        const SOURCE: &'static str = "made up";

        fn load() -> Result<Images, String> {
            Ok(images())
        }
    }

    struct Absent;

    impl DataSource for Absent {
        const TITLE: &'static str = "Absent";
        const SOURCE: &'static str = "nowhere";

        fn load() -> Result<Images, String> {
            Err("the disk is not there".to_owned())
        }
    }

    fn config(name: &str) -> DataConfig {
        serde_json::from_value(serde_json::json!({"name": name})).unwrap()
    }

    #[test]
    fn registered_data_are_known_by_name() {
        assert!(register::<Stripes>("stripes"));
        assert!(!register::<Stripes>("stripes"));
        assert!(!register::<Stripes>("mnist"));
        let config = config("stripes");
        let entry = data::entry(config.name);
        assert_eq!((entry.key(), entry.image_shape()), ("stripes", [1, 1, 3]));
        assert_eq!((entry.train, entry.test), (&[20, 20][..], None));
        assert!(data::all().contains(&config.name));
        let prepared = data::prepare(&config, 3).unwrap();
        assert_eq!(prepared.dataset.train, images().train);
        assert_eq!(
            data::content_hash(&config),
            Some(prepared.dataset.hashes().content())
        );
    }

    #[test]
    fn data_that_cannot_be_loaded_say_why() {
        register::<Absent>("absent");
        let config = config("absent");
        assert_eq!(data::entry(config.name).train_images(), 0);
        for error in [
            data::load(&config).unwrap_err(),
            data::SplitSizes::of_published(&config).unwrap_err(),
        ] {
            let message = error.to_string();
            assert_eq!(
                message,
                "cannot load data set `absent`: the disk is not there"
            );
        }
        assert_eq!(data::content_hash(&config), None);
    }

    #[test]
    fn parts_that_do_not_fit_are_rejected() {
        type Spoil = fn(&mut Images);
        let cases: [(&str, Spoil); 7] = [
            ("shape", |i| i.shape = [0, 1, 3]),
            ("classes", |i| i.classes = 1),
            ("max_pixel", |i| i.max_pixel = 0),
            ("values for", |i| i.train.values = Values::Bytes(vec![1; 9])),
            ("has the value NaN", |i| {
                i.train.values = Values::Numbers([vec![0.0; 119], vec![f32::NAN]].concat());
            }),
            ("not below", |i| i.train.labels[3] = 2),
            ("class 2", |i| i.classes = 3),
        ];
        images().check().unwrap();
        for (part, spoil) in cases {
            let mut images = images();
            spoil(&mut images);
            let message = images.check().unwrap_err();
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
