//! A trained net that classifies images.

use super::TrainError;
use super::batch::{Batches, SplitPart};
use super::net::{evaluate, host};
use super::scores::ScoreAccumulator;
use super::threads::JobThreads;
use crate::data::{PixelScaling, Prepared, Row};
use crate::device;
use ablate_models::interchange::{Network, Weights};
use ablate_models::zoo::Model;
use ablate_models::{Pass, Start};
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::sync::Arc;

/// A trained net on a device, with the scaling of its pixels.
pub struct TrainedNet {
    network: Network,
    model: Model,
    scaling: PixelScaling,
    device: Device,
    threads: JobThreads,
}

impl TrainedNet {
    /// Puts a net with `weights` on the device called `device`, with kernels on `threads` threads.
    ///
    /// # Errors
    /// If the device cannot be opened, or the weights do not fit the network.
    pub fn new(
        network: Network,
        weights: &Weights,
        scaling: PixelScaling,
        device: &str,
        threads: usize,
    ) -> Result<Self, TrainError> {
        let threads = JobThreads::new(device, threads);
        let device = device::open(device)?;
        let start = Start::new([0], &device);
        let model = threads.install(|| network.import(weights, &start))?;
        Ok(Self {
            network,
            model,
            scaling,
            device,
            threads,
        })
    }

    /// Classifies the test images of `prepared`, which is the data of `seed`, in their order.
    pub fn evaluate(&self, prepared: Prepared, seed: u64) -> ScoreAccumulator {
        let prepared = Prepared {
            affine: self.scaling.clone(),
            ..prepared
        };
        let data = vec![(seed, Arc::new(prepared))];
        self.threads.install(|| {
            let batches = Batches::new(data, &self.device.clone().autodiff(), DType::F32);
            let mut scores = evaluate(&self.model, &batches, SplitPart::Test);
            scores.pop().unwrap_or_default()
        })
    }

    /// The logits of whole examples, `[examples, classes]` row-major.
    ///
    /// # Shapes
    /// - `values`: `[examples, height, width, channels]`, row-major
    ///
    /// # Panics
    /// If the values are not those of whole examples.
    pub fn logits(&self, values: Row<'_>) -> Vec<f32> {
        let features: usize = self.network.input().iter().product();
        let values = self.scaling.apply(values);
        assert!(values.len().is_multiple_of(features), "whole examples");
        let shape = [1, values.len() / features, features];
        let data = TensorData::new(values, shape);
        self.threads.install(|| {
            let images: Tensor<3> = Tensor::from_data(data, (&self.device, DType::F32));
            host(self.model.forward(images, &Pass::evaluate()))
        })
    }
}
