//! Scaling of pixel values to network inputs, computed from the training examples only.

use super::dataset::Dataset;
use super::examples::{Examples, Row, Values};
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
        let pairs = match &dataset.train.values {
            _ if kind == Scale::Unit => vec![(unit, 0.0)],
            Values::Bytes(_) => {
                let by_feature = sums(&dataset.train, features, train);
                standardized(kind, &by_feature, dataset.channels, unit)
            }
            Values::Numbers(numbers) => {
                let by_feature = moments(numbers, features, train);
                standardized(kind, &by_feature, dataset.channels, unit)
            }
        };
        let (scale, shift) = (pairs.into_iter())
            .map(|(scale, shift): (f64, f64)| (scale as f32, shift as f32))
            .unzip();
        Self { scale, shift }
    }

    /// Scales whole examples.
    pub fn apply(&self, values: Row<'_>) -> Vec<f32> {
        match values {
            Row::Bytes(bytes) => self.scaled(bytes),
            Row::Numbers(numbers) => self.scaled(numbers),
        }
    }

    fn scaled<T: Copy + Into<f32>>(&self, values: &[T]) -> Vec<f32> {
        let pairs = self.scale.iter().zip(&self.shift).cycle();
        (values.iter().zip(pairs))
            .map(|(&value, (scale, shift))| Into::<f32>::into(value) * scale + shift)
            .collect()
    }
}

/// Scale and shift of every group of values that `kind` standardizes together.
fn standardized<S: Statistics>(
    kind: Scale,
    by_feature: &[S],
    channels: usize,
    unit: f64,
) -> Vec<(f64, f64)> {
    let groups = match kind {
        // It standardizes nothing.
        Scale::Unit => return vec![(unit, 0.0)],
        Scale::Standardize => 1,
        Scale::StandardizeChannels => channels,
        Scale::StandardizeFeatures => by_feature.len(),
    };
    let mut pooled = vec![S::default(); groups];
    for (i, statistics) in by_feature.iter().enumerate() {
        pooled[i % groups].merge(statistics);
    }
    let pairs = pooled.iter().map(|group| group.standardize(unit));
    match kind {
        Scale::Standardize => pairs.collect(),
        _ => pairs.cycle().take(by_feature.len()).collect(),
    }
}

/// Statistics of a group of values.
trait Statistics: Clone + Default {
    fn merge(&mut self, other: &Self);

    /// Scale and shift that give mean zero and standard deviation one; constant values are scaled
    /// by `unit`.
    fn standardize(&self, unit: f64) -> (f64, f64);
}

/// Sums over pixel values. They are integers, so they are exact in any order.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: u64,
    values: u64,
    squares: u64,
}

impl Statistics for Sums {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.values += other.values;
        self.squares += other.squares;
    }

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

/// Mean and spread of numbers, in double precision.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
}

impl Statistics for Moments {
    /// Source: Chan, Golub and LeVeque 1979, equation 2.1.
    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if count > 0.0 {
            let distance = other.mean - self.mean;
            self.mean += distance * other.count / count;
            self.squares += other.squares + distance * distance * self.count * other.count / count;
            self.count = count;
        }
    }

    fn standardize(&self, unit: f64) -> (f64, f64) {
        let constant = self.squares == 0.0;
        let scale = if constant {
            unit
        } else {
            (self.count / self.squares).sqrt()
        };
        (scale, 0.0 - self.mean * scale)
    }
}

/// Moments per column of a table over the rows `train`, each from two passes in the order of the rows.
fn moments(numbers: &[f32], features: usize, train: &[u32]) -> Vec<Moments> {
    let mut all = vec![Moments::default(); features];
    let rows = || {
        train
            .iter()
            .map(|&row| &numbers[row as usize * features..][..features])
    };
    for row in rows() {
        for (moments, &number) in all.iter_mut().zip(row) {
            moments.count += 1.0;
            moments.mean += f64::from(number);
        }
    }
    for moments in &mut all {
        moments.mean /= moments.count.max(1.0);
    }
    for row in rows() {
        for (moments, &number) in all.iter_mut().zip(row) {
            moments.squares += (f64::from(number) - moments.mean).powi(2);
        }
    }
    all
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
            train: Examples::images(vec![10, 40, 30, 40, 255, 0], vec![0, 1, 0]),
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
        close(
            &affine.apply(Row::Bytes(&[0, 50, 200, 100])),
            &[0.0, 0.25, 1.0, 0.5],
        );
    }

    #[test]
    fn standardize_uses_one_mean_and_deviation() {
        // 10, 40, 30, 40: mean 30, variance (400 + 100 + 0 + 100) / 4 = 150.
        let affine = PixelScaling::new(Scale::Standardize, &dataset(), &[0, 1]);
        let sd = 150f32.sqrt();
        close(&affine.scale, &[1.0 / sd]);
        close(
            &affine.apply(Row::Bytes(&[10, 40])),
            &[-20.0 / sd, 10.0 / sd],
        );
    }

    #[test]
    fn standardize_features_only_centers_constant_values() {
        // 10, 30: mean 20, deviation 10; 40, 40: constant.
        let affine = PixelScaling::new(Scale::StandardizeFeatures, &dataset(), &[0, 1]);
        close(&affine.scale, &[0.1, 0.005]);
        close(
            &affine.apply(Row::Bytes(&[10, 40, 30, 40, 20, 240])),
            &[-1.0, 0.0, 1.0, 0.0, 0.0, 1.0],
        );
    }

    #[test]
    fn scaling_depends_only_on_training_examples() {
        for kind in [Scale::Unit, Scale::Standardize, Scale::StandardizeFeatures] {
            let before = PixelScaling::new(kind, &dataset(), &[0, 1]);
            let mut changed = dataset();
            changed.train = Examples::images(vec![10, 40, 30, 40, 77, 77], vec![0, 1, 0]);
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

    /// The same values as bytes and as numbers.
    #[test]
    fn numbers_are_scaled_like_bytes() {
        let bytes = dataset();
        let numbers = bytes.train.pixels().unwrap().iter().copied().map(f32::from);
        let numbers = Dataset {
            train: Examples {
                values: Values::Numbers(numbers.collect()),
                ..bytes.train.clone()
            },
            ..bytes.clone()
        };
        for kind in [
            Scale::Unit,
            Scale::Standardize,
            Scale::StandardizeChannels,
            Scale::StandardizeFeatures,
        ] {
            for train in [&[0, 1][..], &[0, 1, 2], &[]] {
                let expected = PixelScaling::new(kind, &bytes, train);
                let found = PixelScaling::new(kind, &numbers, train);
                close(&found.scale, &expected.scale);
                close(&found.shift, &expected.shift);
            }
        }
    }

    #[test]
    fn small_spread_far_from_zero_is_not_lost() {
        let numbers = [1e7, 1e7 + 1.0, 1e7 + 2.0, 1e7 + 3.0].map(|x: f64| x as f32);
        let moments = moments(&numbers, 1, &[0, 1, 2, 3]);
        // Population variance of 0, 1, 2, 3: 1.25.
        let (scale, _) = moments[0].standardize(1.0);
        assert!((scale - 1.0 / 1.25f64.sqrt()).abs() < 1e-12, "{scale}");
    }
}
