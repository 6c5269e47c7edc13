//! What a comparison of devices leaves behind: the raw numbers, from which its report and its
//! figures are derived.

#[cfg(test)]
pub(crate) mod fixture;
mod json;
mod timing;

pub use json::text;
pub use timing::{SizeTiming, StepTimes, TimingConfig, TimingOutcome, TrainingSize};

use crate::device::DeviceInfo;
use serde::{Deserialize, Serialize};

/// File name of a comparison in its results folder.
pub const COMPARISON_FILE: &str = "comparison.json";

/// The distance of what is no number, or is compared with nothing but zeros.
pub const NOT_COMPARABLE: f64 = 1e300;

/// One experiment's arms on several devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceComparison {
    /// Name of the spec.
    pub spec: String,
    /// Its title.
    pub title: String,
    /// The devices, the first of which the others are compared with.
    pub devices: Vec<DeviceInfo>,
    /// Difference of test accuracy, in points, within which two devices learn the same.
    pub margin: f64,
    /// How training steps were timed; absent where they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<TimingConfig>,
    /// The arms, in the order of the spec.
    pub arms: Vec<ArmComparison>,
}

impl DeviceComparison {
    /// Trainings on all devices, finished or not.
    pub fn trained_cells(&self) -> usize {
        let outcomes = self.arms.iter().flat_map(|arm| &arm.accuracy);
        let cells = outcomes.map(|on| match &on.outcome {
            Measured::Done(accuracy) => accuracy.cells.len(),
            Measured::Failed { .. } => 0,
        });
        cells.sum()
    }
}

/// One arm on every device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmComparison {
    /// Name of the arm.
    pub arm: String,
    /// The arm in words.
    pub label: String,
    /// Stands for what is trained and for the code that does it. Parts that are measured one after the
    /// other stand together only where it is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// Trained numbers of one net.
    pub parameters: usize,
    /// Multiply-adds of one example's forward pass.
    pub multiply_adds: usize,
    /// Examples a step and net.
    pub batch: usize,
    /// The optimizer: `sgd`, `adam` or `adamw`.
    pub optimizer: String,
    /// How far single precision strays from double precision on a CPU, whoever computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<RoundingBaseline>,
    /// Steps for each one of [`TrainedCell::places`]: those of an epoch, or 1 where training counts
    /// in steps.
    pub steps_per_unit: usize,
    /// The first steps against double precision, one entry a device.
    pub parity: Vec<OnDevice<Parity>>,
    /// Whole trainings, one entry a device.
    pub accuracy: Vec<OnDevice<Accuracy>>,
    /// ArmTimings, one entry a device and size.
    pub speed: Vec<SizeTiming>,
}

/// A measurement on a device, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnDevice<T> {
    /// Name of the device, as in [`DeviceInfo::name`].
    pub device: String,
    /// What came of it.
    pub outcome: Measured<T>,
}

/// What came of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Measured<T> {
    /// It was made.
    Done(T),
    /// The device failed, or refused.
    Failed {
        /// What went wrong.
        error: String,
    },
}

/// The first steps of a training in single precision, each against the same step in double precision
/// on a CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// How far each step is off by itself: loss and gradients against those in double precision at
    /// the weights that the device has, new values against those that its own gradients give.
    pub distances: Distances,
    /// Relative difference of the loss from that of a whole training in double precision, one value
    /// a step.
    pub drift: Vec<f64>,
    /// Steps at which the last bits of the weights matter more than usual.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinks: Vec<Kink>,
    /// Where the forward pass goes astray, if the loss is the first thing that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<ForwardDeviation>,
}

/// A step at which some unit is so near to the kink of its activation, or to another one under a
/// maximum, that rounding decides on which side it is, and with it a share of the gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kink {
    /// The step, from 1.
    pub step: usize,
    /// How far the gradient of each parameter is from itself, in double precision, where the weights
    /// are off by their last bits: the largest of several draws.
    pub gradients: Vec<f64>,
}

/// Relative differences, one value a step: the largest absolute difference over
/// the largest absolute value in double precision, and at most [`NOT_COMPARABLE`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distances {
    /// Of the loss.
    pub loss: Vec<f64>,
    /// Of the parameters, in the order in which the forward pass uses them.
    pub parameters: Vec<ParameterDistances>,
}

/// One parameter along the first steps, one value a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterDistances {
    /// Path of the parameter.
    pub path: String,
    /// Of its gradient, before the step.
    pub gradient: Vec<f64>,
    /// Of its value, after the step.
    pub value: Vec<f64>,
}

/// Runs in single precision on a CPU whose start weights are off by a unit in the last place, each
/// compared as a device is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundingBaseline {
    /// Name of the device, which computes the run in double precision, too.
    pub device: String,
    /// Seed of the net.
    pub seed: u64,
    /// How many runs.
    pub runs: usize,
    /// The median distance over the runs, the largest up to each step.
    pub largest: Distances,
    /// The largest drift of any run up to each step.
    pub drift: Vec<f64>,
    /// The largest absolute value of each parameter's gradient in double precision, over all steps.
    pub gradients: Vec<f64>,
}

/// Where a forward pass, from equal weights, goes astray.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardDeviation {
    /// The step, from 1, whose weights and examples were used.
    pub step: usize,
    /// The first place that is too far off; absent where every one is near enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<ValueDeviation>,
}

/// A place in a forward pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueDeviation {
    /// Path of the block, or `head` for the logits.
    pub path: String,
    /// What is seen there, in words.
    pub point: String,
    /// Relative difference from double precision.
    pub distance: f64,
    /// The largest that passes.
    pub bound: f64,
}

/// Whole trainings of an arm on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// One entry a seed.
    pub cells: Vec<TrainedCell>,
}

/// One training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedCell {
    /// Its seed.
    pub seed: u64,
    /// Test accuracy in percent, one value an evaluation.
    pub test_accuracy: Vec<f64>,
    /// Epochs done, or steps where training counts in steps, at each evaluation.
    pub places: Vec<usize>,
    /// Why it ended early, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
