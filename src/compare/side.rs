//! One net on one device, step by step, and what can be seen of it from outside.

use super::parameters::{changed, gradients, values};
use crate::data::{self, Dataset};
use crate::run::trainer::Job;
use crate::spec::PlantedFault;
use crate::train::batch::Batches;
use crate::train::net::{Net, host_f64};
use crate::train::schedule::{self, Pace};
use crate::train::optimizer::Optimizer;
use crate::train::{TrainError, build, load};
use ablate_models::streams::{Purpose, Stream};
use ablate_models::zoo::Model;
use ablate_models::{Pass, Start};
use burn::tensor::{DType, Device, Gradients, Int, Tensor, TensorData};
use std::sync::Arc;

/// A cell and the first steps of its training.
pub(crate) struct Course<'a> {
    /// The cell; it is the only one of its job.
    pub(crate) job: &'a Job,
    dataset: Arc<Dataset>,
    /// How many steps.
    pub(crate) steps: usize,
    steps_per_epoch: usize,
}

impl<'a> Course<'a> {
    /// The first `steps` steps of the cell of `job`, or all where it has fewer.
    pub(crate) fn new(job: &'a Job, steps: usize) -> Result<Self, TrainError> {
        let dataset = data::load(job.data.name)?;
        let split = data::prepare_from(Arc::clone(&dataset), &job.data, job.cells[0].seed)?.split;
        let (examples, batch) = (split.train.len(), job.train.batch_size);
        if batch > examples {
            return Err(TrainError::Batch { batch, examples });
        }
        let steps_per_epoch = examples / batch;
        Ok(Self {
            job,
            dataset,
            steps: steps.min(job.train.length.steps(steps_per_epoch)),
            steps_per_epoch,
        })
    }

    pub(crate) fn seed(&self) -> u64 {
        self.job.cells[0].seed
    }

    /// The batches of the cell on `device`.
    pub(super) fn batches(&self, device: &Device, dtype: DType) -> Result<Batches, TrainError> {
        load(self.job, &self.dataset, device, dtype)
    }

    /// A net at its start where `batches` are.
    pub(super) fn net(&self, batches: &Batches, device: &Device, dtype: DType) -> Result<Net, TrainError> {
        build(self.job, &self.job.model, batches, self.start(device, dtype))
    }

    /// The same, whose start weights are off by up to a unit in the last place of single precision.
    fn nudged(&self, batches: &Batches, device: &Device, run: usize) -> Result<Net, TrainError> {
        let start = self.start(device, DType::F32);
        let (input, classes) = batches.shape();
        let stream = Stream::new(self.seed(), Purpose::Probe, &format!("yardstick.{run}"));
        let model = nudge(self.job.model.init(input, classes, &start)?, &stream);
        let rates = [self.job.cells[0].learning_rate];
        let optimizer = Optimizer::new(&self.job.train, &rates, &model, &start.seeds);
        Ok(Net::new(model, optimizer, self.job.train.loss_scale))
    }

    /// A model whose parameters have `values`, in their order.
    pub(super) fn model(
        &self,
        side: &Side,
        values: &[Vec<f64>],
    ) -> Result<Model, TrainError> {
        let (input, classes) = side.batches.shape();
        let start = self.start(&side.device, side.dtype);
        let model = self.job.model.init(input, classes, &start)?;
        Ok(changed(model, |index, _, old| {
            let data = TensorData::new(values[index].clone(), old.dims());
            let data = data.convert_dtype(side.dtype);
            Tensor::from_data(data, (&old.device(), side.dtype))
        }))
    }

    fn start(&self, device: &Device, dtype: DType) -> Start {
        let start = Start::new([self.seed()], device);
        match dtype {
            DType::F64 => start.double(),
            _ => start,
        }
    }

    /// Step number `index`, from 0.
    pub(super) fn moment(&self, batches: &Batches, index: usize) -> Moment {
        let epoch = index / self.steps_per_epoch;
        let train = &self.job.train;
        let steps = train.length.steps(self.steps_per_epoch);
        Moment {
            index,
            orders: batches.orders(epoch),
            from: (index % self.steps_per_epoch) * train.batch_size,
            pace: schedule::pace(&train.schedule, index as u64, self.steps_per_epoch, steps),
        }
    }
}

/// A step that all nets take.
pub(super) struct Moment {
    /// Its number, from 0.
    pub(super) index: usize,
    orders: Vec<Vec<u32>>,
    from: usize,
    pace: Pace,
}

/// What takes the steps.
pub(super) trait Trainee {
    /// The net as it is.
    fn model(&self) -> &Model;

