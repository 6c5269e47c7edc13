//! The first steps of a training on a device, each beside the same step in double precision on a CPU.
//!
//! Two trainings that start alike drift apart, whoever computes them: rounding is enlarged from step
//! to step, and now and then a unit crosses the kink of its activation in one and not in the other. So
//! a step is not judged by how far the device has drifted, but by itself: a *shadow* in double
//! precision takes the device's weights, and says what loss and gradients they have; then it takes
//! the device's gradients, and says what weights they lead to. What is left is the rounding of one
//! step, judged beside that of the *yardstick*: single precision on the CPU, compared in the same way;
//! [`crate::compare::analysis::bound`] has the rule. The drift is taken down as well, and judged by nobody.

#[cfg(test)]
pub(crate) mod broken;
mod distance;
mod forward;
mod reference;
mod steps;

use crate::compare::analysis::bound::{Quantity, break_at};
use crate::compare::results::{Distances, ForwardBreak, Kink, Parity, Yardstick};
use crate::device;
use crate::train::TrainError;
use crate::trainer::{Job, StopFlag};
use ablate_streams::{Purpose, Stream};
use burn::tensor::{DType, Device};
use distance::{Apart, largest, relative, short};
use forward::localize;
use reference::{Shadow, widened};
use steps::{Course, Moment, Seen, Side};

/// Runs of the yardstick.
const RUNS: usize = 5;

/// Draws of the last bits, at most, where a kink is looked for.
const DRAWS: usize = 64;

/// How far single precision is from double precision over the first `steps` steps of the only cell of
/// `job`, whose device is a CPU; `None` if it was stopped.
///
/// # Errors
/// If the device, the data or the model cannot be had.
pub fn yardstick(
    job: &Job,
    steps: usize,
    stop: &StopFlag,
) -> Result<Option<Yardstick>, TrainError> {
    let course = &Course::new(job, steps)?;
    let device = device::open(&job.device)?;
    let mut truth = Side::new(course, &device, DType::F64)?;
    let nudged = |run| Watched::new(course, Side::nudged(course, &device, run)?, &device);
    let mut runs = (0..RUNS).map(nudged).collect::<Result<Vec<_>, _>>()?;
    let paths = truth.paths();
    let mut found = Distances::none(&paths);
    let mut drift = Vec::new();
    let mut sizes = vec![0.0f64; paths.len()];
    let mut most: Option<Apart> = None;
    let mut farthest = 0.0f64;
    for index in 0..course.steps {
        if stop.stopped() {
            return Ok(None);
        }
        let moment = course.moment(&truth.batches, index);
        let exact = truth.step(course, &moment);
        let mut steps = Vec::with_capacity(RUNS);
        for run in &mut runs {
            let step = run.step(course, &moment);
            for (size, gradient) in sizes.iter_mut().zip(&step.exact.gradients) {
                *size = size.max(largest(gradient));
            }
            farthest = farthest.max(relative(&[exact.loss], &[step.seen.loss]));
            steps.push(Apart::of(&step.exact, &step.seen));
        }
        let usual = Apart::median(&steps);
        let so_far = most.map_or(usual.clone(), |most| most.larger(&usual));
        found.push(&so_far);
        most = Some(so_far);
        drift.push(farthest);
    }
    Ok(Some(Yardstick {
        device: job.device.clone(),
        seed: course.seed(),
        runs: RUNS,
        largest: found,
        drift,
        gradients: sizes.into_iter().map(short).collect(),
    }))
}

/// How far the device of `job` is from double precision over the first steps of the only cell of `job`,
/// as many as `yardstick` has; `None` if it was stopped.
///
/// # Errors
/// If a device, the data or the model cannot be had.
pub fn parity(
    job: &Job,
    yardstick: &Yardstick,
    stop: &StopFlag,
) -> Result<Option<Parity>, TrainError> {
    let course = Course::new(job, yardstick.largest.steps())?;
    let side = Side::new(&course, &device::open(&job.device)?, DType::F32)?;
    compare(&course, side, yardstick, stop)
}

