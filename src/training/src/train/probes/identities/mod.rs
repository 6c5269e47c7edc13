//! Numerical checks of the identities behind the claims, on nets like those of the arm.
//!
//! The nets are trained for a few steps in double precision on every built-in CPU device, so that
//! an identity that holds shows only rounding errors. Each device has its own values. Values that
//! do not apply to an arm, such as a fold without a scale, are left out.

mod bias_cancellation;
mod dropout_variance;
mod dropped_units;
mod folding;
mod population_variance;
mod running_start;
mod weight_scale;

use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::data;
use crate::device;
use crate::train::batch::{Batches, SplitPart};
use crate::train::net::{Net, host_f64};
use crate::train::schedule::RateAdjustment;
use crate::train::{TrainError, build, load};
use crate::trainer::NetJob;
use ablate_models::zoo::{Model, ModelConfig};
use ablate_models::{Pass, Start};
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};

/// Training steps.
const STEPS: usize = 50;

pub(super) struct Identities;

impl ProbeHooks for Identities {
    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        for name in device::built_in_cpu() {
            let measured =
                IdentitySetup::open(context.job, name).and_then(|setup| measure(&setup, results));
            // The job's own net was built from the same parts, so this is not expected.
            if let Err(error) = measured {
                log::warn!("the probe `identities` failed on `{name}`: {error}");
            }
        }
    }
}

fn measure(setup: &IdentitySetup<'_>, results: &mut [ProbeResults]) -> Result<(), TrainError> {
    let mut out = DeviceResults {
        results,
        device: setup.name,
    };
    let mut net = setup.net(setup.job.model)?;
    setup.train(&mut net, STEPS);
    bias_cancellation::measure(setup, &mut out)?;
    folding::measure(setup, &net, &mut out);
    weight_scale::measure(setup, &net, &mut out);
    population_variance::measure(setup, &net, &mut out);
    running_start::measure(setup, &net, &mut out)?;
    dropped_units::measure(setup, &mut out)?;
    dropout_variance::measure(setup, &net, &mut out);
    Ok(())
}

/// Data and recipe of a job on one device, in double precision.
struct IdentitySetup<'a> {
    job: &'a NetJob<'a>,
    name: &'static str,
    device: Device,
    batches: Batches,
    /// Order of the training examples, one list per replica.
    orders: Vec<Vec<u32>>,
}

impl<'a> IdentitySetup<'a> {
    fn open(job: &'a NetJob<'a>, name: &'static str) -> Result<Self, TrainError> {
        let device = device::open(name)?.autodiff();
        let batches = load(job, &data::load(job.data)?, &device, DType::F64)?;
        Ok(Self {
            orders: batches.orders(0),
            job,
            name,
            device,
            batches,
        })
    }

    /// Builds a net of `model` with its initial weights.
    fn net(&self, model: &ModelConfig) -> Result<Net, TrainError> {
        let seeds: Vec<u64> = self.job.cells.iter().map(|cell| cell.seed).collect();
        let start = Start::new(seeds, &self.device).double();
        build(self.job, model, &self.batches, start)
    }

    /// Returns pixels and labels of step `step`, with `n` examples.
    fn batch(&self, step: usize, n: usize) -> (Tensor<3>, Tensor<2, burn::tensor::Int>) {
        let at = step % (self.batches.len(SplitPart::Train) / n);
        self.batches.train(&self.orders, at * n, n)
    }

    fn train(&self, net: &mut Net, steps: usize) {
        let n = self.job.train.batch_size;
        for step in 0..steps {
            let (pixels, labels) = self.batch(step, n);
            net.step(pixels, labels, RateAdjustment::UNCHANGED, |_, _| ());
        }
    }

    fn replicas(&self) -> usize {
        self.batches.replicas()
    }

    /// Returns the largest difference between the logits of two models (without gradients) on the
    /// first batch, relative to the largest logit of the first model.
    fn logit_difference(&self, a: &Model, b: &Model, pass: &Pass<'_>) -> Vec<f64> {
        let (pixels, _) = self.batch(0, self.job.train.batch_size);
        let logits = |model: &Model| host_f64(model.forward(pixels.clone().inner(), pass));
        relative(&logits(a), &logits(b), self.replicas())
    }
}

/// Returns the largest difference per replica, relative to the largest absolute value of `a`.
fn relative(a: &[f64], b: &[f64], replicas: usize) -> Vec<f64> {
    let each = a.len() / replicas;
    let pairs = a.chunks(each).zip(b.chunks(each));
    let of = |(a, b): (&[f64], &[f64])| {
        let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        largest(difference) / largest(a.iter().map(|x| x.abs()))
    };
    pairs.map(of).collect()
}

/// Returns the largest of some absolute values; NaN if any is NaN.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(
        0.0,
        |largest: f64, x| if x.is_nan() { x } else { largest.max(x) },
    )
}

/// Records the values of one device.
struct DeviceResults<'a> {
    results: &'a mut [ProbeResults],
    device: &'static str,
}

impl DeviceResults<'_> {
    fn put(&mut self, name: &str, values: &[f64]) {
        let name = format!("{name}.{}", self.device);
        for (result, value) in self.results.iter_mut().zip(values) {
            result.put_value(&name, *value);
        }
    }
}

/// Returns a copy of the net for evaluation that shares nothing with it.
fn evaluation_copy(net: &Net) -> Model {
    net.model().valid()
}
