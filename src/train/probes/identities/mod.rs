//! The identities behind the claims, measured on nets like the arm's.
//!
//! They are trained here for a few steps in double precision, on every CPU device that is built in,
//! so that an identity shows as rounding and its failure as anything else. A value belongs to a
//! device; what an arm has nothing for, such as a fold without a scale, it has no value of.

mod bias;
mod dropped;
mod folds;
mod population;
mod size;
mod start;
mod variance;

use super::{Findings, Run, Watcher};
use crate::data;
use crate::device;
use crate::train::batch::{Batches, Part};
use crate::train::net::{Net, host_f64};
use crate::train::schedule::Pace;
use crate::train::{TrainError, build, load};
use crate::trainer::Job;
use ablate_models::zoo::{Model, ModelConfig};
use ablate_models::{Pass, Start};
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};

/// Steps that the nets take.
const STEPS: usize = 50;

pub(super) struct Identities;

impl Watcher for Identities {
    fn finish(&mut self, run: &Run<'_>, found: &mut [Findings]) {
        for name in device::built_in_cpu() {
            let measured = Lab::open(run.job, name).and_then(|lab| measure(&lab, found));
            // The job's own net was built from the same parts.
            if let Err(error) = measured {
                log::warn!("no identities on `{name}`: {error}");
            }
        }
    }
}

fn measure(lab: &Lab<'_>, found: &mut [Findings]) -> Result<(), TrainError> {
    let mut out = Sink {
        found,
        device: lab.name,
    };
    let mut net = lab.net(&lab.job.model)?;
    lab.train(&mut net, STEPS);
    bias::measure(lab, &mut out)?;
    folds::measure(lab, &net, &mut out);
    size::measure(lab, &net, &mut out);
    population::measure(lab, &net, &mut out);
    start::measure(lab, &net, &mut out)?;
    dropped::measure(lab, &mut out)?;
    variance::measure(lab, &net, &mut out);
    Ok(())
}

/// A job's data and recipe on one device in double precision.
struct Lab<'a> {
    job: &'a Job,
    name: &'static str,
    device: Device,
    batches: Batches,
    /// The order of the training examples, one list a replica.
    orders: Vec<Vec<u32>>,
}

impl<'a> Lab<'a> {
    fn open(job: &'a Job, name: &'static str) -> Result<Self, TrainError> {
        let device = device::open(name)?.autodiff();
        let batches = load(job, &data::load(job.data.name)?, &device, DType::F64)?;
        Ok(Self {
            orders: batches.orders(0),
            job,
            name,
            device,
            batches,
        })
    }

    /// A net of `model` at its start.
    fn net(&self, model: &ModelConfig) -> Result<Net, TrainError> {
        let seeds: Vec<u64> = self.job.cells.iter().map(|cell| cell.seed).collect();
        let start = Start::new(seeds, &self.device).double();
        build(self.job, model, &self.batches, start)
    }

    /// The pixels and labels of step `step`, of `n` examples.
    fn batch(&self, step: usize, n: usize) -> (Tensor<3>, Tensor<2, burn::tensor::Int>) {
        let at = step % (self.batches.len(Part::Train) / n);
        self.batches.train(&self.orders, at * n, n)
    }

    fn train(&self, net: &mut Net, steps: usize) {
        let n = self.job.train.batch_size;
        for step in 0..steps {
            let (pixels, labels) = self.batch(step, n);
            net.step(pixels, labels, Pace::CONSTANT, |_, _| ());
        }
    }

    fn replicas(&self) -> usize {
        self.batches.replicas()
    }

    /// How far the logits of two nets without gradients are apart in `pass` on the first batch,
    /// relative to the largest of the first net's.
    fn apart(&self, a: &Model, b: &Model, pass: &Pass<'_>) -> Vec<f64> {
        let (pixels, _) = self.batch(0, self.job.train.batch_size);
        let logits = |model: &Model| host_f64(model.forward(pixels.clone().inner(), pass));
        relative(&logits(a), &logits(b), self.replicas())
    }
}

/// The largest difference in each replica, relative to the largest size of `a` there.
fn relative(a: &[f64], b: &[f64], replicas: usize) -> Vec<f64> {
    let each = a.len() / replicas;
    let pairs = a.chunks(each).zip(b.chunks(each));
    let of = |(a, b): (&[f64], &[f64])| {
        let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        largest(difference) / largest(a.iter().map(|x| x.abs()))
    };
    pairs.map(of).collect()
}

/// The largest of some sizes; not a number where one of them is not.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most: f64, x| if x.is_nan() { x } else { most.max(x) })
}

/// Takes the values of one device.
struct Sink<'a> {
    found: &'a mut [Findings],
    device: &'static str,
}

impl Sink<'_> {
    fn put(&mut self, name: &str, values: &[f64]) {
        let name = format!("{name}.{}", self.device);
        for (findings, value) in self.found.iter_mut().zip(values) {
            findings.put(&name, *value);
        }
    }
}

/// A copy of the net for evaluation that shares nothing with it.
fn copy(net: &Net) -> Model {
    net.model().valid()
}
