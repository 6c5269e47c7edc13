//! Data sets, and the examples and inputs of one seed.
//!
//! [`prepare`] is the way in: it loads a data set once, draws the seed's [`Split`] and takes the
//! scaling of its pixels from that split's training examples. Everything stays on the host as
//! bytes; what a device is given is decided by who trains.
//!
//! DataFiles are looked for as [`locate`] says and read as [`idx`] says; nothing is downloaded.

pub mod catalog;
pub mod dataset;
pub mod digits;
pub mod error;
pub mod idx;
pub mod locate;
pub mod scale;
pub mod split;
pub mod status;
mod stratify;

pub use catalog::{ALL, CatalogEntry, entry};
pub use dataset::{Dataset, Examples, load};
pub use error::DataError;
pub use scale::PixelScaling;
pub use split::{Split, SplitSizes, TestSource};
pub use status::{DataStatus, FoundDataset, PublishedFact, check, status};

use crate::recipe::DataConfig;
use std::sync::Arc;

/// A data set made ready for one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// All of it.
    pub dataset: Arc<Dataset>,
    /// The examples of the seed.
    pub split: Split,
    /// The scaling of its pixels.
    pub affine: PixelScaling,
}

/// Loads the data set of `config` and makes it ready for `seed`.
///
/// # Errors
/// If the data set cannot be loaded, or if a setting of `config` cannot be met.
pub fn prepare(config: &DataConfig, seed: u64) -> Result<Prepared, DataError> {
    prepare_from(load(config.name)?, config, seed)
}

/// Makes a loaded data set ready for `seed`.
///
/// # Errors
/// If a setting of `config` cannot be met.
pub fn prepare_from(
    dataset: Arc<Dataset>,
    config: &DataConfig,
    seed: u64,
) -> Result<Prepared, DataError> {
    let split = split::split(&dataset, config, seed)?;
    let affine = PixelScaling::new(config.scale, &dataset, &split.train);
    Ok(Prepared {
        dataset,
        split,
        affine,
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
    fn the_inputs_of_the_training_split_have_mean_zero_and_deviation_one() {
        let prepared = prepare(&config(), 4).unwrap();
        let features = prepared.dataset.features();
        let inputs: Vec<f64> = (prepared.split.train.iter())
            .flat_map(|&e| {
                let image = prepared.dataset.train.image(e as usize, features);
                prepared.affine.apply(image)
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
    fn pixels_outside_the_training_split_move_nothing() {
        for scale in [Scale::Unit, Scale::Standardize, Scale::StandardizeFeatures] {
            let config = DataConfig { scale, ..config() };
            let before = prepare(&config, 1).unwrap();
            let mut changed = (*before.dataset).clone();
            for &example in before.split.test.iter().chain(&before.split.validation) {
                let at = example as usize * 64;
                changed.train.pixels[at..at + 64].fill(16);
            }
            let after = prepare_from(Arc::new(changed), &config, 1).unwrap();
            assert_eq!(after.affine, before.affine);
            assert_eq!(after.split, before.split);
        }
    }

    #[test]
    fn the_subset_and_not_the_whole_training_part_is_scaled_by() {
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
