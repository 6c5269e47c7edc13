//! Catalogue of the data sets: every published fact that the program uses, and nothing that was
//! read from a file.

use super::content::FileHashes;
use super::registered::{self, Reading};
use crate::recipe::{DataConfig, DataName, TestSplit};

/// All data sets, in the order in which they are listed: those that every program knows, then those that
/// this one registers.
pub fn all() -> Vec<DataName> {
    DataName::find_all();
    let mut all = DataName::BUILT_IN.to_vec();
    all.extend(registered::names());
    all
}

/// Published facts about one data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The data set.
    pub name: DataName,
    /// Name in prose.
    pub title: &'static str,
    /// Authors, reference and licence.
    pub source: &'static str,
    /// Name of the folder that holds the files; `None` for embedded data.
    pub folder: Option<&'static str>,
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
    /// Largest pixel value of the format.
    pub max_pixel: u8,
    /// Number of training images per class.
    pub train: &'static [usize],
    /// Number of test images per class; `None` if the data set has no test file.
    pub test: Option<&'static [usize]>,
    /// First three and last three training labels, if known.
    pub(crate) ends: Option<([u8; 3], [u8; 3])>,
    /// Published SHA-256 of each file, decompressed, in the order of [`super::content::FILES`], if known.
    pub(crate) hashes: Option<&'static [&'static str]>,
    /// Debian's package of the data set, if there is one.
    pub(crate) package: Option<&'static str>,
    /// Names of the classes, if they have any beside their numbers.
    pub class_names: Option<&'static [&'static str]>,
}

impl CatalogEntry {
    /// Name in specs and on the command line.
    pub const fn key(&self) -> &'static str {
        self.name.key()
    }

    /// Number of classes.
    pub const fn classes(&self) -> usize {
        self.train.len()
    }

    /// Height, width and channels of an image.
    pub const fn image_shape(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// Number of images in the training file.
    pub fn train_images(&self) -> usize {
        self.train.iter().sum()
    }

    /// Number of images in the test file; `None` if the data set has no test file.
    pub fn test_images(&self) -> Option<usize> {
        self.test.map(|counts| counts.iter().sum())
    }

    /// The published hashes of the files; `None` if they are not known.
    pub fn hashes(&self) -> Option<FileHashes> {
        self.hashes.map(FileHashes::published)
    }

    /// True if the class counts and the known first and last labels match the published ones.
    pub(super) fn matches(&self, train_labels: &[u8]) -> bool {
        let ends_match = self.ends.is_none_or(|(first, last)| {
            train_labels.starts_with(&first) && train_labels.ends_with(&last)
        });
        ends_match && class_counts(train_labels, self.classes()) == self.train
    }
}

/// Returns the catalogue entry of the data of `config`. That of a registered data set or a folder has no
/// images if it cannot be loaded; [`load`](super::load) says why.
pub fn entry_of(config: &DataConfig) -> &'static CatalogEntry {
    entry_with(config.name, &Reading::of(config))
}

/// Returns the catalogue entry of a data set with the default settings.
pub fn entry(name: DataName) -> &'static CatalogEntry {
    entry_with(name, &Reading::default())
}

pub(super) fn entry_with(name: DataName, reading: &Reading) -> &'static CatalogEntry {
    match name {
        DataName::Digits => &DIGITS,
        DataName::Mnist => &MNIST,
        DataName::FashionMnist => &FASHION_MNIST,
        DataName::Kmnist => &KMNIST,
        DataName::Cifar10 => &CIFAR10,
        DataName::Cifar100 => &CIFAR100,
        DataName::Registered(_) => registered::entry(name, reading),
    }
}

/// True if `config` tests on folds of the training file: if it asks for folds, or if the data set
/// has no test file.
pub fn tests_on_folds(config: &DataConfig) -> bool {
    config.test == TestSplit::Folds || entry_of(config).test.is_none()
}

/// Finds the data set whose published training labels these are.
///
/// The files of the MNIST family have the same names, so only their content tells them apart. For
/// Kuzushiji-MNIST only the class counts are known, and Fashion-MNIST has the same counts. It is
/// therefore tried last.
pub(crate) fn recognise(train_labels: &[u8]) -> Option<&'static CatalogEntry> {
    DataName::BUILT_IN
        .into_iter()
        .map(entry)
        .find(|entry| entry.matches(train_labels))
}

/// Counts the labels per class and ignores labels that are not below `classes`.
pub(crate) fn class_counts(labels: &[u8], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &label in labels {
        if let Some(count) = counts.get_mut(usize::from(label)) {
            *count += 1;
        }
    }
    counts
}

