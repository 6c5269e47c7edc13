//! A net in double precision that repeats each step of a device from the device's weights.

use super::distance::{each, larger};
use super::steps::{
    CellSteps, PIXELS, StepInput, StepValues, host_all, like, perturb, perturbed, with_values,
};
use crate::train::TrainError;
use crate::train::batch::Batches;
use crate::train::net::host_f64;
use crate::train::optimizer::Optimizer;
use crate::train::parameters::{self, map_gradients};
use ablate_models::Pass;
use ablate_models::zoo::Model;
use ablate_streams::Stream;
use burn::tensor::{DType, Device, Gradients, Int, Tensor};

/// Units in the last place by which numbers change in the search for kinks. Not only weights are
/// rounded in a forward pass but also sums, such as those of a batch norm over tens of thousands of
/// values, so one unit is too few.
const PERTURBATION: f64 = 32.0;

/// A model, and an optimizer that receives the device's gradients only.
pub(super) struct F64Reference {
    batches: Batches,
    model: Model,
    optimizer: Optimizer,
}

impl F64Reference {
    pub(super) fn new(cell_steps: &CellSteps<'_>, device: &Device) -> Result<Self, TrainError> {
        let device = device.clone().autodiff();
        let batches = cell_steps.batches(&device, DType::F64);
        let model = cell_steps.model(&batches, &device, DType::F64)?;
        Ok(Self {
            optimizer: cell_steps.optimizer(&model),
            batches,
            model,
        })
    }

    /// The exact values of a step from the parameters `before`: the loss, the gradients, and the new
    /// values for the device's `gradients`.
    pub(super) fn step(
        &mut self,
        cell_steps: &CellSteps<'_>,
        input: &StepInput,
        before: &[Vec<f64>],
        gradients: &[Vec<f64>],
    ) -> StepValues {
        let model = with_values(self.model.clone(), before);
        let batch = input.examples(cell_steps, &self.batches);
        let (loss, mut found) = self.backward(cell_steps, input, &model, batch);
        let exact = host_all(parameters::gradients(&model, &found));
        map_gradients(&model, &mut found, |index, old| {
            like(&old, gradients[index].clone())
        });
        self.model = self.optimizer.step(model, &mut found, input.pace);
        StepValues {
            loss,
            gradients: exact,
            values: host_all(parameters::values(&self.model)),
        }
    }

    /// The distance of the gradients from `exact` when the last bits of the parameters `before` and of
    /// the pixels change as drawn from `stream`.
    pub(super) fn perturbed(
        &self,
        cell_steps: &CellSteps<'_>,
        input: &StepInput,
        before: &[Vec<f64>],
        exact: &[Vec<f64>],
        stream: &Stream,
    ) -> Vec<f64> {
        let model = perturbed(
            with_values(self.model.clone(), before),
            PERTURBATION,
            stream,
        );
        let (pixels, labels) = input.examples(cell_steps, &self.batches);
        let shape = pixels.dims();
        let flat = pixels.reshape([1, shape.iter().product()]);
        let pixels = perturb(&flat, PERTURBATION, stream, PIXELS).reshape(shape);
        let (_, found) = self.backward(cell_steps, input, &model, (pixels, labels));
        each(exact, &host_all(parameters::gradients(&model, &found)))
    }

    fn backward(
        &self,
        cell_steps: &CellSteps<'_>,
        input: &StepInput,
        model: &Model,
        (pixels, labels): (Tensor<3>, Tensor<2, Int>),
    ) -> (f64, Gradients) {
        let logits = model.forward(pixels, &Pass::train_at(input.index as u64));
        let losses = ablate_kernels::cross_entropy(logits, labels);
        let sum = losses.clone().sum() * cell_steps.job.train.loss_scale;
        (host_f64(losses.inner())[0], sum.backward())
    }
}

/// The largest change of each gradient over several draws.
pub(super) fn max_over_draws(so_far: Option<Vec<f64>>, draw: Vec<f64>) -> Vec<f64> {
    match so_far {
        Some(so_far) => larger(&so_far, &draw),
        None => draw,
    }
}
