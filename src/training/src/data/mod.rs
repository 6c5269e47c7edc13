//! Data sets, and the split and pixel scaling of each seed.
//!
//! [`prepare`] loads a data set once, draws the [`Split`] of a seed, and computes the pixel scaling
//! from the training examples of that split. Everything stays on the host as bytes; the trainer
//! decides what goes to a device.
//!
//! [`locate`] documents where files are searched and [`idx`] how they are read. [`catalog`] holds the facts about data sets, [`content`] defines the hash that identifies
//! their content. [`registered`] holds the data sets of other programs, folders of images, and tables.

pub mod catalog;
mod cifar;
pub mod content;
pub mod dataset;
pub mod digits;
mod discover;
pub mod error;
pub mod examples;
mod folder;
pub mod found;
mod hash_cache;
pub mod idx;
pub mod locate;
pub mod registered;
pub mod scale;
pub mod split;
pub mod status;
mod stratify;
mod table;

pub use catalog::{CatalogEntry, all, entry, entry_of, tests_on_folds};
pub use content::FileHashes;
pub use dataset::Dataset;
pub use discover::register_found;
pub use error::DataError;
pub use examples::{Examples, Row, Values};
pub use folder::{Decoded, decode, is_image};
pub use found::{content_hash, hashes, load, with_content};
pub use registered::register;
pub use registered::{DataSource, Images, Kind, kind_of, place_of};
pub use scale::PixelScaling;
pub use split::{Split, SplitSizes, TestSource};
pub use status::{CheckedData, DataStatus, FoundDataset, PublishedFact, check, status};

use crate::recipe::{Augmentation, DataConfig};
use std::sync::Arc;

/// A data set with the split and scaling of one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The whole data set.
    pub dataset: Arc<Dataset>,
    /// The split of the seed.
    pub split: Split,
    /// The pixel scaling, computed from the training examples of the split.
    pub affine: PixelScaling,
    /// Random changes of the training images, which the trainer makes.
    pub augment: Augmentation,
}

/// Loads the data set of `config` and prepares it for `seed`.
///
/// # Errors
/// If the data set cannot be loaded, or if a setting of `config` is invalid for it.
pub fn prepare(config: &DataConfig, seed: u64) -> Result<Prepared, DataError> {
    prepare_from(load(config)?, config, seed)
}

/// Prepares a loaded data set for `seed`.
///
/// # Errors
/// If a setting of `config` is invalid for the data set.
pub fn prepare_from(
    dataset: Arc<Dataset>,
    config: &DataConfig,
    seed: u64,
) -> Result<Prepared, DataError> {
    registered::check_use(&dataset, config)?;
    let split = split::split(&dataset, config, seed)?;
    let affine = PixelScaling::new(config.scale, &dataset, &split.train);
    Ok(Prepared {
        dataset,
        split,
        affine,
        augment: config.augment,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{DataName, Scale};

    fn config() -> DataConfig {
        serde_json::from_value(serde_json::json!({"name": "digits"})).unwrap()
    }

    #[test]
    fn training_inputs_have_mean_zero_and_variance_one() {
        let prepared = prepare(&config(), 4).unwrap();
        let features = prepared.dataset.features();
        let inputs: Vec<f64> = (prepared.split.train.iter())
            .flat_map(|&e| {
                let image = prepared.dataset.train.image(e as usize, features);
                prepared.affine.apply(Row::Bytes(image))
            })
            .map(f64::from)
            .collect();
        let n = inputs.len() as f64;
        let mean = inputs.iter().sum::<f64>() / n;
        let variance = inputs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 1e-6, "{mean}");
        assert!((variance - 1.0).abs() < 1e-5, "{variance}");
    }

    #[test]
    fn scaling_ignores_validation_and_test_pixels() {
        for scale in [Scale::Unit, Scale::Standardize, Scale::StandardizeFeatures] {
            let config = DataConfig { scale, ..config() };
            let before = prepare(&config, 1).unwrap();
            let mut changed = (*before.dataset).clone();
            let mut pixels = changed.train.pixels().unwrap().to_vec();
            for &example in before.split.test.iter().chain(&before.split.validation) {
                let at = example as usize * 64;
                pixels[at..at + 64].fill(16);
            }
            changed.train.values = Values::Bytes(pixels);
            let after = prepare_from(Arc::new(changed), &config, 1).unwrap();
            assert_eq!(after.affine, before.affine);
            assert_eq!(after.split, before.split);
        }
    }

    #[test]
    fn scaling_uses_only_the_subset() {
        let small = DataConfig {
            subset: Some(50),
            ..config()
        };
        let affine = |config| prepare(config, 0).unwrap().affine;
        assert_ne!(affine(&small), affine(&config()));
    }

    #[test]
    fn seeds_share_one_copy_of_the_data() {
        let (a, b) = (
            prepare(&config(), 0).unwrap(),
            prepare(&config(), 1).unwrap(),
        );
        assert!(Arc::ptr_eq(&a.dataset, &b.dataset));
        assert_eq!(a.dataset.name, DataName::Digits);
    }
}
