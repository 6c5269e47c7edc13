//! The data of an arm, their splits and their scaling.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::{Mutex, Once, OnceLock, PoisonError};

/// A data set, how it is split and how its pixels are scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The data set.
    pub name: DataName,
    /// Content that its files must have. Default: `published`. A cell's id has the content in place of
    /// this setting.
    #[serde(default, skip_serializing_if = "Content::is_published")]
    pub content: Content,
    /// What happens to images of a folder that cannot be decoded. Default: `error`.
    #[serde(default, skip_serializing_if = "Corrupt::is_error")]
    pub corrupt: Corrupt,
    /// Column with the classes of a table. Default: `label`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Height, width and channels of the images whose values are the columns of a table. Default: one row
    /// of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
    /// Source of the test set. Default: `standard`.
    #[serde(default)]
    pub test: TestSplit,
    /// Number of folds with `test = "folds"`: seed `s` tests on fold `s mod folds` of repetition
    /// `s / folds`. Default: 5.
    #[serde(default = "five")]
    pub folds: usize,
    /// Share of the training part held out for validation, in `[0, 1)`. Default: 0.2.
    #[serde(default = "fifth")]
    pub validation: f64,
    /// Number of training examples to use, drawn by class after the splits. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<usize>,
    /// Share of training labels replaced by another class drawn uniformly, in `[0, 1)`. Default: 0.
    #[serde(default)]
    pub label_noise: f64,
    /// Scaling of pixels. Default: `standardize`.
    #[serde(default)]
    pub scale: Scale,
    /// Random changes of the training images. Default: none.
    #[serde(default, skip_serializing_if = "Augmentation::is_none")]
    pub augment: Augmentation,
}

impl DataConfig {
    /// A data set as it is, with default settings.
    pub fn whole(name: DataName) -> Self {
        Self {
            name,
            content: Content::default(),
            corrupt: Corrupt::default(),
            label: None,
            shape: None,
            test: TestSplit::default(),
            folds: five(),
            validation: fifth(),
            subset: None,
            label_noise: 0.0,
            scale: Scale::default(),
            augment: Augmentation::default(),
        }
    }
}

const fn five() -> usize {
    5
}

const fn fifth() -> f64 {
    0.2
}

/// Name of a data set; in files, its [key](Self::key). The facts about each one are in
/// [`crate::data::catalog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataName {
    /// UCI handwritten digits.
    Digits,
    /// MNIST.
    Mnist,
    /// Fashion-MNIST.
    FashionMnist,
    /// Kuzushiji-MNIST.
    Kmnist,
    /// CIFAR-10.
    Cifar10,
    /// CIFAR-100 with its fine classes.
    Cifar100,
    /// A data set that the program registers, a folder of images, or a table.
    Registered(RegisteredName),
}

/// Name of a registered data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegisteredName(&'static str);

/// Keys of all data sets, the registered ones last. A static, because a name is read wherever a recipe is.
static KEYS: Mutex<&'static [&'static str]> = Mutex::new(&[
    DataName::Digits.key(),
    DataName::Mnist.key(),
    DataName::FashionMnist.key(),
    DataName::Kmnist.key(),
    DataName::Cifar10.key(),
    DataName::Cifar100.key(),
]);

/// Registers the data sets that are only looked for when a name needs them. A static, as [`KEYS`] is.
static FINDER: OnceLock<fn()> = OnceLock::new();

impl DataName {
    /// The data sets that every program knows, in the order in which they are listed.
    pub const BUILT_IN: [Self; 6] = [
        Self::Digits,
        Self::Mnist,
        Self::FashionMnist,
        Self::Kmnist,
        Self::Cifar10,
        Self::Cifar100,
    ];

    /// Whether `text` may name a data set: lower-case letters, digits, `-` and `_`, at least one.
    pub fn is_key(text: &str) -> bool {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        !text.is_empty() && text.chars().all(valid)
    }

    /// Has `find` called before the first name is read that belongs to no data set known until then.
    pub(crate) fn find_by(find: fn()) {
        // A second call, of the same process, has the same function.
        let _ = FINDER.set(find);
    }

    /// Has the function of [`Self::find_by`] register its data sets, once.
    pub(crate) fn find_all() {
        static FOUND: Once = Once::new();
        if let Some(find) = FINDER.get() {
            FOUND.call_once(find);
        }
    }

    /// The data set called `text` among those registered by now.
    fn known(text: &str) -> Option<Self> {
        let built_in = Self::BUILT_IN.into_iter().find(|name| name.key() == text);
        let keys = *KEYS.lock().unwrap_or_else(PoisonError::into_inner);
        let registered = || keys.iter().find(|key| **key == text);
        built_in.or_else(|| registered().map(|key| Self::Registered(RegisteredName(key))))
    }

