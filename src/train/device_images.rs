//! Images that live on the device: a batch uploads the places of its examples and no pixels.
//!
//! The CPU devices gather on the host instead, in one pass over bytes; to another device the pixels of
//! many replicas are a long way at every step.

use super::batch::{Replica, SplitPart};
use crate::data::Examples;
use ablate_kernels::has_kernels;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// Most bytes of the images of a file: what every adapter of WebGPU can bind at once.
const MAX_FILE_BYTES: usize = 128 << 20;

/// Bytes of a packed number.
const BYTES_PER_WORD: usize = 4;

/// All images of a data set, and the scaling of every replica.
#[derive(Clone, Debug)]
pub(super) struct DeviceImages {
    /// Four bytes a number, the first one lowest, `[examples, features / 4]` rounded up.
    train: Tensor<2, Int>,
    /// Those of a test file; absent where the test split is taken from the others.
    test: Option<Tensor<2, Int>>,
    features: usize,
    /// `[replicas, 1, features]`, or one for all features.
    scale: Tensor<3>,
    /// Likewise.
    shift: Tensor<3>,
}

impl DeviceImages {
    /// `None` where the host gathers: on the devices of this program's own kernels, in double
    /// precision, and where the images are too many.
    pub(super) fn new(replicas: &[Replica], device: &Device, dtype: DType) -> Option<Self> {
        let set = &replicas[0].data().dataset;
        let files = [Some(&set.train), set.test.as_ref()].into_iter().flatten();
        let fits = files
            .map(|file| file.pixels.len())
            .all(|bytes| bytes <= MAX_FILE_BYTES);
        let wanted = dtype == DType::F32 && !has_kernels(device) && fits;
        wanted.then(|| Self::on(replicas, device))
    }

    fn on(replicas: &[Replica], device: &Device) -> Self {
        let set = &replicas[0].data().dataset;
        let features = set.features();
        let like = (device, DType::F32);
        let images = |examples: &Examples| {
            let n = examples.labels.len();
            let quads = (0..n).flat_map(|i| examples.image(i, features).chunks(BYTES_PER_WORD));
            let numbers: Vec<i32> = quads.map(pack).collect();
            let width = features.div_ceil(BYTES_PER_WORD);
            Tensor::from_data(TensorData::new(numbers, [n, width]), (device, DType::I32))
        };
        // Replicas of one job scale by the same rule, so their terms are equally many.
        let terms = |of: fn(&Replica) -> &[f32]| {
            let terms: Vec<f32> = replicas.iter().flat_map(of).copied().collect();
            let each = terms.len() / replicas.len();
            Tensor::from_data(TensorData::new(terms, [replicas.len(), 1, each]), like)
        };
        Self {
            train: images(&set.train),
            test: set.test.as_ref().map(images),
            features,
            scale: terms(|replica| &replica.data().affine.scale),
            shift: terms(|replica| &replica.data().affine.shift),
        }
    }

    /// The scaled pixels of the examples at `places` of `part`, as many of every replica, replica by
    /// replica.
    ///
    /// # Shapes
    /// `[replicas, n, features]`
    pub(super) fn gather(
        &self,
        replicas: &[Replica],
        part: SplitPart,
        places: impl Iterator<Item = (usize, usize)>,
    ) -> Tensor<3> {
        let indices: Vec<i64> = places
            .map(|(r, place)| i64::from(replicas[r].indices(part)[place]))
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

/// Up to four bytes as one number.
fn pack(bytes: &[u8]) -> i32 {
    let mut quad = [0; BYTES_PER_WORD];
    quad[..bytes.len()].copy_from_slice(bytes);
    i32::from_le_bytes(quad)
}

/// The first `features` bytes of every row.
fn unpack(rows: Tensor<2, Int>, features: usize) -> Tensor<2> {
    let [n, width] = rows.dims();
    let byte = |k: usize| {
        // A shift brings the sign along, which the mask takes off.
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

    /// Two replicas of the digits with folds and scalings of their own.
    fn replicas(scale: Scale) -> Vec<Replica> {
        let config = DataConfig {
            scale,
            subset: Some(100),
            ..crate::run::fake::spec(&["a"], 1).arms[0].data.clone()
        };
        let dataset = load(DataName::Digits).expect("the digits are embedded");
        let replica = |seed| {
            let data = prepare_from(Arc::clone(&dataset), &config, seed).expect("digits suffice");
            Replica::new(seed, Arc::new(data))
        };
        [3, 4].map(replica).to_vec()
    }

    #[test]
    fn pixels_are_those_that_the_host_gathers_bit_for_bit() {
        let device = Device::flex();
        for scale in [Scale::Unit, Scale::Standardize, Scale::StandardizeFeatures] {
            let replicas = replicas(scale);
            let device_images = DeviceImages::on(&replicas, &device);
            let pairs = replicas.iter().map(|r| (r.seed(), Arc::clone(r.data())));
            let batches = Batches::new(pairs.collect(), &device, DType::F32);
            for part in [SplitPart::Train, SplitPart::Validation, SplitPart::Test] {
                let n = batches.len(part).min(17);
                let (expected, _) = batches.slice(part, 1, n - 1);
                let places = (0..2).flat_map(|r| (1..n).map(move |i| (r, i)));
                let found = device_images.gather(&replicas, part, places);
                assert_eq!(found.dims(), expected.dims());
                assert_eq!(host(found), host(expected), "{scale:?} {part:?}");
            }
        }
    }

    #[test]
    fn the_host_gathers_for_its_own_kernels() {
        let replicas = replicas(Scale::Unit);
        assert!(DeviceImages::new(&replicas, &Device::flex(), DType::F32).is_none());
    }
}
