//! Splits into training, validation and test examples.
//!
//! The folds are drawn from a stream keyed by the repetition, so that the folds of one repetition
//! share one shuffle. Validation, subset and label noise are keyed by the seed. Sizes depend only
//! on the configuration, so all seeds of an arm can train as one stack.

use super::catalog;
use super::dataset::Dataset;
use super::error::DataError;
use super::registered::{self, Reading};
use super::stratify::{Strata, shuffled};
use crate::recipe::{DataConfig, DataName, TestSplit};
use ablate_streams::{Purpose, Stream};

/// The examples of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Training examples as ascending indices into the training file.
    pub train: Vec<u32>,
    /// Training labels in the order of `train`, label noise included.
    pub train_labels: Vec<u8>,
    /// Validation examples as ascending indices into the training file; may be empty.
    pub validation: Vec<u32>,
    /// Test examples as ascending indices into the file named by `test_source`.
    pub test: Vec<u32>,
    /// Where the test examples are.
    pub test_source: TestSource,
}

/// The file that holds the test examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestSource {
    /// [`Dataset::test`]; all of its examples are tested on.
    TestFile,
    /// [`Dataset::train`].
    TrainFile,
}

/// Sizes of a split, which are equal for all seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitSizes {
    /// Training examples.
    pub train: usize,
    /// Training examples with a wrong label (label noise).
    pub noisy: usize,
    /// Validation examples.
    pub validation: usize,
    /// Test examples.
    pub test: usize,
    /// Where the test examples are.
    pub test_source: TestSource,
}

impl SplitSizes {
    /// Computes the sizes under `config` for its data set as published, which need not be
    /// available.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn of_published(config: &DataConfig) -> Result<Self, DataError> {
        if let DataName::Registered(_) = config.name {
            registered::check_kind(config)?;
            let (dataset, _) = registered::load(config.name, &Reading::of(config))?;
            registered::check_use(&dataset, config)?;
        }
        let entry = catalog::entry_of(config);
        Self::new(config, entry.train_images(), entry.test_images())
    }

    /// Computes the sizes under `config` for `train_file` examples in the training file and
    /// `test_file` examples in the test file, if there is one.
    ///
    /// # Errors
    /// If a setting is out of range, asks for more examples than there are, or leaves a part empty.
    pub fn new(
        config: &DataConfig,
        train_file: usize,
        test_file: Option<usize>,
    ) -> Result<Self, DataError> {
        let (test, test_source, pool) = match (config.test, test_file) {
            (TestSplit::Standard, Some(test)) => (test, TestSource::TestFile, train_file),
            (TestSplit::Folds, _) | (TestSplit::Standard, None) => {
                let folds = config.folds;
                if !(2..=train_file).contains(&folds) {
                    let message =
                        format!("is {folds}; it must be at least 2 and at most {train_file}");
                    return Err(DataError::setting("folds", message));
                }
                let test = train_file / folds;
                (test, TestSource::TrainFile, train_file - test)
            }
        };
        let validation = part("validation", config.validation, pool)?;
        let left = pool - validation;
        if left == 0 {
            let message = format!(
                "is {}, which leaves no training examples out of {pool}; lower it",
                config.validation
            );
            return Err(DataError::setting("validation", message));
        }
        let train = match config.subset {
            None => left,
            Some(n) if (1..=left).contains(&n) => n,
            Some(n) => {
                let message = format!(
                    "is {n}; it must be at least 1 and at most {left}, the number of training \
                     examples after the validation and test splits"
                );
                return Err(DataError::setting("subset", message));
            }
        };
        let noisy = part("label_noise", config.label_noise, train)?;
        Ok(Self {
            train,
            noisy,
            validation,
            test,
            test_source,
        })
    }
}

/// `share` of `n`, rounded to the nearest integer.
fn part(key: &'static str, share: f64, n: usize) -> Result<usize, DataError> {
    if !(0.0..1.0).contains(&share) {
        let message = format!("is {share}; it must be at least 0 and below 1");
        return Err(DataError::setting(key, message));
    }
    let part = (share * n as f64).round() as usize;
    if part == 0 && share > 0.0 {
        let message =
            format!("is {share}, which selects none of {n} examples; raise it or set it to 0");
        return Err(DataError::setting(key, message));
    }
    Ok(part)
}

