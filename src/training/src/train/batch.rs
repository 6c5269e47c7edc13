//! Batches for a stack of replicas, each with its own split, order and pixel scaling.

use super::augment::Change;
use super::device_images::DeviceImages;
use super::prefetch::prefetch;
use crate::data::{Examples, Prepared, Row, Split, TestSource};
use crate::record::Misclassified;
use ablate_streams::{Purpose, Stream};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use std::sync::Arc;

/// Prefetch distance in images. The images of a batch are scattered over a file that exceeds the
/// caches.
const PREFETCH_DISTANCE: usize = 4;

/// Part of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SplitPart {
    Train,
    Validation,
    Test,
}

/// Builds batches. The host gathers, converts and scales the bytes in one pass, unless the images
/// are on the device.
#[derive(Debug)]
pub struct Batches {
    replicas: Vec<Replica>,
    device: Device,
    dtype: DType,
    device_images: Option<DeviceImages>,
}

/// Seed and data of one replica.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    seed: u64,
    data: Arc<Prepared>,
}

impl Batches {
    /// Creates one replica per pair of seed and data. All splits must have equal sizes.
    pub fn new(data: Vec<(u64, Arc<Prepared>)>, device: &Device, dtype: DType) -> Self {
        let replica = |(seed, data)| Replica::new(seed, data);
        let replicas: Vec<Replica> = data.into_iter().map(replica).collect();
        Self {
            device_images: DeviceImages::new(&replicas, device, dtype),
            replicas,
            device: device.clone(),
            dtype,
        }
    }

    /// Returns height, width and channels of the images, and the number of classes.
    pub fn shape(&self) -> ([usize; 3], usize) {
        let set = &self.replicas[0].data.dataset;
        ([set.height, set.width, set.channels], set.classes)
    }

    /// Number of replicas.
    pub(crate) fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// Number of examples in `part`, which is the same for every replica.
    pub(crate) fn len(&self, part: SplitPart) -> usize {
        self.replicas[0].indices(part).len()
    }

    /// The examples that probes use: the validation split, which is neither trained on nor scored
    /// for results, or the training split if there is no validation split.
    pub(crate) fn held_out(&self) -> SplitPart {
        match self.len(SplitPart::Validation) {
            0 => SplitPart::Train,
            _ => SplitPart::Validation,
        }
    }

    /// Returns the order of the training examples in `epoch` (from 0), one list per replica.
    /// Replicas with the same seed have the same order.
    pub fn orders(&self, epoch: usize) -> Vec<Vec<u32>> {
        let n = self.len(SplitPart::Train);
        let order =
            |r: &Replica| Stream::new(r.seed, Purpose::Order, "").permutation(epoch as u64, n);
        self.replicas.iter().map(order).collect()
    }

    /// Returns the training examples at positions `from..from + n` of `orders`.
    ///
    /// # Shapes
    /// Pixels `[replicas, n, features]`, labels `[replicas, n]`.
    pub(crate) fn train(
        &self,
        orders: &[Vec<u32>],
        from: usize,
        n: usize,
    ) -> (Tensor<3>, Tensor<2, Int>) {
        self.ordered(SplitPart::Train, orders, from, n)
    }

    /// The training images and labels at given places, with the random shifts and flips of `epoch`, if the
    /// recipe has any.
    pub fn augmented(
        &self,
        orders: &[Vec<u32>],
        epoch: usize,
        from: usize,
        n: usize,
    ) -> (Tensor<3>, Tensor<2, Int>) {
        let position = |r: usize, i: usize| orders[r][from + i] as usize;
        let epoch = (!self.replicas[0].data.augment.is_none()).then_some(epoch);
        self.gather(SplitPart::Train, n, position, epoch)
    }

