//! The first steps of a training on a device against the same in double precision on a CPU.
//!
//! Both start from the same weights, take the same batches and drop by the same masks. Every
//! rounding differs, and a training enlarges that from step to step on any device, so distances are
//! judged beside those of the *yardstick*: runs in single precision on the CPU that differ from each
//! other by the last bit of their start weights; [`crate::backends::bound`] has the rule.

use super::forward::localize;
use super::side::{Course, Seen, Side};
use crate::backends::bound::{Quantity, break_at};
use crate::backends::{Distances, FAR, ForwardBreak, Parity, ParameterDistances, Yardstick};
use crate::device;
use crate::run::trainer::{Job, StopFlag};
use crate::train::TrainError;
use burn::tensor::DType;

/// Runs of the yardstick.
pub const RUNS: usize = 5;

/// How far single precision strays from double precision over the first `steps` steps of the only cell
/// of `job`, whose device is a CPU; `None` if it was stopped.
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
    let nudged = |run| Side::nudged(course, &device, run);
    let mut runs = (0..RUNS).map(nudged).collect::<Result<Vec<_>, _>>()?;
    let paths = truth.paths();
    let mut largest = empty(&paths);
    let mut sizes = vec![0.0f64; paths.len()];
    for index in 0..course.steps {
        if stop.stopped() {
            return Ok(None);
        }
        let moment = course.moment(&truth.batches, index);
        let exact = truth.step(course, &moment);
        for (size, gradient) in sizes.iter_mut().zip(&exact.gradients) {
            *size = size.max(largest_of(gradient));
        }
        let mut steps = runs.iter_mut().map(|run| apart(&exact, &run.step(course, &moment)));
        let first = steps.next().expect("there are runs");
        let most = steps.fold(first, larger);
        let most = match largest.steps() {
            0 => most,
            _ => larger(most, last(&largest)),
        };
        push(&mut largest, most);
    }
    Ok(Some(Yardstick {
        device: job.device.clone(),
        seed: course.seed(),
        runs: RUNS,
        largest,
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
pub(super) fn compare(
    course: &Course<'_>,
    mut side: Side,
    yardstick: &Yardstick,
    stop: &StopFlag,
) -> Result<Option<Parity>, TrainError> {
    let cpu = device::open(&yardstick.device)?;
    let mut truth = Side::new(course, &cpu, DType::F64)?;
    let mut distances = empty(&truth.paths());
    let mut forward = Forward::Near;
    let mut values = truth.values();
    for index in 0..course.steps {
        if stop.stopped() {
            return Ok(None);
        }
        let moment = course.moment(&truth.batches, index);
        let exact = truth.step(course, &moment);
        push(&mut distances, apart(&exact, &side.step(course, &moment)));
        if let (Forward::Near, Some(broken)) = (&forward, break_at(&distances, yardstick, index)) {
            forward = Forward::Judged(match broken.quantity {
                Quantity::Loss => {
                    let single = Side::new(course, &cpu, DType::F32)?;
                    Some(localize(course, [&truth, &single, &side], &moment, &values)?)
                }
                Quantity::Gradient(_) | Quantity::Value(_) => None,
            });
        }
        values = exact.values;
    }
    Ok(Some(Parity {
        distances,
        forward: match forward {
            Forward::Judged(place) => place,
            Forward::Near => None,
        },
    }))
}

/// Whether the first break is known, and where in the forward pass it is.
enum Forward {
    Near,
    Judged(Option<ForwardBreak>),
}

/// Distances of one step, in the order loss, gradients, values.
pub(super) struct Apart {
    loss: f64,
    gradients: Vec<f64>,
    values: Vec<f64>,
}

pub(super) fn apart(truth: &Seen, other: &Seen) -> Apart {
    let each = |truth: &[Vec<f64>], other: &[Vec<f64>]| {
        let pairs = truth.iter().zip(other);
        pairs.map(|(t, o)| relative(t, o)).collect()
    };
    Apart {
        loss: relative(&[truth.loss], &[other.loss]),
        gradients: each(&truth.gradients, &other.gradients),
        values: each(&truth.values, &other.values),
    }
}

/// The largest absolute difference over the largest absolute value of `truth`; 0 where the two are
/// equal, and as large as can be where the quotient is no number.
pub(super) fn relative(truth: &[f64], other: &[f64]) -> f64 {
    let differences = truth.iter().zip(other).map(|(t, o)| (t - o).abs());
    let most = differences.fold(0.0, |most: f64, d| if d.is_nan() { d } else { most.max(d) });
    if most == 0.0 {
        return 0.0;
    }
    let quotient = most / largest_of(truth);
    if quotient.is_nan() { FAR } else { short(quotient.min(FAR)) }
}

fn largest_of(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most: f64, x| most.max(x.abs()))
}

/// `x` with three digits: what is behind them is noise, and takes room.
fn short(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

pub(super) fn empty(paths: &[String]) -> Distances {
    let parameter = |path: &String| ParameterDistances {
        path: path.clone(),
        gradient: Vec::new(),
        value: Vec::new(),
    };
    Distances {
        loss: Vec::new(),
        parameters: paths.iter().map(parameter).collect(),
    }
}

pub(super) fn push(distances: &mut Distances, step: Apart) {
    distances.loss.push(step.loss);
    let both = step.gradients.into_iter().zip(step.values);
    for (parameter, (gradient, value)) in distances.parameters.iter_mut().zip(both) {
        parameter.gradient.push(gradient);
        parameter.value.push(value);
    }
}

fn last(distances: &Distances) -> Apart {
    let end = |list: &[f64]| list.last().copied().unwrap_or(0.0);
    Apart {
        loss: end(&distances.loss),
        gradients: distances.parameters.iter().map(|p| end(&p.gradient)).collect(),
        values: distances.parameters.iter().map(|p| end(&p.value)).collect(),
    }
}

/// The larger distance of each kind.
fn larger(a: Apart, b: Apart) -> Apart {
    let each = |a: Vec<f64>, b: Vec<f64>| a.into_iter().zip(b).map(|(a, b)| a.max(b)).collect();
    Apart {
        loss: a.loss.max(b.loss),
        gradients: each(a.gradients, b.gradients),
        values: each(a.values, b.values),
    }
}