/// Draws the split of `dataset` under `config` for one seed.
///
/// # Errors
/// As for [`SplitSizes::new`], or if label noise is requested for a data set with one class.
pub fn split(dataset: &Dataset, config: &DataConfig, seed: u64) -> Result<Split, DataError> {
    let train_file = dataset.train.len();
    let test_file = dataset.test.as_ref().map(|test| test.len());
    let sizes = SplitSizes::new(config, train_file, test_file)?;
    if sizes.noisy > 0 && dataset.classes < 2 {
        let message = "needs a data set with at least two classes; set it to 0";
        return Err(DataError::setting("label_noise", message));
    }
    let strata = |examples: &[u32], seed, path| {
        let stream = Stream::new(seed, Purpose::Split, path);
        Strata::new(examples, &dataset.train.labels, dataset.classes, &stream)
    };

    let mut train: Vec<u32> = (0..train_file as u32).collect();
    let test = match sizes.test_source {
        TestSource::TestFile => (0..sizes.test as u32).collect(),
        TestSource::TrainFile => {
            let folds = config.folds as u64;
            let (repetition, fold) = (seed / folds, seed % folds);
            let test = strata(&train, repetition, "folds").fold(fold as usize, config.folds);
            remove(&mut train, &test);
            ascending(test)
        }
    };
    let mut validation = Vec::new();
    if sizes.validation > 0 {
        validation = strata(&train, seed, "validation").order();
        validation.truncate(sizes.validation);
        remove(&mut train, &validation);
    }
    if sizes.train < train.len() {
        train = strata(&train, seed, "subset").order();
        train.truncate(sizes.train);
    }
    let train = ascending(train);
    Ok(Split {
        train_labels: noisy_labels(dataset, &train, sizes.noisy, seed),
        train,
        validation: ascending(validation),
        test,
        test_source: sizes.test_source,
    })
}

/// Labels of `train`, of which `noisy` are replaced by another class, drawn uniformly.
///
/// The examples and their new classes depend on the seed and the example only, so more noise keeps
/// the labels that less noise replaced.
fn noisy_labels(dataset: &Dataset, train: &[u32], noisy: usize, seed: u64) -> Vec<u8> {
    let mut labels: Vec<u8> = (train.iter())
        .map(|&example| dataset.train.labels[example as usize])
        .collect();
    let which = Stream::new(seed, Purpose::LabelNoise, "which");
    let class = Stream::new(seed, Purpose::LabelNoise, "class");
    for example in &shuffled(train, &which)[..noisy] {
        let at = train.partition_point(|other| other < example);
        let others = dataset.classes as u32 - 1;
        let drawn = class.indices(u64::from(*example)).below(others) as u8;
        labels[at] = drawn + u8::from(drawn >= labels[at]);
    }
    labels
}

/// Removes `gone` from `examples`.
fn remove(examples: &mut Vec<u32>, gone: &[u32]) {
    let gone: std::collections::HashSet<u32> = gone.iter().copied().collect();
    examples.retain(|example| !gone.contains(example));
}

