//! Images kept on the device, so that a batch uploads only the indices of its examples.
//!
//! On CPU devices, the host gathers the bytes in one pass instead. To other devices, copying the
//! pixels of many replicas at every step is slow.

use super::batch::{Replica, SplitPart};
use crate::data::Examples;
use ablate_kernels::has_kernels;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// Largest image file in bytes: every WebGPU adapter can bind a buffer of this size.
const MAX_FILE_BYTES: usize = 128 << 20;

/// Bytes packed into one 32-bit integer.
const BYTES_PER_WORD: usize = 4;

/// All images of a data set, and the pixel scaling of every replica.
#[derive(Clone, Debug)]
pub(super) struct DeviceImages {
    /// Training images, four bytes per integer with the first byte lowest,
    /// `[examples, features / 4]` (rounded up).
    train: Tensor<2, Int>,
    /// Images of the test file; `None` if the test split is part of the training file.
    test: Option<Tensor<2, Int>>,
    features: usize,
    /// Factors, `[replicas, 1, features]`, or `[replicas, 1, 1]` for one factor per replica.
    scale: Tensor<3>,
    /// Shifts, in the same shape.
    shift: Tensor<3>,
}

impl DeviceImages {
    /// Uploads the images. Returns `None` if the host should gather: on devices with our own
    /// kernels, in double precision, with random shifts or flips, for tables of numbers, and for files
    /// above [`MAX_FILE_BYTES`].
    pub(super) fn new(replicas: &[Replica], device: &Device, dtype: DType) -> Option<Self> {
        let set = &replicas[0].data().dataset;
        let files = [Some(&set.train), set.test.as_ref()].into_iter().flatten();
        let fits = files
            .map(|file| file.pixels().map(<[u8]>::len))
            .all(|bytes| bytes.is_some_and(|bytes| bytes <= MAX_FILE_BYTES));
        let plain = replicas[0].data().augment.is_none();
        let on_device = plain && dtype == DType::F32 && !has_kernels(device) && fits;
        on_device.then(|| Self::on(replicas, device))
    }

    fn on(replicas: &[Replica], device: &Device) -> Self {
        let set = &replicas[0].data().dataset;
        let features = set.features();
        let options = (device, DType::F32);
        let images = |examples: &Examples| {
            let n = examples.labels.len();
            let words = (0..n).flat_map(|i| examples.image(i, features).chunks(BYTES_PER_WORD));
            let numbers: Vec<i32> = words.map(pack).collect();
            let width = features.div_ceil(BYTES_PER_WORD);
            Tensor::from_data(TensorData::new(numbers, [n, width]), (device, DType::I32))
        };
        // Replicas of one job have the same kind of scaling, so they have equally many factors.
        let constants = |of: fn(&Replica) -> &[f32]| {
            let constants: Vec<f32> = replicas.iter().flat_map(of).copied().collect();
            let each = constants.len() / replicas.len();
            Tensor::from_data(
                TensorData::new(constants, [replicas.len(), 1, each]),
                options,
            )
        };
        Self {
            train: images(&set.train),
            test: set.test.as_ref().map(images),
            features,
            scale: constants(|replica| &replica.data().affine.scale),
            shift: constants(|replica| &replica.data().affine.shift),
        }
    }

    /// Returns the scaled pixels of the examples at `positions` of `part`: pairs of replica and
    /// position, equally many per replica, replica by replica.
    ///
    /// # Shapes
    /// `[replicas, n, features]`
    pub(super) fn gather(
        &self,
        replicas: &[Replica],
        part: SplitPart,
        positions: impl Iterator<Item = (usize, usize)>,
    ) -> Tensor<3> {
        let indices: Vec<i64> = positions
            .map(|(r, i)| i64::from(replicas[r].indices(part)[i]))
            .collect();
        let images = match &self.test {
            Some(test) if replicas[0].is_of_test_file(part) => test,
            _ => &self.train,
        };
        let rows = indices.len();
        let indices = TensorData::new(indices, [rows]);
        let indices = Tensor::<1, Int>::from_data(indices, &images.device());
        let pixels = unpack(images.clone().select(0, indices), self.features);
        let pixels = pixels.reshape([replicas.len(), rows / replicas.len(), self.features]);
        pixels * self.scale.clone() + self.shift.clone()
    }
}

/// Packs up to four bytes into one integer.
fn pack(bytes: &[u8]) -> i32 {
    let mut word = [0; BYTES_PER_WORD];
    word[..bytes.len()].copy_from_slice(bytes);
    i32::from_le_bytes(word)
}

/// Unpacks the first `features` bytes of every row.
fn unpack(rows: Tensor<2, Int>, features: usize) -> Tensor<2> {
    let [n, width] = rows.dims();
    let byte = |k: usize| {
        // The right shift extends the sign; the mask removes it.
        let shifted = rows.clone().bitwise_right_shift_scalar(8 * k as i32);
        shifted.bitwise_and_scalar(255)
    };
    let bytes: Vec<Tensor<2, Int>> = (0..BYTES_PER_WORD).map(byte).collect();
    let bytes: Tensor<3, Int> = Tensor::stack(bytes, 2);
    let bytes = bytes
        .reshape([n, BYTES_PER_WORD * width])
        .narrow(1, 0, features);
    bytes.float()
}

#[cfg(test)]
mod tests {
    use super::super::batch::Batches;
    use super::*;
    use crate::data::{load, prepare_from};
    use crate::recipe::{DataConfig, DataName, Scale};
    use crate::train::net::host;
    use std::sync::Arc;

    /// Two replicas of the digits, each with its own fold and scaling.
    fn replicas(scale: Scale) -> Vec<Replica> {
        let config = DataConfig {
            scale,
            subset: Some(100),
            ..DataConfig::whole(DataName::Digits)
        };
        let dataset = load(&config).expect("the digits are embedded");
        let replica = |seed| {
            let data = prepare_from(Arc::clone(&dataset), &config, seed)
                .expect("the digits are large enough");
            Replica::new(seed, Arc::new(data))
        };
        [3, 4].map(replica).to_vec()
    }

    #[test]
    fn device_and_host_gather_the_same_bits() {
        let device = Device::flex();
        for scale in [Scale::Unit, Scale::Standardize, Scale::StandardizeFeatures] {
            let replicas = replicas(scale);
            let device_images = DeviceImages::on(&replicas, &device);
            let pairs = replicas.iter().map(|r| (r.seed(), Arc::clone(r.data())));
            let batches = Batches::new(pairs.collect(), &device, DType::F32);
            for part in [SplitPart::Train, SplitPart::Validation, SplitPart::Test] {
                let n = batches.len(part).min(17);
                let (expected, _) = batches.slice(part, 1, n - 1);
                let positions = (0..2).flat_map(|r| (1..n).map(move |i| (r, i)));
                let found = device_images.gather(&replicas, part, positions);
                assert_eq!(found.dims(), expected.dims());
                assert_eq!(host(found), host(expected), "{scale:?} {part:?}");
            }
        }
    }

    #[test]
    fn devices_with_own_kernels_gather_on_the_host() {
        let replicas = replicas(Scale::Unit);
        assert!(DeviceImages::new(&replicas, &Device::flex(), DType::F32).is_none());
    }
}