    /// Returns the examples of `part` at positions `from..from + n` of `orders`, one list per
    /// replica.
    ///
    /// # Shapes
    /// Pixels `[replicas, n, features]`, labels `[replicas, n]`.
    pub(crate) fn ordered(
        &self,
        part: SplitPart,
        orders: &[Vec<u32>],
        from: usize,
        n: usize,
    ) -> (Tensor<3>, Tensor<2, Int>) {
        self.gather(part, n, |r, i| orders[r][from + i] as usize, None)
    }

    /// Returns the examples at positions `from..from + n` of `part`, in the order of the split.
    ///
    /// # Shapes
    /// Pixels `[replicas, n, features]`, labels `[replicas, n]`.
    pub(crate) fn slice(
        &self,
        part: SplitPart,
        from: usize,
        n: usize,
    ) -> (Tensor<3>, Tensor<2, Int>) {
        self.gather(part, n, |_, i| from + i, None)
    }

    /// Returns the label at position `i` of `part` for replica `r`.
    pub(crate) fn label(&self, part: SplitPart, r: usize, i: usize) -> usize {
        usize::from(self.replicas[r].label(part, i))
    }

    /// The test images at the ascending positions `wrong` of the test split of replica `r`, as
    /// positions in their file, so that seeds with other folds name an image alike.
    pub(crate) fn misclassified(&self, r: usize, wrong: &[u32]) -> Misclassified {
        let replica = &self.replicas[r];
        let test = replica.indices(SplitPart::Test);
        let indices = wrong.iter().map(|&i| test[i as usize]).collect();
        let file = replica.examples(SplitPart::Test).len();
        Misclassified::new(test.len() as u32, file as u32, indices)
            .expect("a split has ascending images of its file")
    }

    /// The examples at `position` of replica and place in the batch, changed as in epoch `augment`.
    fn gather(
        &self,
        part: SplitPart,
        n: usize,
        position: impl Fn(usize, usize) -> usize,
        augment: Option<usize>,
    ) -> (Tensor<3>, Tensor<2, Int>) {
        let features = self.replicas[0].data.dataset.features();
        let count = self.replicas.len();
        let pairs = || (0..count).flat_map(|r| (0..n).map(move |i| (r, i)));
        let positions = || pairs().map(|(r, i)| (r, position(r, i)));
        let labels = positions().map(|(r, i)| i64::from(self.replicas[r].label(part, i)));
        let labels = TensorData::new(labels.collect::<Vec<i64>>(), [count, n]);
        let labels = Tensor::from_data(labels, &self.device);
        if let Some(device_images) = &self.device_images {
            return (
                device_images.gather(&self.replicas, part, positions()),
                labels,
            );
        }
        let mut pixels: Vec<f32> = Vec::with_capacity(count * n * features);
        let mut changed = Vec::new();
        let mut prefetched = positions().skip(PREFETCH_DISTANCE);
        for (r, i) in positions() {
            if let Some((r, i)) = prefetched.next() {
                prefetch(self.replicas[r].row(part, i, features).memory());
            }
            let replica = &self.replicas[r];
            let mut row = replica.row(part, i, features);
            if let (Some(epoch), Row::Bytes(image)) = (augment, row) {
                let example = replica.indices(part)[i];
                let change = Change::draw(replica.data.augment, replica.seed, epoch, example);
                change.apply(image, self.shape().0, &mut changed);
                row = Row::Bytes(&changed);
            }
            match row {
                Row::Bytes(bytes) => replica.extend_scaled(bytes, &mut pixels),
                Row::Numbers(numbers) => replica.extend_scaled(numbers, &mut pixels),
            }
        }
        let pixels = TensorData::new(pixels, [count, n, features]).convert_dtype(self.dtype);
        (
            Tensor::from_data(pixels, (&self.device, self.dtype)),
            labels,
        )
    }
}

impl Replica {
    pub(super) fn new(seed: u64, data: Arc<Prepared>) -> Self {
        Self { seed, data }
    }

    pub(super) fn data(&self) -> &Arc<Prepared> {
        &self.data
    }

