//! One net in training: a stacked model, its optimizer, and a step of both.

use super::batch::{Batches, SplitPart};
use super::fault;
use super::optimizer::Optimizer;
use super::schedule::RateAdjustment;
use super::scores::ScoreAccumulator;
use crate::recipe::PlantedFault;
use crate::record::Scores;
use ablate_models::Pass;
use ablate_models::zoo::Model;
use burn::tensor::{Gradients, Int, Tensor};

/// Examples an evaluation pass takes at once.
const CHUNK: usize = 256;

/// A stacked model and its optimizer.
pub(crate) struct Net {
    model: Option<Model>,
    optimizer: Optimizer,
    loss_scale: f64,
    step: u64,
}

/// What a step gave.
pub(crate) struct StepOutput {
    /// Loss of each replica in nats, `[replicas]`.
    pub(crate) losses: Tensor<1>,
    /// Logits before the step, `[replicas, batch, classes]`.
    pub(crate) logits: Tensor<3>,
}

impl Net {
    /// A net whose gradients are those of `loss_scale` times the loss.
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
            .expect("the model is only away inside a step")
    }

    /// Puts another model in the place of this one.
    #[cfg(test)]
    pub(crate) fn replace(&mut self, change: impl FnOnce(Model) -> Model) {
        self.model = self.model.take().map(change);
    }

    /// Steps taken.
    pub(crate) fn steps(&self) -> u64 {
        self.step
    }

    /// One training step; `watch` sees model and gradients before the parameters move.
    pub(crate) fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        adjustment: RateAdjustment,
        inspect: impl FnOnce(&Model, &Gradients),
    ) -> StepOutput {
        let logits = self.model().forward(pixels, &Pass::train(self.step));
        let losses = ablate_kernels::cross_entropy(logits.clone(), labels);
        // Replicas share no parameter, so the sum's gradient is each replica's own.
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
            .expect("the model is only away inside a step");
        self.model = Some(self.optimizer.step(model, &mut gradients, adjustment));
        self.step += 1;
        StepOutput {
            losses: losses.inner(),
            logits: logits.inner(),
        }
    }

    /// Plants `fault` in the replicas, whose seeds are given, and freezes what may not repair it.
    pub(crate) fn plant(&mut self, fault: &PlantedFault, seeds: &[u64]) {
        let model = self
            .model
            .take()
            .expect("the model is only away inside a step");
        let model = fault::plant(model, fault, seeds);
        if let Some(path) = fault::trains(fault, &model) {
            self.optimizer.train_only(path);
        }
        self.model = Some(model);
    }
}

/// Scores of each replica of `model`, which carries no gradients, on `part` in evaluation mode;
/// `None` where they are not finite.
pub(crate) fn scores(model: &Model, batches: &Batches, part: SplitPart) -> Vec<Option<Scores>> {
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
    accumulators.iter().map(ScoreAccumulator::scores).collect()
}

/// Calls `f` with the place of the first and the pixels of up to [`CHUNK`] examples of `part` at a
/// time, over the first `limit` examples. Pixels carry no gradients.
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

/// The tensor's values in single precision.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .try_into_vec_as::<f32>()
        .expect("float tensors convert to single precision")
}

/// The tensor's values in double precision.
pub(crate) fn host_f64<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor
        .try_into_vec_as::<f64>()
        .expect("float tensors convert to double precision")
}
