//! Comparison of the first steps of a training on a device with the same steps in double precision on a
//! CPU.
//!
//! Two trainings with the same start diverge on any device: each step amplifies rounding, and now and
//! then a unit crosses the kink of its activation in one training only. So each step is compared alone.
//! The *reference*, in double precision, takes the device's weights and computes their loss and
//! gradients; then it takes the device's gradients and computes the new weights. What remains is the
//! rounding error of one step. It is judged by the *baseline*: single precision on the CPU, compared in
//! the same way; [`crate::compare::analysis::bound`] has the rule. The drift of the loss from a
//! training in double precision is recorded as well, but not tested.

#[cfg(test)]
pub(crate) mod broken;
mod distance;
mod forward;
mod reference;
mod steps;

use crate::compare::analysis::bound::{Quantity, violation_at};
use crate::compare::results::{Distances, ForwardDeviation, Kink, Parity, RoundingBaseline};
use crate::device;
use crate::train::TrainError;
use crate::trainer::{Job, StopFlag};
use ablate_streams::{Purpose, Stream};
use burn::tensor::{DType, Device};
use distance::{StepDistances, largest, relative, short};
use forward::locate_deviation;
use reference::{F64Reference, max_over_draws};
use steps::{CellSteps, DeviceNet, StepInput, StepValues};

/// Runs of the baseline.
const RUNS: usize = 5;

/// Most draws of the last bits per step.
const DRAWS: usize = 64;

/// The rounding error of single precision over the first `steps` steps of the only cell of `job`, on
/// its CPU device; `None` if stopped.
///
/// # Errors
/// If the device, the data or the model is not available.
pub fn baseline(
    job: &Job,
    steps: usize,
    stop: &StopFlag,
) -> Result<Option<RoundingBaseline>, TrainError> {
    let cell_steps = &CellSteps::new(job, steps)?;
    let device = device::open(&job.device)?;
    let mut truth = DeviceNet::new(cell_steps, &device, DType::F64)?;
    let perturbed = |run| {
        TestedDevice::new(
            cell_steps,
            DeviceNet::perturbed(cell_steps, &device, run)?,
            &device,
        )
    };
    let mut runs = (0..RUNS).map(perturbed).collect::<Result<Vec<_>, _>>()?;
    let paths = truth.paths();
    let mut found = Distances::none(&paths);
    let mut drift = Vec::new();
    let mut sizes = vec![0.0f64; paths.len()];
    let mut most: Option<StepDistances> = None;
    let mut farthest = 0.0f64;
    for index in 0..cell_steps.steps {
        if stop.stopped() {
            return Ok(None);
        }
        let input = cell_steps.input(&truth.batches, index);
        let exact = truth.step(cell_steps, &input);
        let mut steps = Vec::with_capacity(RUNS);
        for run in &mut runs {
            let step = run.step(cell_steps, &input);
            for (size, gradient) in sizes.iter_mut().zip(&step.exact.gradients) {
                *size = size.max(largest(gradient));
            }
            farthest = farthest.max(relative(&[exact.loss], &[step.seen.loss]));
            steps.push(StepDistances::of(&step.exact, &step.seen));
        }
        let usual = StepDistances::median(&steps);
        let so_far = most.map_or(usual.clone(), |most| most.larger(&usual));
        found.push(&so_far);
        most = Some(so_far);
        drift.push(farthest);
    }
    Ok(Some(RoundingBaseline {
        device: job.device.clone(),
        seed: cell_steps.seed(),
        runs: RUNS,
        largest: found,
        drift,
        gradients: sizes.into_iter().map(short).collect(),
    }))
}

/// The distances of the device of `job` from double precision over the first steps of its only cell, as
/// many as `baseline` has; `None` if stopped.
///
/// # Errors
/// If a device, the data or the model is not available.
pub fn parity(
    job: &Job,
    baseline: &RoundingBaseline,
    stop: &StopFlag,
) -> Result<Option<Parity>, TrainError> {
    let cell_steps = CellSteps::new(job, baseline.largest.steps())?;
    let device_net = DeviceNet::new(&cell_steps, &device::open(&job.device)?, DType::F32)?;
    compare(&cell_steps, device_net, baseline, stop)
}

