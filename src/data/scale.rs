//! Scaling of pixel values to network inputs, computed from the training examples only.

use super::dataset::{Dataset, Examples};
use crate::recipe::Scale;

/// `input = pixel * scale + shift`, with one pair of constants for all values or one pair per value
/// of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelScaling {
    /// Factors: one, or one per value of an image.
    pub scale: Vec<f32>,
    /// Shifts, as many as factors.
    pub shift: Vec<f32>,
}

impl PixelScaling {
    /// Computes the scaling of `kind` from the examples `train` of the training file.
    ///
    /// Standard deviations are population standard deviations (divided by `n`). Values that are
    /// constant over `train` are centered and divided by the largest pixel value of the format, so
    /// that a test image that differs there stays within one unit.
    ///
    /// # Panics
    /// If an index of `train` is outside the training file.
    pub fn new(kind: Scale, dataset: &Dataset, train: &[u32]) -> Self {
        let features = dataset.features();
        let unit = 1.0 / f64::from(dataset.max_pixel);
        let pairs = match kind {
            Scale::Unit => vec![(unit, 0.0)],
            Scale::Standardize => {
                let mut all = Sums::default();
                let by_feature = sums(&dataset.train, features, train);
                by_feature.iter().for_each(|sums| all.merge(sums));
                vec![all.standardize(unit)]
            }
            Scale::StandardizeChannels => {
                let mut all = vec![Sums::default(); dataset.channels];
                let by_feature = sums(&dataset.train, features, train);
                for (i, sums) in by_feature.iter().enumerate() {
                    all[i % dataset.channels].merge(sums);
                }
                let channels = all.iter().map(|sums| sums.standardize(unit));
                channels.cycle().take(features).collect()
            }
            Scale::StandardizeFeatures => (sums(&dataset.train, features, train).iter())
                .map(|sums| sums.standardize(unit))
                .collect(),
        };
        let (scale, shift) = (pairs.into_iter())
            .map(|(scale, shift): (f64, f64)| (scale as f32, shift as f32))
            .unzip();
        Self { scale, shift }
    }

    /// Scales whole images.
    pub fn apply(&self, pixels: &[u8]) -> Vec<f32> {
        let pairs = self.scale.iter().zip(&self.shift).cycle();
        (pixels.iter().zip(pairs))
            .map(|(&pixel, (scale, shift))| f32::from(pixel) * scale + shift)
            .collect()
    }
}

/// Sums over pixel values. They are integers, so they are exact in any order.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: u64,
    values: u64,
    squares: u64,
}

impl Sums {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.values += other.values;
        self.squares += other.squares;
    }

    /// Scale and shift that give mean zero and standard deviation one; constant values are scaled
    /// by `unit`.
    fn standardize(&self, unit: f64) -> (f64, f64) {
        let (n, sum) = (u128::from(self.count), u128::from(self.values));
        if n == 0 {
            return (unit, 0.0);
        }
        let n_squared_variance = n * u128::from(self.squares) - sum * sum;
        let mean = sum as f64 / n as f64;
        let scale = match n_squared_variance {
            0 => unit,
            v => n as f64 / (v as f64).sqrt(),
        };
        // `-mean * scale` would be negative zero for blank pixels.
        (scale, 0.0 - mean * scale)
    }
}

/// Sums per value of an image over the examples `train`.
fn sums(file: &Examples, features: usize, train: &[u32]) -> Vec<Sums> {
    let mut sums = vec![Sums::default(); features];
    for &example in train {
        for (sum, &pixel) in sums.iter_mut().zip(file.image(example as usize, features)) {
            let pixel = u64::from(pixel);
            sum.count += 1;
            sum.values += pixel;
            sum.squares += pixel * pixel;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::DataName;

    /// Three images of two values; the second value is constant over the first two images.
    fn dataset() -> Dataset {
        Dataset {
            name: DataName::Mnist,
            height: 1,
            width: 2,
            channels: 1,
            classes: 2,
            max_pixel: 200.0,
            train: Examples {
                pixels: vec![10, 40, 30, 40, 255, 0],
                labels: vec![0, 1, 0],
            },
            test: None,
        }
    }

    fn close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-6, "{found:?} against {expected:?}");
        }
    }

    #[test]
    fn unit_divides_by_the_largest_pixel_value() {
        let affine = PixelScaling::new(Scale::Unit, &dataset(), &[0, 1]);
        close(&affine.apply(&[0, 50, 200, 100]), &[0.0, 0.25, 1.0, 0.5]);
    }

    #[test]
    fn standardize_uses_one_mean_and_deviation() {
        // 10, 40, 30, 40: mean 30, variance (400 + 100 + 0 + 100) / 4 = 150.
        let affine = PixelScaling::new(Scale::Standardize, &dataset(), &[0, 1]);
        let sd = 150f32.sqrt();
        close(&affine.scale, &[1.0 / sd]);
        close(&affine.apply(&[10, 40]), &[-20.0 / sd, 10.0 / sd]);
    }

    #[test]
    fn standardize_features_only_centers_constant_values() {
        // 10, 30: mean 20, deviation 10; 40, 40: constant.
        let affine = PixelScaling::new(Scale::StandardizeFeatures, &dataset(), &[0, 1]);
        close(&affine.scale, &[0.1, 0.005]);
        close(
            &affine.apply(&[10, 40, 30, 40, 20, 240]),
            &[-1.0, 0.0, 1.0, 0.0, 0.0, 1.0],
        );
    }

    #[test]
    fn scaling_depends_only_on_training_examples() {
        for kind in [Scale::Unit, Scale::Standardize, Scale::StandardizeFeatures] {
            let before = PixelScaling::new(kind, &dataset(), &[0, 1]);
            let mut changed = dataset();
            changed.train.pixels[4..].fill(77);
            changed.test = Some(changed.train.clone());
            assert_eq!(
                PixelScaling::new(kind, &changed, &[0, 1]),
                before,
                "{kind:?}"
            );
            let moved = PixelScaling::new(kind, &changed, &[0, 2]) != before;
            assert_eq!(moved, kind != Scale::Unit, "{kind:?}");
        }
    }

    #[test]
    fn sums_of_largest_files_do_not_overflow() {
        let pixels = 256u64 << 20;
        let mut sums = Sums {
            count: pixels,
            values: 255 * (pixels / 2),
            squares: 255 * 255 * (pixels / 2),
        };
        sums.merge(&Sums::default());
        let (scale, shift) = sums.standardize(1.0);
        assert_eq!((scale, shift), (1.0 / 127.5, -1.0));
    }
}
