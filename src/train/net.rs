//! A stacked net in training: model, optimizer, and one step of both.

use super::batch::{Batches, SplitPart};
use super::fault;
use super::optimizer::Optimizer;
use super::schedule::RateAdjustment;
use super::scores::ScoreAccumulator;
use crate::recipe::PlantedFault;
use crate::record::Scores;
use ablate_models::Pass;
use ablate_models::zoo::Model;
use burn::tensor::{DType, Gradients, Int, Tensor};

/// Examples per forward pass in evaluation.
const CHUNK: usize = 256;

/// A stacked model with its optimizer.
pub(crate) struct Net {
    model: Option<Model>,
    optimizer: Optimizer,
    loss_scale: f64,
    step: u64,
}

/// Losses and logits of one training step.
pub(crate) struct StepOutput {
    /// Cross-entropy loss per replica in nats, `[replicas]`.
    pub(crate) losses: Tensor<1>,
    /// Logits before the update, `[replicas, batch, classes]`.
    pub(crate) logits: Tensor<3>,
}

impl Net {
    /// Creates a net. Its gradients are those of `loss_scale` times the loss.
    pub(crate) fn new(model: Model, optimizer: Optimizer, loss_scale: f64) -> Self {
        Self {
            model: Some(model),
            optimizer,
            loss_scale,
            step: 0,
        }
    }

    pub(crate) fn model(&self) -> &Model {
        self.model
            .as_ref()
            .expect("the model is only absent during a step")
    }

    /// Replaces the model.
    #[cfg(test)]
    pub(crate) fn replace(&mut self, change: impl FnOnce(Model) -> Model) {
        self.model = self.model.take().map(change);
    }

    /// Number of steps taken.
    pub(crate) fn steps(&self) -> u64 {
        self.step
    }

    /// Takes one training step. `inspect` sees model and gradients before the update.
    pub(crate) fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        adjustment: RateAdjustment,
        inspect: impl FnOnce(&Model, &Gradients),
    ) -> StepOutput {
        let logits = self.model().forward(pixels, &Pass::train(self.step));
        let losses = ablate_kernels::cross_entropy(logits.clone(), labels);
        // Replicas share no parameter, so the gradient of the sum is the gradient of each replica's
        // own loss.
        let sum = losses.clone().sum();
        let sum = match self.loss_scale {
            1.0 => sum,
            scale => sum * scale,
        };
        let mut gradients = sum.backward();
        inspect(self.model(), &gradients);
        let model = self
            .model
            .take()
            .expect("the model is only absent during a step");
        self.model = Some(self.optimizer.step(model, &mut gradients, adjustment));
        self.step += 1;
        StepOutput {
            losses: losses.inner(),
            logits: logits.inner(),
        }
    }

    /// Plants `fault` in the replicas, given their seeds, and freezes the layers that may not
    /// repair it.
    pub(crate) fn plant(&mut self, fault: &PlantedFault, seeds: &[u64]) {
        let model = self
            .model
            .take()
            .expect("the model is only absent during a step");
        let model = fault::plant(model, fault, seeds);
        if let Some(path) = fault::repairing_layer(fault, &model) {
            self.optimizer.train_only(path);
        }
        self.model = Some(model);
    }
}

/// Returns the scores per replica of `model` (without gradients) on `part` in evaluation mode, or
/// `None` for scores that are not finite.
pub(crate) fn scores(model: &Model, batches: &Batches, part: SplitPart) -> Vec<Option<Scores>> {
    let accumulators = evaluate(model, batches, part);
    accumulators.iter().map(ScoreAccumulator::scores).collect()
}

/// Evaluates `model` (without gradients) on the examples of `part` in the order of the split, per
/// replica.
pub(crate) fn evaluate(model: &Model, batches: &Batches, part: SplitPart) -> Vec<ScoreAccumulator> {
    let mut accumulators: Vec<ScoreAccumulator> = Vec::new();
    for_each_chunk(batches, part, usize::MAX, |from, pixels| {
        let logits = model.forward(pixels, &Pass::evaluate());
        let [replicas, n, classes] = logits.dims();
        let values = host(logits);
        accumulators.resize_with(replicas, ScoreAccumulator::default);
        for (i, row) in values.chunks(classes).enumerate() {
            let (r, example) = (i / n, from + i % n);
            accumulators[r].add(row, batches.label(part, r, example));
        }
    });
    accumulators
}

/// Calls `f` for chunks of up to [`CHUNK`] examples among the first `limit` examples of `part`,
/// with the position of the first example and the pixels. Pixels carry no gradients.
pub(crate) fn for_each_chunk(
    batches: &Batches,
    part: SplitPart,
    limit: usize,
    mut f: impl FnMut(usize, Tensor<3>),
) {
    let n = batches.len(part).min(limit);
    for from in (0..n).step_by(CHUNK) {
        let (pixels, _) = batches.slice(part, from, CHUNK.min(n - from));
        f(from, pixels.inner());
    }
}

/// Copies a tensor to the host in single precision.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    match data.dtype() {
        // Without optimization, burn's own conversion checks each value in a slow loop.
        DType::F32 => bytemuck::pod_collect_to_vec(data.as_bytes()),
        _ => (data.try_into_vec_as::<f32>()).expect("float tensors convert to single precision"),
    }
}

/// Copies a tensor to the host in double precision.
pub(crate) fn host_f64<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let data = tensor.into_data();
    match data.dtype() {
        DType::F64 => bytemuck::pod_collect_to_vec(data.as_bytes()),
        DType::F32 => {
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(data.as_bytes());
            values.into_iter().map(f64::from).collect()
        }
        _ => (data.try_into_vec_as::<f64>()).expect("float tensors convert to double precision"),
    }
}
