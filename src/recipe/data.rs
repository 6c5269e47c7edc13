//! The data of an arm, their splits and their scaling.

use serde::{Deserialize, Serialize};

/// A data set, how it is split and how its pixels are scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The data set.
    pub name: DataName,
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
}

const fn five() -> usize {
    5
}

const fn fifth() -> f64 {
    0.2
}

/// Name of a data set. The facts about each one are in [`crate::data::catalog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataName {
    /// UCI handwritten digits.
    Digits,
    /// MNIST.
    Mnist,
    /// Fashion-MNIST.
    FashionMnist,
    /// Kuzushiji-MNIST.
    Kmnist,
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

/// Scaling of pixels. Its statistics come from the training split only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Divide by the largest pixel value of the format; pixels end up in `[0, 1]`.
    Unit,
    /// Standardize with one mean and one standard deviation over all pixels.
    #[default]
    Standardize,
    /// Standardize each pixel with its own mean and standard deviation. A constant pixel is only
    /// centered.
    StandardizeFeatures,
}