/// [`parity`] of whatever takes the steps.
fn compare(
    course: &Course<'_>,
    side: Side,
    yardstick: &Yardstick,
    stop: &StopFlag,
) -> Result<Option<Parity>, TrainError> {
    let cpu = device::open(&yardstick.device)?;
    let mut truth = Side::new(course, &cpu, DType::F64)?;
    let mut device = Watched::new(course, side, &cpu)?;
    let mut parity = Parity {
        distances: Distances::none(&truth.paths()),
        drift: Vec::new(),
        kinks: Vec::new(),
        forward: None,
    };
    let mut healthy = true;
    for index in 0..course.steps {
        if stop.stopped() {
            return Ok(None);
        }
        let moment = course.moment(&truth.batches, index);
        let exact = truth.step(course, &moment);
        let step = device.step(course, &moment);
        parity
            .drift
            .push(relative(&[exact.loss], &[step.seen.loss]));
        parity.distances.push(&Apart::of(&step.exact, &step.seen));
        if healthy {
            device.look_for_kinks(course, &moment, &step, &mut parity, yardstick);
            let broken = break_at(&parity, yardstick, index);
            healthy = broken.is_none();
            if broken.is_some_and(|b| b.quantity == Quantity::Loss) {
                parity.forward = Some(device.localize(course, &moment, &step.before, &cpu)?);
            }
        }
    }
    Ok(Some(parity))
}

/// A device and its shadow.
struct Watched {
    side: Side,
    shadow: Shadow,
    values: Vec<Vec<f64>>,
}

/// A step of a device.
struct Step {
    /// The parameters before it.
    before: Vec<Vec<f64>>,
    /// What it showed.
    seen: Seen,
    /// What it should have shown.
    exact: Seen,
}

impl Watched {
    /// `side`, with a shadow on `cpu`.
    fn new(course: &Course<'_>, side: Side, cpu: &Device) -> Result<Self, TrainError> {
        Ok(Self {
            shadow: Shadow::new(course, cpu)?,
            values: side.values(),
            side,
        })
    }

    fn step(&mut self, course: &Course<'_>, moment: &Moment) -> Step {
        let seen = self.side.step(course, moment);
        let before = std::mem::replace(&mut self.values, seen.values.clone());
        let exact = self.shadow.step(course, moment, &before, &seen.gradients);
        Step {
            before,
            seen,
            exact,
        }
    }

    /// Finds out whether a gradient that is too far off sits at a kink: whether the exact gradient is as
    /// far from itself where the weights are off by their last bits. If so the step is noted.
    fn look_for_kinks(
        &self,
        course: &Course<'_>,
        moment: &Moment,
        step: &Step,
        parity: &mut Parity,
        yardstick: &Yardstick,
    ) {
        let in_gradient = |parity: &Parity| {
            let broken = break_at(parity, yardstick, moment.index);
            broken.is_some_and(|b| matches!(b.quantity, Quantity::Gradient(_)))
        };
        let mut gradients = None;
        for draw in 0..DRAWS {
            if !in_gradient(parity) {
                return;
            }
            let path = format!("kink.{}.{draw}", moment.index);
            let stream = Stream::new(course.seed(), Purpose::Probe, &path);
            let exact = &step.exact.gradients;
            let shift = self
                .shadow
                .nudged(course, moment, &step.before, exact, &stream);
            let so_far = widened(gradients, shift);
            parity.kinks.retain(|kink| kink.step != moment.index + 1);
            parity.kinks.push(Kink {
                step: moment.index + 1,
                gradients: so_far.clone(),
            });
            gradients = Some(so_far);
        }
        if in_gradient(parity) {
            parity.kinks.pop();
        }
    }

    /// Where the forward pass from the parameters `values` goes astray.
    fn localize(
        &self,
        course: &Course<'_>,
        moment: &Moment,
        values: &[Vec<f64>],
        cpu: &Device,
    ) -> Result<ForwardBreak, TrainError> {
        let double = Side::new(course, cpu, DType::F64)?;
        let single = Side::new(course, cpu, DType::F32)?;
        localize(course, [&double, &single, &self.side], moment, values)
    }
}
