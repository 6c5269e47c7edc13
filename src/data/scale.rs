//! Pixel values to network inputs, by statistics of the training split alone.

use super::dataset::{Dataset, Examples};
use crate::recipe::Scale;

/// `input = pixel * scale + shift`, with one pair for all values or one for each value of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelScaling {
    /// Factors: one, or one for each value of an image.
    pub scale: Vec<f32>,
    /// Summands, as many.
    pub shift: Vec<f32>,
}

impl PixelScaling {
    /// The scaling of `kind` for the examples `train` of the training file.
    ///
    /// Standard deviations are those of the population (divided by `n`). Values that do not vary
    /// over `train` are centered and divided by the largest pixel value of the format, so that a
    /// test image that does vary there stays within one unit.
    ///
    /// # Panics
    /// If an index of `train` lies outside the training file.
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
            Scale::StandardizeFeatures => (sums(&dataset.train, features, train).iter())
                .map(|sums| sums.standardize(unit))
                .collect(),
        };
        let (scale, shift) = (pairs.into_iter())
            .map(|(scale, shift): (f64, f64)| (scale as f32, shift as f32))
            .unzip();
        Self { scale, shift }
    }

    /// The inputs for whole images of pixels.
    pub fn apply(&self, pixels: &[u8]) -> Vec<f32> {
        let pairs = self.scale.iter().zip(&self.shift).cycle();
        (pixels.iter().zip(pairs))
            .map(|(&pixel, (scale, shift))| f32::from(pixel) * scale + shift)
            .collect()
    }
}

/// Sums over pixel values. Whole numbers, so that neither order nor size costs a digit.
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

    /// Scale and shift to mean zero and, where the values vary, standard deviation one; else by
    /// `unit`.
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
        // Not `-mean * scale`, which is negative zero for blank pixels.
        (scale, 0.0 - mean * scale)
    }
}

/// The sums of each value of an image over the examples `train`.
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

    /// Three images of two values; the second value is constant over the first two.
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
    fn unit_divides_by_the_largest_value_of_the_format() {
        let affine = PixelScaling::new(Scale::Unit, &dataset(), &[0, 1]);
        close(&affine.apply(&[0, 50, 200, 100]), &[0.0, 0.25, 1.0, 0.5]);
    }

    #[test]
    fn standardize_takes_one_mean_and_deviation_over_all_values() {
        // 10, 40, 30, 40: mean 30, variance (400 + 100 + 0 + 100) / 4 = 150.
        let affine = PixelScaling::new(Scale::Standardize, &dataset(), &[0, 1]);
        let sd = 150f32.sqrt();
        close(&affine.scale, &[1.0 / sd]);
        close(&affine.apply(&[10, 40]), &[-20.0 / sd, 10.0 / sd]);
    }

    #[test]
    fn standardize_features_takes_them_value_by_value_and_only_centers_constants() {
        // 10, 30: mean 20, deviation 10; 40, 40: constant.
        let affine = PixelScaling::new(Scale::StandardizeFeatures, &dataset(), &[0, 1]);
        close(&affine.scale, &[0.1, 0.005]);
        close(
            &affine.apply(&[10, 40, 30, 40, 20, 240]),
            &[-1.0, 0.0, 1.0, 0.0, 0.0, 1.0],
        );
    }

    #[test]
    fn only_the_training_split_moves_the_scaling() {
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
    fn sums_do_not_overflow_on_the_largest_files() {
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
