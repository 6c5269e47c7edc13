//! The steps of one cell, and a net that takes them on a device.

use crate::data::{self, Prepared};
use crate::train::batch::Batches;
use crate::train::net::{Net, host_f64};
use crate::train::optimizer::Optimizer;
use crate::train::parameters::{gradients, map_parameters, values};
use crate::train::schedule::{self, RateAdjustment};
use crate::train::{TrainError, build};
use crate::trainer::{Job, NetJob};
use ablate_models::zoo::Model;
use ablate_models::{Pass, Start};
use ablate_streams::{Purpose, Stream};
use burn::tensor::{DType, Device, Gradients, Int, Tensor, TensorData};
use std::sync::Arc;

/// A cell and the first steps of its training.
pub(crate) struct CellSteps<'a> {
    /// The job, with this cell only.
    pub(crate) job: NetJob<'a>,
    data: Arc<Prepared>,
    /// Number of steps.
    pub(crate) steps: usize,
    steps_per_epoch: usize,
}

impl<'a> CellSteps<'a> {
    /// The first `steps` steps of the cell of `job`; fewer if the training ends or plants a fault
    /// before.
    pub(crate) fn new(job: &'a Job, steps: usize) -> Result<Self, TrainError> {
        let job = job.net().ok_or(TrainError::Program)?;
        let dataset = data::load(job.data)?;
        let data = data::prepare_from(dataset, job.data, job.cells[0].seed)?;
        let (examples, batch) = (data.split.train.len(), job.train.batch_size);
        if batch > examples {
            return Err(TrainError::Batch { batch, examples });
        }
        let steps_per_epoch = examples / batch;
        let fault = job
            .train
            .fault
            .as_ref()
            .map(|f| f.step(job.train, steps_per_epoch));
        let end = fault
            .unwrap_or(usize::MAX)
            .min(job.train.length.steps(steps_per_epoch));
        Ok(Self {
            job,
            data: Arc::new(data),
            steps: steps.min(end),
            steps_per_epoch,
        })
    }

    pub(crate) fn seed(&self) -> u64 {
        self.job.cells[0].seed
    }

    /// The batches of the cell on `device`.
    pub(super) fn batches(&self, device: &Device, dtype: DType) -> Batches {
        let cell = (self.seed(), Arc::clone(&self.data));
        Batches::new(vec![cell], device, dtype)
    }

    /// A net with its start weights, on the device of `batches`.
    pub(super) fn net(
        &self,
        batches: &Batches,
        device: &Device,
        dtype: DType,
    ) -> Result<Net, TrainError> {
        build(
            &self.job,
            self.job.model,
            batches,
            self.start(device, dtype),
        )
    }

    /// A net whose start weights are changed by up to a unit in the last place of single precision.
    fn perturbed(&self, batches: &Batches, device: &Device, run: usize) -> Result<Net, TrainError> {
        let stream = Stream::new(self.seed(), Purpose::Probe, &format!("yardstick.{run}"));
        let model = perturbed(self.model(batches, device, DType::F32)?, 1.0, &stream);
        let optimizer = self.optimizer(&model);
        Ok(Net::new(model, optimizer, self.job.train.loss_scale))
    }

    /// A model with its start weights.
    pub(super) fn model(
        &self,
        batches: &Batches,
        device: &Device,
        dtype: DType,
    ) -> Result<Model, TrainError> {
        let (input, classes) = batches.shape();
        Ok(self
            .job
            .model
            .init(input, classes, &self.start(device, dtype))?)
    }

    /// An optimizer of `model`.
    pub(super) fn optimizer(&self, model: &Model) -> Optimizer {
        let rates = self.job.learning_rates();
        Optimizer::new(self.job.train, &rates, model, &[self.seed()])
    }

    fn start(&self, device: &Device, dtype: DType) -> Start {
        let start = Start::new([self.seed()], device);
        match dtype {
            DType::F64 => start.double(),
            _ => start,
        }
    }

    /// The input of step `index`, from 0.
    pub(super) fn input(&self, batches: &Batches, index: usize) -> StepInput {
        let epoch = index / self.steps_per_epoch;
        let train = &self.job.train;
        let steps = train.length.steps(self.steps_per_epoch);
        StepInput {
            index,
            epoch,
            orders: batches.orders(epoch),
            from: (index % self.steps_per_epoch) * train.batch_size,
            pace: schedule::adjustment(&train.schedule, index as u64, self.steps_per_epoch, steps),
        }
    }
}

/// The input of a step, the same for all nets.
pub(super) struct StepInput {
    /// The step, from 0.
    pub(super) index: usize,
    epoch: usize,
    orders: Vec<Vec<u32>>,
    from: usize,
    pub(super) pace: RateAdjustment,
}

impl StepInput {
    /// The examples of the step, on the device of `batches`.
    pub(super) fn examples(
        &self,
        cell_steps: &CellSteps<'_>,
        batches: &Batches,
    ) -> (Tensor<3>, Tensor<2, Int>) {
        let n = cell_steps.job.train.batch_size;
        batches.augmented(&self.orders, self.epoch, self.from, n)
    }
}

