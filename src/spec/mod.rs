//! An experiment as its author wrote it: question, claim, data, model, training, arms, contrasts.
//!
//! This file holds the domain types. Reading them from TOML, merging arms and overrides, and
//! checking them is done beside it; nothing here can be built from an unchecked file.

use ablate_models::zoo::ModelConfig;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A checked experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// File stem; the name of the results folder.
    pub name: String,
    /// The file it came from.
    pub path: PathBuf,
    /// Heading of the report.
    pub title: String,
    /// What is asked.
    pub question: String,
    /// Which claim it tests: `C1` ... `C7`, or none.
    pub claim: Option<String>,
    /// The claim's sentence.
    pub sentence: Option<String>,
    /// How to read each outcome, written before the run.
    pub reading: String,
    /// Suites that include it (`standard`, `smoke`, `mnist`, ...).
    pub suites: Vec<String>,
    /// Seeds, without repeats, in the order of the file.
    pub seeds: Vec<u64>,
    /// Arms in the order of the file.
    pub arms: Vec<Arm>,
    /// Contrasts in the order of the file.
    pub contrasts: Vec<Contrast>,
    /// Results of others, to lay beside ours.
    pub published: Vec<Published>,
}

/// One arm: a complete recipe, after its table was merged onto the base.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// Name; unique in the spec; `[a-z0-9-]+`.
    pub name: String,
    /// Words for tables and legends.
    pub label: String,
    /// The data.
    pub data: DataConfig,
    /// The model.
    pub model: ModelConfig,
    /// The training.
    pub train: TrainConfig,
    /// Learning rates to choose from on validation; one or more.
    pub learning_rates: Vec<f64>,
    /// What is measured beside accuracy.
    pub probes: Vec<Probe>,
}

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

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training split.
    pub epochs: usize,
    /// Examples a step; an incomplete last batch is dropped.
    pub batch_size: usize,
    /// The optimizer. Default: Adam.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// The learning rate over time. Default: constant.
    #[serde(default)]
    pub schedule: Schedule,
    /// Weight decay, in `[0, inf)`. Default: 0.
    #[serde(default)]
    pub weight_decay: f64,
    /// Which parameters decay. Default: weights only.
    #[serde(default = "weights_only")]
    pub decay_on: Vec<ParameterGroup>,
}

fn weights_only() -> Vec<ParameterGroup> {
    vec![ParameterGroup::Weight]
}

/// A group of parameters by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterGroup {
    /// Weights of linear maps and convolutions.
    Weight,
    /// Biases.
    Bias,
    /// Scales of norms.
    Scale,
    /// Centers of norms.
    Center,
}

/// The optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent; weight decay is added to the gradient.
    Sgd {
        /// Momentum, in `[0, 1)`. Default: 0.
        #[serde(default)]
        momentum: f64,
        /// Nesterov's form. Default: off.
        #[serde(default)]
        nesterov: bool,
    },
    /// Adam (Kingma and Ba 2015); weight decay is added to the gradient.
    Adam(Moments),
    /// AdamW (Loshchilov and Hutter 2019); weight decay acts on the weights directly.
    Adamw(Moments),
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam(Moments::default())
    }
}

/// Settings of the Adam family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Moments {
    /// Decay of the first moment, in `[0, 1)`. Default: 0.9.
    pub beta1: f64,
    /// Decay of the second moment, in `[0, 1)`. Default: 0.999.
    pub beta2: f64,
    /// Added to the root of the second moment. Default: 1e-8.
    pub epsilon: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// The learning rate over time, as a factor on the arm's learning rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// 1.
    #[default]
    Constant,
    /// Multiplied by `factor` after every `every` epochs.
    Step {
        /// Epochs between drops.
        every: usize,
        /// The factor, in `(0, 1]`.
        factor: f64,
    },
    /// From 1 to `floor` along half a cosine over the whole run (Loshchilov and Hutter 2017).
    Cosine {
        /// Factor at the end, in `[0, 1]`. Default: 0.
        #[serde(default)]
        floor: f64,
    },
    /// Multiplied by `factor` every epoch, step by step.
    Exponential {
        /// The factor, in `(0, 1]`.
        factor: f64,
    },
}

/// What is measured beside accuracy, NLL and ECE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Accuracy and NLL on the training split in evaluation mode, and their gap to the test set.
    TrainTestGap,
    /// Share of saturated and of dead units in each block on validation data.
    Saturation,
    /// Largest `|dL/db|` over all steps, for each block with a bias.
    BiasGradient,
    /// Largest absolute difference of the logits, step by step, between this net and one with the
    /// biases of its norm-led blocks removed, trained in lockstep from the same start.
    BiasTwin,
    /// Fold the scales of the trained net into the next layer's weights and compare the logits.
    ScaleFold,
    /// `H(f) = max |f(a x) - a f(x)| / |a f(x)|` of the block's activation.
    Homogeneity,
}

/// A planned comparison of two arms, paired by seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contrast {
    /// Name; unique in the spec; `[a-z0-9-]+`.
    pub name: String,
    /// Arm whose effect it is.
    pub treatment: String,
    /// Arm it is compared with.
    pub control: String,
    /// The measured quantity.
    pub metric: Metric,
    /// What the claim predicts of treatment minus control.
    pub expect: Expect,
    /// Smallest difference that matters, in the metric's unit (points for accuracies); positive.
    pub margin: f64,
    /// Whether the claim's verdict rests on it.
    pub primary: bool,
    /// Why it is in the spec; one sentence.
    pub note: String,
}

/// A quantity that contrasts compare; always from the last epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Test accuracy in percent; higher is better.
    TestAccuracy,
    /// Test negative log-likelihood in nats; lower is better.
    TestNll,
    /// Test expected calibration error in percent; lower is better.
    TestEce,
}

impl Metric {
    /// Name in specs and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TestAccuracy => "test_accuracy",
            Self::TestNll => "test_nll",
            Self::TestEce => "test_ece",
        }
    }

    /// Words for tables.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TestAccuracy => "test accuracy",
            Self::TestNll => "test NLL",
            Self::TestEce => "test ECE",
        }
    }

    /// Unit of a difference.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::TestAccuracy | Self::TestEce => "points",
            Self::TestNll => "nats",
        }
    }

    /// Whether a higher value is a better one.
    pub const fn higher_is_better(self) -> bool {
        matches!(self, Self::TestAccuracy)
    }
}

/// What a claim predicts of treatment against control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The treatment is better.
    Better,
    /// The treatment is worse.
    Worse,
    /// They are equal within the margin.
    Equivalent,
    /// They differ, either way.
    Differs,
}

/// A result of others that a report sets beside ours. It never chooses anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The arm it corresponds to.
    pub arm: String,
    /// The measured quantity.
    pub metric: Metric,
    /// Author, year, place in the text.
    pub source: String,
    /// The published value.
    pub value: f64,
    /// Its standard deviation, if given.
    #[serde(default)]
    pub sd: Option<f64>,
    /// Over how many runs, if given.
    #[serde(default)]
    pub n: Option<u32>,
}
