//! A stacked net in training: model, optimizer, and one step of both.

use super::batch::{Batches, SplitPart};
use super::fault;
use super::optimizer::Optimizer;
use super::schedule::RateAdjustment;
use super::scores::ScoreAccumulator;
use crate::recipe::PlantedFault;
use crate::record::Scores;
use ablate_models::Pass;
use ablate_models::interchange::HostTensor;
use ablate_models::zoo::Model;
use burn::module::Module;
use burn::tensor::{DType, Gradients, Int, Tensor};
use std::collections::BTreeMap;

/// Examples per forward pass in evaluation.
const CHUNK: usize = 256;

/// A stacked model with its optimizer.
pub struct Net {
    model: Option<Model>,
    optimizer: Optimizer,
    loss_scale: f64,
    step: u64,
}

/// Losses and logits of one training step.
pub struct StepOutput {
    /// Cross-entropy loss per replica in nats, `[replicas]`.
    pub losses: Tensor<1>,
    /// Logits before the update, `[replicas, batch, classes]`.
    pub logits: Tensor<3>,
}

impl Net {
    /// Creates a net. Its gradients are those of `loss_scale` times the loss.
    pub fn new(model: Model, optimizer: Optimizer, loss_scale: f64) -> Self {
        Self {
            model: Some(model),
            optimizer,
            loss_scale,
            step: 0,
        }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.model
            .as_ref()
            .expect("the model is only absent during a step")
    }

    /// Replaces the model.
    pub fn replace(&mut self, change: impl FnOnce(Model) -> Model) {
        self.model = self.model.take().map(change);
    }

    /// Number of steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Takes one training step. `inspect` sees model and gradients before the update.
    pub fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        adjustment: RateAdjustment,
        inspect: impl FnOnce(&Model, &Gradients),
    ) -> StepOutput {
        let logits = self.model().forward(pixels, &Pass::train_at(self.step));
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

    /// Steps that the optimizer counts, and its moments by name.
    pub(crate) fn optimizer_state(&self) -> (i32, BTreeMap<String, HostTensor>) {
        self.optimizer.state()
    }

    /// Goes on after `steps` steps with the model that `restore` makes of the present one, and with the
    /// state of the optimizer.
    ///
    /// # Errors
    /// If `restore` fails; the net must not be used then.
    pub(crate) fn restore<E>(
        &mut self,
        restore: impl FnOnce(Model) -> Result<Model, E>,
        steps: usize,
        optimizer_steps: i32,
        moments: BTreeMap<String, HostTensor>,
    ) -> Result<(), E> {
        let model = self
            .model
            .take()
            .expect("the model is only absent during a step");
        let device = model.devices().into_iter().next();
        self.model = Some(restore(model)?);
        if let Some(device) = device {
            self.optimizer
                .restore(optimizer_steps, moments, &device.inner());
        }
        self.step = steps as u64;
        Ok(())
    }

    /// Plants `fault` in the replicas with a seed in `seeds`, and freezes the layers that may not
    /// repair it.
    pub(crate) fn plant(&mut self, fault: &PlantedFault, seeds: &[Option<u64>]) {
        let model = self
            .model
            .take()
            .expect("the model is only absent during a step");
        self.model = Some(fault::plant(model, fault, seeds));
        self.freeze(fault);
    }

    /// Freezes the layers that may not repair `fault`, without planting it.
    pub(crate) fn freeze(&mut self, fault: &PlantedFault) {
        if let Some(path) = fault::repairing_layer(fault, self.model()) {
            self.optimizer.train_only(path);
        }
    }

    /// A copy that trains on from here on its own.
    pub(crate) fn fork(&self) -> Self {
        Self {
            model: self.model.clone(),
            optimizer: self.optimizer.clone(),
            loss_scale: self.loss_scale,
            step: self.step,
        }
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
pub fn host_f64<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::fixture;
    use crate::train::parameters;
    use ablate_models::Activation;
    use ablate_models::norm::{BatchNormConfig, NormConfig};
    use ablate_models::zoo::ModelConfig;

    const STEPS: usize = 6;

    /// Trains a net with batch norm, dropout and Adam. `meddle` may change it after half of the steps.
    fn trained(mut meddle: impl FnMut(&mut Net) -> Option<Net>) -> (Net, Option<Net>) {
        let norm = NormConfig::Batch(BatchNormConfig::default());
        let mut model = fixture::mlp(&[3, 2], norm, Activation::Tanh);
        if let ModelConfig::Mlp(mlp) = &mut model {
            mlp.block.dropout.rate = 0.3;
        }
        let images = [[1, 0], [0, 1], [3, 2], [2, 5]];
        let batches = fixture::batches(&images, &[0, 1, 1, 0]);
        let job = fixture::job(&model, 4);
        let mut net = fixture::net(
            &job,
            &[
                ("blocks.0.linear.weight", &[0.3, -0.2, 0.5, 0.1, 0.4, -0.6]),
                ("blocks.1.linear.weight", &[0.2, 0.7, -0.5, 0.4, 0.9, -0.3]),
                ("blocks.0.epilogue.norm.affine.scale", &[1.0; 3]),
                ("head.weight", &[0.8, -0.1, 0.3, 0.6]),
            ],
        );
        let mut fork = None;
        for step in 0..STEPS {
            if step == STEPS / 2 {
                fork = meddle(&mut net);
            }
            for net in [Some(&mut net), fork.as_mut()].into_iter().flatten() {
                let (pixels, labels) = batches.train(&batches.orders(step), 0, 4);
                net.step(pixels, labels, RateAdjustment::UNCHANGED, |_, _| ());
            }
        }
        (net, fork)
    }

    /// Parameters, and logits in evaluation mode, which depend on the running averages.
    fn state(net: &Net) -> Vec<Vec<f64>> {
        let model = net.model().valid();
        let device = fixture::device().inner();
        let images: Tensor<3> = Tensor::ones([1, 2, 2], (&device, DType::F64));
        let logits = host_f64(model.forward(images, &Pass::evaluate()));
        let values = parameters::values(net.model()).into_iter();
        let values = values.map(|(_, value)| host_f64(value.inner()));
        values.chain([logits]).collect()
    }

    #[test]
    fn a_fork_trains_as_if_it_were_alone() {
        let (plain, _) = trained(|_| None);
        let fault = PlantedFault {
            after: 1,
            at_nll: None,
            layer: 0,
            units: 1,
            repair: crate::recipe::Repair::All,
        };
        let (faulty, fork) = trained(|net| {
            let fork = net.fork();
            net.plant(&fault, &[Some(0)]);
            Some(fork)
        });
        assert_eq!(state(&fork.expect("a fork")), state(&plain));
        assert_ne!(state(&faulty), state(&plain));
        let (alone, _) = trained(|net| {
            net.plant(&fault, &[Some(0)]);
            None
        });
        assert_eq!(state(&faulty), state(&alone));
    }
}