/// [`parity`] of any net.
fn compare(
    cell_steps: &CellSteps<'_>,
    device_net: DeviceNet,
    baseline: &RoundingBaseline,
    stop: &StopFlag,
) -> Result<Option<Parity>, TrainError> {
    let cpu = device::open(&baseline.device)?;
    let mut truth = DeviceNet::new(cell_steps, &cpu, DType::F64)?;
    let mut device = TestedDevice::new(cell_steps, device_net, &cpu)?;
    let mut parity = Parity {
        distances: Distances::none(&truth.paths()),
        drift: Vec::new(),
        kinks: Vec::new(),
        forward: None,
    };
    let mut within_bounds = true;
    for index in 0..cell_steps.steps {
        if stop.stopped() {
            return Ok(None);
        }
        let input = cell_steps.input(&truth.batches, index);
        let exact = truth.step(cell_steps, &input);
        let step = device.step(cell_steps, &input);
        parity
            .drift
            .push(relative(&[exact.loss], &[step.seen.loss]));
        parity
            .distances
            .push(&StepDistances::of(&step.exact, &step.seen));
        if within_bounds {
            device.detect_kinks(cell_steps, &input, &step, &mut parity, baseline);
            let broken = violation_at(&parity, baseline, index);
            within_bounds = broken.is_none();
            if broken.is_some_and(|b| b.quantity == Quantity::Loss) {
                parity.forward =
                    Some(device.locate_deviation(cell_steps, &input, &step.before, &cpu)?);
            }
        }
    }
    Ok(Some(parity))
}

/// A net on a device, with its reference.
struct TestedDevice {
    device_net: DeviceNet,
    reference: F64Reference,
    values: Vec<Vec<f64>>,
}

/// A step of a net.
struct Step {
    /// The parameters before the step.
    before: Vec<Vec<f64>>,
    /// The values on the device.
    seen: StepValues,
    /// The values of the reference.
    exact: StepValues,
}

impl TestedDevice {
    /// `device_net` with a reference on `cpu`.
    fn new(
        cell_steps: &CellSteps<'_>,
        device_net: DeviceNet,
        cpu: &Device,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            reference: F64Reference::new(cell_steps, cpu)?,
            values: device_net.values(),
            device_net,
        })
    }

    fn step(&mut self, cell_steps: &CellSteps<'_>, input: &StepInput) -> Step {
        let seen = self.device_net.step(cell_steps, input);
        let before = std::mem::replace(&mut self.values, seen.values.clone());
        let exact = self
            .reference
            .step(cell_steps, input, &before, &seen.gradients);
        Step {
            before,
            seen,
            exact,
        }
    }

    /// Tests whether a gradient beyond its bound is at a kink, that is, whether the exact gradient
    /// changes as much when the last bits of the weights change. If so, records the kink.
    fn detect_kinks(
        &self,
        cell_steps: &CellSteps<'_>,
        input: &StepInput,
        step: &Step,
        parity: &mut Parity,
        baseline: &RoundingBaseline,
    ) {
        let in_gradient = |parity: &Parity| {
            let broken = violation_at(parity, baseline, input.index);
            broken.is_some_and(|b| matches!(b.quantity, Quantity::Gradient(_)))
        };
        let mut gradients = None;
        for draw in 0..DRAWS {
            if !in_gradient(parity) {
                return;
            }
            let path = format!("kink.{}.{draw}", input.index);
            let stream = Stream::new(cell_steps.seed(), Purpose::Probe, &path);
            let exact = &step.exact.gradients;
            let shift = self
                .reference
                .perturbed(cell_steps, input, &step.before, exact, &stream);
            let so_far = max_over_draws(gradients, shift);
            parity.kinks.retain(|kink| kink.step != input.index + 1);
            parity.kinks.push(Kink {
                step: input.index + 1,
                gradients: so_far.clone(),
            });
            gradients = Some(so_far);
        }
        if in_gradient(parity) {
            parity.kinks.pop();
        }
    }

    /// The first deviation of the forward pass with parameters `values`.
    fn locate_deviation(
        &self,
        cell_steps: &CellSteps<'_>,
        input: &StepInput,
        values: &[Vec<f64>],
        cpu: &Device,
    ) -> Result<ForwardDeviation, TrainError> {
        let double = DeviceNet::new(cell_steps, cpu, DType::F64)?;
        let single = DeviceNet::new(cell_steps, cpu, DType::F32)?;
        locate_deviation(
            cell_steps,
            [&double, &single, &self.device_net],
            input,
            values,
        )
    }
}