    /// Adds a data set called `key`; `None` if there is one already.
    pub(crate) fn register(key: &str) -> Option<Self> {
        let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.contains(&key) {
            return None;
        }
        // Programs register a few data sets, once.
        let key: &'static str = key.to_owned().leak();
        *keys = [*keys, &[key]].concat().leak();
        Some(Self::Registered(RegisteredName(key)))
    }

    /// Name in specs and on the command line.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion_mnist",
            Self::Kmnist => "kmnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Registered(RegisteredName(key)) => key,
        }
    }
}

impl Serialize for DataName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

impl<'de> Deserialize<'de> for DataName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl Visitor<'_> for Key {
            type Value = DataName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<DataName, E> {
                let found = DataName::known(text).or_else(|| {
                    DataName::find_all();
                    DataName::known(text)
                });
                let keys = *KEYS.lock().unwrap_or_else(PoisonError::into_inner);
                found.ok_or_else(|| E::unknown_variant(text, keys))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

/// Content that the files of a data set must have: in specs `published`, `any`, or a hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Content {
    /// The published content, so far as its hash is known.
    #[default]
    Published,
    /// Any content.
    Any,
    /// The content with this hash, as [`crate::data::FileHashes::content`] gives it.
    Exactly(String),
}

impl Content {
    fn is_published(&self) -> bool {
        *self == Self::Published
    }
}

impl TryFrom<String> for Content {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        match text.as_str() {
            "published" => Ok(Self::Published),
            "any" => Ok(Self::Any),
            hash if hash.len() == 64 && hash.chars().all(is_digit) => Ok(Self::Exactly(text)),
            _ => Err(format!(
                "cannot be `{text}`; use `published`, `any`, or the 64 digits of a content hash, as `ablate \
                 data check` prints it for the data at hand"
            )),
        }
    }
}

impl From<Content> for String {
    fn from(content: Content) -> Self {
        match content {
            Content::Published => "published".to_owned(),
            Content::Any => "any".to_owned(),
            Content::Exactly(hash) => hash,
        }
    }
}

/// What happens to images that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corrupt {
    /// They are an error that names them.
    #[default]
    Error,
    /// They are left out, with a warning that names them.
    Skip,
}

impl Corrupt {
    fn is_error(&self) -> bool {
        *self == Self::Error
    }
}

/// Source of the test set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestSplit {
    /// The data set's own test file; folds for a data set without one.
    #[default]
    Standard,
    /// Repeated stratified folds of the training file.
    Folds,
}

/// Random changes of the training images, drawn anew in every epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Largest shift in pixels, vertically and horizontally; black enters at the edges. The same as a
    /// random crop of the image padded by so many pixels. Default: 0.
    pub shift: usize,
    /// Exchange left and right in half of the images. Default: off.
    pub flip: bool,
}

impl Augmentation {
    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Scaling of pixels. Its statistics come from the training split only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Divide by the largest pixel value of the format; pixels end up in `[0, 1]`.
    Unit,
    /// Standardize with one mean and one standard deviation over all pixels.
    #[default]
    Standardize,
    /// Standardize each channel with its own mean and standard deviation.
    StandardizeChannels,
    /// Standardize each pixel with its own mean and standard deviation. A constant pixel is only
    /// centered.
    StandardizeFeatures,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_plain_words() {
        for key in ["mnist", "fashion_mnist", "a-1"] {
            assert!(DataName::is_key(key), "{key}");
        }
        for text in ["", "Mnist", "a b", "a/b", "."] {
            assert!(!DataName::is_key(text), "{text}");
        }
    }

    #[test]
    fn unknown_name_has_data_sets_found() {
        DataName::find_by(|| {
            DataName::register("found-late");
        });
        let name: DataName = serde_json::from_str("\"found-late\"").unwrap();
        assert_eq!(name.key(), "found-late");
        serde_json::from_str::<DataName>("\"nowhere\"").unwrap_err();
    }

    #[test]
    fn content_is_published_any_or_a_hash() {
        let hash = "0123456789abcdef".repeat(4);
        for text in ["published", "any", &hash] {
            let content = Content::try_from(text.to_owned()).unwrap();
            assert_eq!(String::from(content), text);
        }
        for text in ["", "Any", &hash[1..], &hash.to_uppercase()] {
            let message = Content::try_from(text.to_owned()).unwrap_err();
            assert!(message.contains("`published`, `any`"), "{message}");
        }
    }

    #[test]
    fn published_content_is_not_written() {
        let config: DataConfig = serde_json::from_str(r#"{"name": "mnist"}"#).unwrap();
        assert_eq!(config.content, Content::Published);
        assert!(!serde_json::to_string(&config).unwrap().contains("content"));
        let any = DataConfig {
            content: Content::Any,
            ..config
        };
        let text = serde_json::to_string(&any).unwrap();
        assert!(text.contains(r#""content":"any""#), "{text}");
        assert_eq!(serde_json::from_str::<DataConfig>(&text).unwrap(), any);
    }
}