fn ascending(mut examples: Vec<u32>) -> Vec<u32> {
    examples.sort_unstable();
    examples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::catalog::class_counts;
    use crate::data::digits::digits;
    use crate::data::examples::Examples;
    use crate::recipe::DataName;
    use std::collections::HashSet;

    fn config(json: &str) -> DataConfig {
        let mut table: serde_json::Value = serde_json::from_str(json).unwrap();
        table["name"] = "digits".into();
        serde_json::from_value(table).unwrap()
    }

    fn digits_split(json: &str, seed: u64) -> Split {
        split(&digits(), &config(json), seed).unwrap()
    }

    fn set(examples: &[u32]) -> HashSet<u32> {
        let set: HashSet<u32> = examples.iter().copied().collect();
        assert_eq!(set.len(), examples.len(), "an example occurs twice");
        set
    }

    fn class_counts_of(examples: &[u32]) -> Vec<usize> {
        let labels: Vec<u8> = (examples.iter())
            .map(|&e| digits().train.labels[e as usize])
            .collect();
        class_counts(&labels, 10)
    }

    /// Ten classes of unequal size, and a test file.
    fn with_test_file() -> Dataset {
        let labels: Vec<u8> = (0..=9u8)
            .flat_map(|c| vec![c; 20 + usize::from(c)])
            .collect();
        let pixels = vec![0; labels.len()];
        Dataset {
            name: DataName::Mnist,
            height: 1,
            width: 1,
            channels: 1,
            classes: 10,
            max_pixel: 255.0,
            train: Examples::images(pixels, labels),
            test: Some(Examples::images(vec![0; 30], vec![1; 30])),
        }
    }

    #[test]
    fn parts_are_disjoint_with_equal_sizes_for_all_seeds() {
        let sizes = SplitSizes::new(&config("{}"), 1_797, None).unwrap();
        assert_eq!(
            (sizes.train, sizes.validation, sizes.test),
            (1_150, 288, 359)
        );
        for seed in 0..25 {
            let split = digits_split("{}", seed);
            assert_eq!(split.train.len(), 1_150);
            assert_eq!(split.validation.len(), 288);
            assert_eq!(split.test.len(), 359);
            assert_eq!(split.test_source, TestSource::TrainFile);
            let all = [&split.train[..], &split.validation, &split.test].concat();
            assert_eq!(set(&all), (0..1_797).collect());
        }
    }

    #[test]
    fn folds_of_a_repetition_are_disjoint() {
        for repetition in 0..5 {
            let mut tested = HashSet::new();
            for fold in 0..5 {
                let test = digits_split("{}", repetition * 5 + fold).test;
                assert!(test.into_iter().all(|example| tested.insert(example)));
            }
            assert_eq!(tested.len(), 1_795);
        }
        assert_ne!(digits_split("{}", 0).test, digits_split("{}", 5).test);
    }

    #[test]
    fn parts_are_stratified_within_two_examples() {
        let whole = class_counts_of(&(0..1_797).collect::<Vec<_>>());
        for seed in 0..25 {
            let split = digits_split("{}", seed);
            for part in [&split.train, &split.validation, &split.test] {
                for (&n, &all) in class_counts_of(part).iter().zip(&whole) {
                    let share = (all * part.len()) as f64 / 1_797.0;
                    assert!((n as f64 - share).abs() < 2.0, "{n} against {share}");
                }
            }
        }
    }

    #[test]
    fn validation_depends_on_seed_and_leaves_test_set_unchanged() {
        let (with, without) = (
            digits_split("{}", 3),
            digits_split(r#"{"validation": 0}"#, 3),
        );
        assert_eq!(with.test, without.test);
        assert!(without.validation.is_empty());
        assert_eq!(
            set(&without.train),
            set(&[&with.train[..], &with.validation].concat())
        );
        let dataset = with_test_file();
        let draw = |seed| split(&dataset, &config("{}"), seed).unwrap().validation;
        assert_ne!(draw(0), draw(1));
    }

    #[test]
    fn standard_test_set_is_the_test_file() {
        let dataset = with_test_file();
        for seed in 0..7 {
            let split = split(&dataset, &config("{}"), seed).unwrap();
            assert_eq!(split.test_source, TestSource::TestFile);
            assert_eq!(split.test, (0..30).collect::<Vec<_>>());
            assert_eq!((split.train.len(), split.validation.len()), (196, 49));
        }
        let folds = split(&dataset, &config(r#"{"test": "folds", "folds": 4}"#), 0).unwrap();
        assert_eq!(folds.test_source, TestSource::TrainFile);
        assert_eq!((folds.test.len(), folds.train.len()), (61, 147));
        assert_eq!(
            digits_split(r#"{"test": "standard"}"#, 2),
            digits_split(r#"{"test": "folds"}"#, 2)
        );
    }

    #[test]
    fn subsets_are_nested() {
        for seed in 0..5 {
            let full = digits_split("{}", seed);
            let mut larger = set(&full.train);
            for n in [1_149, 600, 599, 100, 37, 10, 3, 1] {
                let split = digits_split(&format!(r#"{{"subset": {n}}}"#), seed);
                assert_eq!(split.train.len(), n);
                assert_eq!(
                    (&split.test, &split.validation),
                    (&full.test, &full.validation)
                );
                let chosen = set(&split.train);
                assert!(chosen.is_subset(&larger), "{n}");
                larger = chosen;
            }
        }
        let ten = class_counts_of(&digits_split(r#"{"subset": 100}"#, 0).train);
        assert!(ten.iter().all(|n| (9..=11).contains(n)), "{ten:?}");
    }

    #[test]
    fn label_noise_replaces_exactly_the_requested_share() {
        let truth = |split: &Split| -> Vec<u8> {
            let labels = &digits().train.labels;
            split.train.iter().map(|&e| labels[e as usize]).collect()
        };
        let replaced = |split: &Split| -> HashSet<(u32, u8)> {
            (split
                .train
                .iter()
                .zip(&split.train_labels)
                .zip(truth(split)))
            .filter(|&((_, &label), truth)| label != truth)
            .map(|((&example, &label), _)| (example, label))
            .collect()
        };
        for seed in 0..25 {
            let clean = digits_split("{}", seed);
            assert_eq!(clean.train_labels, truth(&clean));
            let little = digits_split(r#"{"label_noise": 0.1}"#, seed);
            let much = digits_split(r#"{"label_noise": 0.333}"#, seed);
            assert_eq!(replaced(&little).len(), 115);
            assert_eq!(replaced(&much).len(), 383);
            assert!(replaced(&little).is_subset(&replaced(&much)));
            assert!(much.train_labels.iter().all(|&label| label < 10));
            assert_eq!((&much.train, &much.test), (&clean.train, &clean.test));
        }
    }

    #[test]
    fn noisy_labels_are_uniform_over_other_classes() {
        let mut counts = [0u32; 10];
        for seed in 0..25 {
            let split = digits_split(r#"{"label_noise": 0.9, "validation": 0}"#, seed);
            for (&example, &label) in split.train.iter().zip(&split.train_labels) {
                let truth = digits().train.labels[example as usize];
                if label != truth {
                    counts[usize::from((label + 10 - truth) % 10)] += 1;
                }
            }
        }
        let mean = f64::from(counts.iter().sum::<u32>()) / 9.0;
        assert_eq!(counts[0], 0);
        let chi2: f64 = (counts[1..].iter())
            .map(|&c| (f64::from(c) - mean).powi(2) / mean)
            .sum();
        assert!(chi2 < 26.1, "chi-square with 8 degrees of freedom: {chi2}");
    }

    #[test]
    fn split_is_reproducible() {
        let json = r#"{"subset": 200, "label_noise": 0.2}"#;
        for seed in [0, 1, 7, u64::MAX] {
            assert_eq!(digits_split(json, seed), digits_split(json, seed));
        }
        assert_ne!(digits_split(json, 1), digits_split(json, 6));
    }

    /// Reference values computed by an independent Python program from the documented stream keys.
    /// If this test fails, committed results no longer belong to the experiments that they name.
    #[test]
    fn split_of_seed_7_matches_independent_reference() {
        let split = digits_split(r#"{"subset": 100, "label_noise": 0.1}"#, 7);
        let start = |part: &[u32]| (part[..8].to_vec(), part.iter().sum::<u32>());
        assert_eq!(
            start(&split.test),
            (vec![9, 10, 18, 26, 33, 38, 46, 51], 321_415)
        );
        assert_eq!(
            start(&split.validation),
            (vec![0, 4, 11, 21, 22, 28, 34, 39], 260_932)
        );
        assert_eq!(
            start(&split.train),
            (vec![16, 19, 23, 36, 57, 104, 111, 115], 83_797)
        );
        let truth = |example: u32| digits().train.labels[example as usize];
        let replaced: Vec<_> = (split.train.iter().zip(&split.train_labels))
            .filter(|&(&example, &label)| label != truth(example))
            .map(|(&example, &label)| (example, truth(example), label))
            .collect();
        #[rustfmt::skip]
        assert_eq!(
            replaced,
            [
                (23, 3, 4), (120, 5, 0), (309, 8, 4), (717, 5, 4), (1033, 4, 0),
                (1092, 6, 3), (1261, 6, 7), (1268, 4, 2), (1605, 3, 1), (1794, 8, 2),
            ]
        );
    }

    #[test]
    fn invalid_settings_are_rejected_with_the_allowed_range() {
        for (json, message) in [
            (
                r#"{"folds": 1}"#,
                "`data.folds` is 1; it must be at least 2 and at most 1797",
            ),
            (
                r#"{"folds": 1798}"#,
                "`data.folds` is 1798; it must be at least 2 and at most 1797",
            ),
            (
                r#"{"validation": 1.0}"#,
                "`data.validation` is 1; it must be at least 0 and below 1",
            ),
            (
                r#"{"validation": -0.1}"#,
                "`data.validation` is -0.1; it must be at least 0 and below 1",
            ),
            (
                r#"{"validation": 0.9999}"#,
                "`data.validation` is 0.9999, which leaves no training examples out of 1438; lower it",
            ),
            (
                r#"{"validation": 0.0001}"#,
                "`data.validation` is 0.0001, which selects none of 1438 examples; raise it or set \
                 it to 0",
            ),
            (
                r#"{"subset": 1151}"#,
                "`data.subset` is 1151; it must be at least 1 and at most 1150, the number of training \
                 examples after the validation and test splits",
            ),
            (
                r#"{"subset": 0}"#,
                "`data.subset` is 0; it must be at least 1 and at most 1150, the number of training \
                 examples after the validation and test splits",
            ),
            (
                r#"{"label_noise": 1.5}"#,
                "`data.label_noise` is 1.5; it must be at least 0 and below 1",
            ),
            (
                r#"{"subset": 4, "label_noise": 0.1}"#,
                "`data.label_noise` is 0.1, which selects none of 4 examples; raise it or set it to 0",
            ),
        ] {
            let error = split(&digits(), &config(json), 0).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let mut nan = config("{}");
        nan.validation = f64::NAN;
        assert!(split(&digits(), &nan, 0).is_err());
    }

    #[test]
    fn empty_data_set_is_an_error() {
        assert!(SplitSizes::new(&config("{}"), 0, None).is_err());
        assert!(SplitSizes::new(&config("{}"), 0, Some(10)).is_err());
        assert!(SplitSizes::new(&config("{}"), 1, None).is_err());
    }

    #[test]
    fn label_noise_with_one_class_is_rejected() {
        let mut dataset = with_test_file();
        dataset.classes = 1;
        dataset.train.labels.fill(0);
        let error = split(&dataset, &config(r#"{"label_noise": 0.5}"#), 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`data.label_noise` needs a data set with at least two classes; set it to 0"
        );
    }
}
