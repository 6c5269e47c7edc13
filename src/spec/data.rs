//! Which data an arm sees, and how they are split and scaled.

use super::check::flaw;
use ablate_models::ConfigError;
use serde::{Deserialize, Serialize};

/// Which data, and how they are split and scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Which data set.
    pub name: DataName,
    /// Where the test set comes from. Default: `standard` for MNIST and its kin; `folds` for digits.
    #[serde(default)]
    pub test: TestSplit,
    /// Number of folds where `test = "folds"`: seed `s` tests on fold `s mod folds` of repetition
    /// `s / folds`. Default: 5.
    #[serde(default = "five")]
    pub folds: usize,
    /// Share of the training part held out for validation, in `[0, 1)`. Default: 0.2.
    #[serde(default = "fifth")]
    pub validation: f64,
    /// Use only this many training examples (drawn by class, after the splits). Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<usize>,
    /// Share of training labels replaced by a uniformly drawn other class, in `[0, 1)`. Default: 0.
    #[serde(default)]
    pub label_noise: f64,
    /// How pixels are scaled. Default: `standardize`.
    #[serde(default)]
    pub scale: Scale,
}

const fn five() -> usize {
    5
}

const fn fifth() -> f64 {
    0.2
}

/// A data set known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataName {
    /// UCI handwritten digits, 8x8, embedded.
    Digits,
    /// MNIST.
    Mnist,
    /// Fashion-MNIST.
    FashionMnist,
    /// Kuzushiji-MNIST.
    Kmnist,
}

/// Where the test set comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestSplit {
    /// The data set's own test file where it has one, folds where it has none.
    #[default]
    Standard,
    /// Stratified folds, repeated, over the training file.
    Folds,
}

/// How pixels are scaled. Statistics always come from the training split alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Divided by the largest pixel value of the format, into `[0, 1]`.
    Unit,
    /// Centered and scaled by one mean and one standard deviation over all pixels.
    #[default]
    Standardize,
    /// Centered and scaled pixel by pixel (a constant pixel is only centered).
    StandardizeFeatures,
}

impl DataConfig {
    /// # Errors
    /// If a number is out of its range. The error's key is relative to the `data` table.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (key, share) in [
            ("validation", self.validation),
            ("label_noise", self.label_noise),
        ] {
            if !(0.0..1.0).contains(&share) {
                return flaw(key, format!("must be at least 0 and below 1, not {share}"));
            }
        }
        if self.folds < 2 {
            return flaw("folds", format!("must be at least 2, not {}", self.folds));
        }
        if self.subset == Some(0) {
            return flaw("subset", "must be at least 1; leave it out to use all");
        }
        Ok(())
    }
}