const DIGITS: CatalogEntry = CatalogEntry {
    name: DataName::Digits,
    title: "UCI handwritten digits",
    source: "Alpaydin and Kaynak 1998, https://doi.org/10.24432/C50P49, CC BY 4.0",
    folder: None,
    height: 8,
    width: 8,
    channels: 1,
    max_pixel: 16,
    train: &[178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
    test: None,
    ends: Some(([0, 1, 2], [8, 9, 8])),
    hashes: Some(&[
        "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
        "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
    ]),
    package: None,
    class_names: None,
};

const MNIST: CatalogEntry = CatalogEntry {
    name: DataName::Mnist,
    title: "MNIST",
    source: "LeCun, Bottou, Bengio and Haffner 1998, https://doi.org/10.1109/5.726791",
    folder: Some("mnist"),
    height: 28,
    width: 28,
    channels: 1,
    max_pixel: 255,
    train: &[5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    test: Some(&[980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ends: Some(([5, 0, 4], [5, 6, 8])),
    hashes: Some(&[
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
    package: None,
    class_names: None,
};

const FASHION_MNIST: CatalogEntry = CatalogEntry {
    name: DataName::FashionMnist,
    title: "Fashion-MNIST",
    source: "Xiao, Rasul and Vollgraf 2017, https://arxiv.org/abs/1708.07747, MIT",
    folder: Some("fashion-mnist"),
    train: &[6000; 10],
    test: Some(&[1000; 10]),
    ends: Some(([9, 0, 0], [3, 0, 5])),
    hashes: Some(&[
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ]),
    package: Some("dataset-fashion-mnist"),
    ..MNIST
};

const KMNIST: CatalogEntry = CatalogEntry {
    name: DataName::Kmnist,
    title: "Kuzushiji-MNIST",
    source: "Clanuwat et al. 2018, https://arxiv.org/abs/1812.01718, CC BY-SA 4.0",
    folder: Some("kmnist"),
    train: &[6000; 10],
    test: Some(&[1000; 10]),
    ends: None,
    // No copy of the files was at hand to compute them from.
    hashes: None,
    ..MNIST
};

const CIFAR10: CatalogEntry = CatalogEntry {
    name: DataName::Cifar10,
    title: "CIFAR-10",
    source: "Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
    folder: Some("cifar-10-batches-bin"),
    height: 32,
    width: 32,
    channels: 3,
    train: &[5000; 10],
    test: Some(&[1000; 10]),
    ends: Some(([6, 9, 9], [9, 1, 1])),
    // No copy of the files was at hand to compute them from.
    hashes: None,
    class_names: Some(&[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]),
    ..MNIST
};

const CIFAR100: CatalogEntry = CatalogEntry {
    name: DataName::Cifar100,
    title: "CIFAR-100",
    folder: Some("cifar-100-binary"),
    train: &[500; 100],
    test: Some(&[100; 100]),
    ends: Some(([19, 29, 0], [3, 7, 73])),
    class_names: Some(&CIFAR100_CLASSES),
    ..CIFAR10
};

/// The fine classes.
#[rustfmt::skip]
const CIFAR100_CLASSES: [&str; 100] = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
    "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
    "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle",
    "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear",
    "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon",
    "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail",
    "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone",
    "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn keys_match_spec_names() {
        for name in DataName::BUILT_IN {
            let key = serde_json::json!(name.key());
            assert_eq!(serde_json::to_value(name).unwrap(), key);
            assert_eq!(serde_json::from_value::<DataName>(key).unwrap(), name);
            assert_eq!(entry(name).name, name);
        }
    }

    #[test]
    fn class_counts_sum_to_published_sizes() {
        for name in [DataName::Mnist, DataName::FashionMnist, DataName::Kmnist] {
            let entry = entry(name);
            assert_eq!(entry.train_images(), 60_000, "{name:?}");
            assert_eq!(entry.test_images(), Some(10_000), "{name:?}");
        }
        assert_eq!(entry(DataName::Digits).train_images(), 1_797);
        for (name, classes) in [(DataName::Cifar10, 10), (DataName::Cifar100, 100)] {
            let entry = entry(name);
            assert_eq!((entry.classes(), entry.train_images()), (classes, 50_000));
            assert_eq!(entry.test_images(), Some(10_000));
            assert_eq!(entry.class_names.unwrap().len(), classes);
        }
    }

    #[test]
    fn published_hashes_are_those_of_every_file() {
        for entry in DataName::BUILT_IN.map(entry) {
            let files = if entry.test.is_some() { 4 } else { 2 };
            let Some(hashes) = entry.hashes else {
                let unknown = [DataName::Kmnist, DataName::Cifar10, DataName::Cifar100];
                assert!(unknown.contains(&entry.name), "{}", entry.key());
                continue;
            };
            assert_eq!(hashes.len(), files, "{}", entry.key());
            let is_hash =
                |text: &str| text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
            assert!(hashes.iter().all(|text| is_hash(text)), "{}", entry.key());
        }
    }

    /// Training labels that have the class counts of `name` and start and end with the given
    /// labels.
    pub(crate) fn labels(name: DataName, first: [u8; 3], last: [u8; 3]) -> Vec<u8> {
        let mut counts = entry(name).train.to_vec();
        for label in first.iter().chain(&last) {
            counts[usize::from(*label)] -= 1;
        }
        let middle = (0u8..).zip(counts).flat_map(|(c, n)| vec![c; n]);
        first.into_iter().chain(middle).chain(last).collect()
    }

    #[test]
    fn training_labels_identify_the_data_set() {
        let found = |labels: &[u8]| recognise(labels).map(|entry| entry.name);
        let mnist = labels(DataName::Mnist, [5, 0, 4], [5, 6, 8]);
        assert_eq!(found(&mnist), Some(DataName::Mnist));
        assert_eq!(found(&mnist[1..]), None);
        let fashion = labels(DataName::FashionMnist, [9, 0, 0], [3, 0, 5]);
        assert_eq!(found(&fashion), Some(DataName::FashionMnist));
        let kmnist = labels(DataName::Kmnist, [8, 7, 0], [0, 4, 9]);
        assert_eq!(found(&kmnist), Some(DataName::Kmnist));
        let cifar = labels(DataName::Cifar10, [6, 9, 9], [9, 1, 1]);
        assert_eq!(found(&cifar), Some(DataName::Cifar10));
        assert_eq!(found(&[]), None);
    }
}
