//! Data sets beside the built-in ones: those that a program registers, and folders of images.

use super::catalog::{CatalogEntry, class_counts};
use super::content::FileHashes;
use super::dataset::{Dataset, Examples};
use super::error::DataError;
use crate::recipe::{Corrupt, DataName};
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

/// Labelled images with one byte per value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Height, width and channels.
    pub shape: [usize; 3],
    /// Number of classes, from 2 to 256.
    pub classes: usize,
    /// Largest value of the format, by which `scale = "unit"` divides.
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

/// Loads a data set, with or without images that cannot be decoded.
pub(super) type Load = Box<dyn Fn(Corrupt) -> Result<Loading, String> + Send + Sync>;

/// A registered data set.
struct Registered {
    name: DataName,
    title: &'static str,
    source: &'static str,
    is_folder: bool,
    load: Load,
    /// What was loaded with each value of [`Corrupt`].
    loaded: [OnceLock<Result<Loaded, String>>; 2],
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
pub(crate) fn register<D: DataSource>(key: &str) -> bool {
    let load = |_| {
        Ok(Loading {
            images: D::load()?,
            class_names: Vec::new(),
        })
    };
    add(key, [D::TITLE, D::SOURCE], false, Box::new(load))
}

/// Registers a folder of images under its name; false if there is a data set of that name.
pub(super) fn register_folder(key: &str, source: String, load: Load) -> bool {
    // Folders are registered once, when the program starts.
    let title: &'static str = format!("images in `{key}`").leak();
    add(key, [title, source.leak()], true, load)
}

/// Whether the data set is a folder of images.
pub fn is_folder(name: DataName) -> bool {
    let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut named = registered.iter().filter(|data| data.name == name);
    named.any(|data| data.is_folder)
}

/// Path of the folder of a data set that is one; its source for any other.
pub fn folder_of(name: DataName) -> &'static str {
    named(name).source
}

fn add(key: &str, [title, source]: [&'static str; 2], is_folder: bool, load: Load) -> bool {
    let Some(name) = DataName::register(key) else {
        return false;
    };
    let new = Registered {
        name,
        title,
        source,
        is_folder,
        load,
        loaded: [OnceLock::new(), OnceLock::new()],
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
pub(super) fn entry(name: DataName, corrupt: Corrupt) -> &'static CatalogEntry {
    let data = named(name);
    match data.loaded(corrupt) {
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
    corrupt: Corrupt,
) -> Result<(Arc<Dataset>, FileHashes), DataError> {
    let loaded = named(name).loaded(corrupt);
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
    fn loaded(&self, corrupt: Corrupt) -> Result<&Loaded, &str> {
        let [whole, part] = &self.loaded;
        let of_kind = match corrupt {
            Corrupt::Skip if self.is_folder => part,
            Corrupt::Error | Corrupt::Skip => whole,
        };
        let loaded = of_kind.get_or_init(|| {
            let Loading {
                images,
                class_names,
            } = (self.load)(corrupt)?;
            images.check()?;
            Ok(self.complete(images, class_names))
        });
        loaded.as_ref().map_err(String::as_str)
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
                class_names: (!class_names.is_empty()).then(|| &*class_names.leak()),
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
            let (found, wanted) = (examples.pixels.len(), examples.len() * features);
            if found != wanted {
                return Err(format!(
                    "it has {found} values for {} {part} labels and images of {features} values",
                    examples.len()
                ));
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
            train: Examples {
                pixels: labels.iter().flat_map(|&label| [label, 1, 2]).collect(),
                labels,
            },
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
        let cases: [(&str, Spoil); 6] = [
            ("shape", |i| i.shape = [0, 1, 3]),
            ("classes", |i| i.classes = 1),
            ("max_pixel", |i| i.max_pixel = 0),
            ("values for", |i| i.train.pixels.truncate(9)),
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