    #[cfg(test)]
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    fn split(&self) -> &Split {
        &self.data.split
    }

    /// Indices of the examples of `part` in their file.
    pub(super) fn indices(&self, part: SplitPart) -> &[u32] {
        match part {
            SplitPart::Train => &self.split().train,
            SplitPart::Validation => &self.split().validation,
            SplitPart::Test => &self.split().test,
        }
    }

    fn label(&self, part: SplitPart, i: usize) -> u8 {
        match part {
            SplitPart::Train => self.split().train_labels[i],
            SplitPart::Validation | SplitPart::Test => {
                self.examples(part).labels[self.indices(part)[i] as usize]
            }
        }
    }

    /// True if the examples of `part` are in the test file.
    pub(super) fn is_of_test_file(&self, part: SplitPart) -> bool {
        part == SplitPart::Test && self.split().test_source == TestSource::TestFile
    }

    fn examples(&self, part: SplitPart) -> &Examples {
        let set = &self.data.dataset;
        match &set.test {
            Some(test) if self.is_of_test_file(part) => test,
            _ => &set.train,
        }
    }

    fn row(&self, part: SplitPart, i: usize, features: usize) -> Row<'_> {
        let index = self.indices(part)[i] as usize;
        self.examples(part).row(index, features)
    }

    fn extend_scaled<T: Copy + Into<f32>>(&self, values: &[T], out: &mut Vec<f32>) {
        let affine = &self.data.affine;
        if let ([scale], [shift]) = (affine.scale.as_slice(), affine.shift.as_slice()) {
            out.extend(
                values
                    .iter()
                    .map(|&value| Into::<f32>::into(value) * scale + shift),
            );
        } else {
            let terms = values.iter().zip(&affine.scale).zip(&affine.shift);
            out.extend(
                terms.map(|((&value, scale), shift)| Into::<f32>::into(value) * scale + shift),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;
    use crate::recipe::{Augmentation, DataConfig, DataName};
    use crate::train::net::host;

    /// Two replicas of the digits.
    fn batches(augment: Augmentation) -> Batches {
        let config = DataConfig {
            augment,
            ..DataConfig::whole(DataName::Digits)
        };
        let replica = |seed| (seed, Arc::new(data::prepare(&config, seed).unwrap()));
        let device = crate::device::open("flex").unwrap();
        Batches::new(vec![replica(3), replica(4)], &device, DType::F32)
    }

    #[test]
    fn only_augmented_batches_shift_and_flip() {
        let moving = batches(Augmentation {
            shift: 1,
            flip: true,
        });
        let still = batches(Augmentation::default());
        let orders = still.orders(0);
        let plain = host(still.train(&orders, 8, 32).0);
        assert_eq!(host(still.augmented(&orders, 0, 8, 32).0), plain);
        assert_eq!(host(moving.train(&orders, 8, 32).0), plain);
        let validation = |batches: &Batches| host(batches.slice(SplitPart::Validation, 0, 9).0);
        assert_eq!(validation(&moving), validation(&still));

        let (pixels, labels) = moving.augmented(&orders, 0, 8, 32);
        let augmented = host(pixels);
        assert_eq!(
            labels.into_data(),
            still.train(&orders, 8, 32).1.into_data()
        );
        let unmoved = |images: &[f32]| {
            let pairs = images.chunks(64).zip(plain.chunks(64));
            pairs.filter(|(a, b)| a == b).count()
        };
        // One image in 18 neither moves nor flips.
        assert!(unmoved(&augmented) < 20, "{}", unmoved(&augmented));
        assert_eq!(host(moving.augmented(&orders, 0, 8, 32).0), augmented);
        assert_ne!(host(moving.augmented(&orders, 1, 8, 32).0), augmented);
        // The change goes with the image, not with its place in the batch.
        let shifted = host(moving.augmented(&orders, 0, 9, 1).0);
        assert_eq!(shifted[..64], augmented[64..128]);
    }
}