    /// One step; `watch` sees model and gradients before the parameters move. The loss of each
    /// replica before the step.
    fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        pace: Pace,
        watch: &mut dyn FnMut(&Model, &Gradients),
    ) -> Tensor<1>;

    /// The logits of another model of its kind.
    fn forward(&self, model: &Model, pixels: Tensor<3>, pass: &Pass<'_>) -> Tensor<3> {
        model.forward(pixels, pass)
    }

    /// Plants a fault in the net.
    fn plant(&mut self, fault: &PlantedFault, seed: u64);
}

impl Trainee for Net {
    fn model(&self) -> &Model {
        self.model()
    }

    fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        pace: Pace,
        watch: &mut dyn FnMut(&Model, &Gradients),
    ) -> Tensor<1> {
        self.step(pixels, labels, pace, watch).losses
    }

    fn plant(&mut self, fault: &PlantedFault, seed: u64) {
        self.plant(fault, &[seed]);
    }
}

/// A net, where it is and what it is fed.
pub(super) struct Side {
    pub(super) trainee: Box<dyn Trainee>,
    pub(super) batches: Batches,
    pub(super) device: Device,
    pub(super) dtype: DType,
}

/// What a step shows.
pub(super) struct Seen {
    pub(super) loss: f64,
    /// One list a parameter, before the step.
    pub(super) gradients: Vec<Vec<f64>>,
    /// Likewise, after the step.
    pub(super) values: Vec<Vec<f64>>,
}

impl Side {
    /// The cell of `course` on `device`.
    pub(super) fn new(course: &Course<'_>, device: &Device, dtype: DType) -> Result<Self, TrainError> {
        let device = device.clone().autodiff();
        let batches = course.batches(&device, dtype)?;
        let net = course.net(&batches, &device, dtype)?;
        Ok(Self {
            trainee: Box::new(net),
            batches,
            device,
            dtype,
        })
    }

    /// The same in single precision, nudged.
    pub(super) fn nudged(course: &Course<'_>, device: &Device, run: usize) -> Result<Self, TrainError> {
        let mut side = Self::new(course, device, DType::F32)?;
        side.trainee = Box::new(course.nudged(&side.batches, &side.device, run)?);
        Ok(side)
    }

    /// Takes the step `moment` of `course`.
    pub(super) fn step(&mut self, course: &Course<'_>, moment: &Moment) -> Seen {
        let train = &course.job.train;
        if let Some(fault) = &train.fault
            && fault.step(train, course.steps_per_epoch) == moment.index
        {
            self.trainee.plant(fault, course.seed());
        }
        let (pixels, labels) = self.examples(course, moment);
        let mut found = Vec::new();
        let mut watch = |model: &Model, all: &Gradients| found = host_all(gradients(model, all));
        let loss = self.trainee.step(pixels, labels, moment.pace, &mut watch);
        Seen {
            loss: host_f64(loss)[0],
            gradients: found,
            values: self.values(),
        }
    }

    /// The examples of a step.
    pub(super) fn examples(&self, course: &Course<'_>, moment: &Moment) -> (Tensor<3>, Tensor<2, Int>) {
        self.batches.train(&moment.orders, moment.from, course.job.train.batch_size)
    }

    /// The values of the parameters.
    pub(super) fn values(&self) -> Vec<Vec<f64>> {
        host_all(values(self.trainee.model()))
    }

    /// The paths of the parameters, in the order in which a forward pass uses them.
    pub(super) fn paths(&self) -> Vec<String> {
        let all = values(self.trainee.model());
        all.into_iter().map(|(path, _)| path).collect()
    }
}

fn host_all(tensors: Vec<(String, Tensor<2>)>) -> Vec<Vec<f64>> {
    tensors.into_iter().map(|(_, t)| host_f64(t)).collect()
}

/// `model`, every parameter of which is off by -1, 0 or 1 units in the last place of the numbers just
/// below a power of two.
fn nudge(model: Model, stream: &Stream) -> Model {
    const UNIT: f64 = f32::EPSILON as f64;
    changed(model, |index, _, old| {
        let n = old.shape().num_elements();
        let units = stream.uniforms(index as u64).take(n);
        let factors: Vec<f64> = units.map(|u| 1.0 + UNIT * ((3.0 * u).floor() - 1.0)).collect();
        let values = host_f64(old.clone());
        let moved = values.iter().zip(factors).map(|(v, f)| v * f).collect();
        let data = TensorData::new(moved, old.dims()).convert_dtype(DType::F32);
        Tensor::from_data(data, (&old.device(), DType::F32))
    })
}