/// Callback with the model and its gradients before the update.
pub(super) type OnGradients<'a> = &'a mut dyn FnMut(&Model, &Gradients);

/// A net that takes training steps.
pub(super) trait SteppedNet {
    /// The model in its present state.
    fn model(&self) -> &Model;

    /// Takes a step and returns the loss of each replica before the update.
    fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        pace: RateAdjustment,
        on_gradients: OnGradients<'_>,
    ) -> Tensor<1>;

    /// The logits of another model of the same kind.
    fn forward(&self, model: &Model, pixels: Tensor<3>, pass: &Pass<'_>) -> Tensor<3> {
        model.forward(pixels, pass)
    }
}

impl SteppedNet for Net {
    fn model(&self) -> &Model {
        self.model()
    }

    fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        pace: RateAdjustment,
        on_gradients: OnGradients<'_>,
    ) -> Tensor<1> {
        self.step(pixels, labels, pace, on_gradients).losses
    }
}

/// A net on a device, with its batches.
pub(super) struct DeviceNet {
    pub(super) net: Box<dyn SteppedNet>,
    pub(super) batches: Batches,
    pub(super) device: Device,
    pub(super) dtype: DType,
}

/// The values of a step.
pub(super) struct StepValues {
    pub(super) loss: f64,
    /// One list per parameter, before the update.
    pub(super) gradients: Vec<Vec<f64>>,
    /// One list per parameter, after the update.
    pub(super) values: Vec<Vec<f64>>,
}

impl DeviceNet {
    /// The net of `cell_steps` on `device`.
    pub(super) fn new(
        cell_steps: &CellSteps<'_>,
        device: &Device,
        dtype: DType,
    ) -> Result<Self, TrainError> {
        let device = device.clone().autodiff();
        let batches = cell_steps.batches(&device, dtype);
        let net = cell_steps.net(&batches, &device, dtype)?;
        Ok(Self {
            net: Box::new(net),
            batches,
            device,
            dtype,
        })
    }

    /// The net in single precision with changed start weights.
    pub(super) fn perturbed(
        cell_steps: &CellSteps<'_>,
        device: &Device,
        run: usize,
    ) -> Result<Self, TrainError> {
        let mut device_net = Self::new(cell_steps, device, DType::F32)?;
        device_net.net =
            Box::new(cell_steps.perturbed(&device_net.batches, &device_net.device, run)?);
        Ok(device_net)
    }

    /// Takes the step `input`.
    pub(super) fn step(&mut self, cell_steps: &CellSteps<'_>, input: &StepInput) -> StepValues {
        let (pixels, labels) = input.examples(cell_steps, &self.batches);
        let mut found = Vec::new();
        let mut on_gradients =
            |model: &Model, all: &Gradients| found = host_all(gradients(model, all));
        let loss = self.net.step(pixels, labels, input.pace, &mut on_gradients);
        StepValues {
            loss: host_f64(loss)[0],
            gradients: found,
            values: self.values(),
        }
    }

    /// The values of the parameters.
    pub(super) fn values(&self) -> Vec<Vec<f64>> {
        host_all(values(self.net.model()))
    }

    /// The paths of the parameters, in the order of the forward pass.
    pub(super) fn paths(&self) -> Vec<String> {
        let all = values(self.net.model());
        all.into_iter().map(|(path, _)| path).collect()
    }
}

pub(super) fn host_all(tensors: Vec<(String, Tensor<2>)>) -> Vec<Vec<f64>> {
    tensors.into_iter().map(|(_, t)| host_f64(t)).collect()
}

/// `model` with parameters `values`.
pub(super) fn with_values(model: Model, values: &[Vec<f64>]) -> Model {
    map_parameters(model, |index, _, old| like(&old, values[index].clone()))
}

/// The step of the random stream that is for pixels.
pub(super) const PIXELS: u64 = u64::MAX;

/// `model` with every number changed by `-most`, 0 or `most` units in the last place of single
/// precision, relative to the next lower power of two.
pub(super) fn perturbed(model: Model, most: f64, stream: &Stream) -> Model {
    map_parameters(model, |index, _, old| {
        perturb(&old, most, stream, index as u64)
    })
}

/// `old` with every number changed in the same way, by the draws of `step` of `stream`.
pub(super) fn perturb(old: &Tensor<2>, most: f64, stream: &Stream, step: u64) -> Tensor<2> {
    let unit = most * f64::from(f32::EPSILON);
    let thirds = stream.uniforms(step).map(|u| (3.0 * u).floor() - 1.0);
    let values = host_f64(old.clone()).into_iter().zip(thirds);
    like(
        old,
        values
            .map(|(value, sign)| value * (1.0 + unit * sign))
            .collect(),
    )
}

/// A tensor with the shape, type and device of `old`.
pub(super) fn like<const D: usize>(old: &Tensor<D>, values: Vec<f64>) -> Tensor<D> {
    let data = TensorData::new(values, old.dims()).convert_dtype(old.dtype());
    Tensor::from_data(data, (&old.device(), old.dtype()))
}
