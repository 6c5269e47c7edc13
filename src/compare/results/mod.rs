//! Raw numbers of a comparison of devices. Its report and figures are derived from them.

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

/// The distance if a value is not finite, or if all reference values are zero.
pub const NOT_COMPARABLE: f64 = 1e300;

/// The arms of one experiment on several devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceComparison {
    /// Name of the spec.
    pub spec: String,
    /// Title of the spec.
    pub title: String,
    /// The devices. The first is the reference for the accuracy of the others.
    pub devices: Vec<DeviceInfo>,
    /// Margin of the equivalence test of test accuracy, in points.
    pub margin: f64,
    /// How training steps were timed; `None` if they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<TimingConfig>,
    /// The arms, in the order of the spec.
    pub arms: Vec<ArmComparison>,
}

impl DeviceComparison {
    /// Number of trainings on all devices, finished or not.
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
    /// Label of the arm.
    pub label: String,
    /// Hash of the recipe and of the code. Parts measured in different runs are combined only if it is
    /// equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// Trained parameters of one net.
    pub parameters: usize,
    /// Multiply-adds of one example's forward pass.
    pub multiply_adds: usize,
    /// Examples per step and net.
    pub batch: usize,
    /// The optimizer: `sgd`, `adam` or `adamw`.
    pub optimizer: String,
    /// Rounding error of single precision on a CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "yardstick")]
    pub baseline: Option<RoundingBaseline>,
    /// Steps per unit of [`TrainedCell::evaluated_at`]: those of an epoch, or 1 if the training length
    /// is given in steps.
    #[serde(rename = "steps_a_place")]
    pub steps_per_unit: usize,
    /// Comparison of the first steps with double precision, one entry per device.
    pub parity: Vec<OnDevice<Parity>>,
    /// Complete trainings, one entry per device.
    pub accuracy: Vec<OnDevice<Accuracy>>,
    /// Step times, one entry per device and size.
    pub speed: Vec<SizeTiming>,
}

/// A measurement on a device, or the error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnDevice<T> {
    /// Name of the device, as in [`DeviceInfo::name`].
    pub device: String,
    /// The measurement, or the error.
    pub outcome: Measured<T>,
}

/// Outcome of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Measured<T> {
    /// The measurement.
    Done(T),
    /// The measurement failed.
    Failed {
        /// The error message.
        error: String,
    },
}

/// The first steps of a training in single precision, each compared with the same step in double
/// precision on a CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Distances of each step alone: loss and gradients from those in double precision at the device's
    /// weights, new values from those in double precision with the device's gradients.
    pub distances: Distances,
    /// Relative difference of the loss from that of a training in double precision throughout, one
    /// value per step.
    pub drift: Vec<f64>,
    /// Steps at a kink, where the last bits of the weights matter more than usual.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinks: Vec<Kink>,
    /// First deviation within the forward pass, if the loss is the first quantity beyond its bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<ForwardDeviation>,
}

/// A step at which a unit is so close to the kink of its activation (or two units to a tie in a max
/// pooling) that rounding decides which part of the gradient it gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kink {
    /// The step, from 1.
    pub step: usize,
    /// Relative change of each parameter's gradient in double precision when the last bits of the
    /// weights change: the largest of several draws.
    pub gradients: Vec<f64>,
}

/// Relative differences, one value per step: the largest absolute difference divided by the largest
/// absolute value in double precision, at most [`NOT_COMPARABLE`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distances {
    /// Distances of the loss.
    pub loss: Vec<f64>,
    /// Distances per parameter, in the order of the forward pass.
    pub parameters: Vec<ParameterDistances>,
}

/// Distances of one parameter, one value per step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterDistances {
    /// Path of the parameter.
    pub path: String,
    /// Distances of its gradient.
    pub gradient: Vec<f64>,
    /// Distances of its value after the step.
    pub value: Vec<f64>,
}

/// Rounding error of single precision: several runs on a CPU with start weights changed in the last
/// bit, each compared as a device is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundingBaseline {
    /// Name of the CPU device, which computes the double precision as well.
    pub device: String,
    /// Seed of the net.
    pub seed: u64,
    /// Number of runs.
    pub runs: usize,
    /// Median distances over the runs, as running maxima over the steps.
    pub largest: Distances,
    /// Largest drift of any run, as a running maximum over the steps.
    pub drift: Vec<f64>,
    /// Largest absolute gradient of each parameter in double precision, over all steps.
    pub gradients: Vec<f64>,
}

/// The first deviation of a forward pass that starts from equal weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardDeviation {
    /// The step, from 1, with whose weights and examples the pass was made.
    pub step: usize,
    /// The first value beyond its bound; `None` if all are within.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "place")]
    pub value: Option<ValueDeviation>,
}

/// A value within a forward pass that is beyond its bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueDeviation {
    /// Path of the block, or `head` for the logits.
    pub path: String,
    /// Description of the value.
    pub point: String,
    /// Relative difference from double precision.
    pub distance: f64,
    /// The largest accepted distance.
    pub bound: f64,
}

/// Complete trainings of an arm on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// One entry per seed.
    pub cells: Vec<TrainedCell>,
}

/// One training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedCell {
    /// The seed.
    pub seed: u64,
    /// Test accuracy in percent, one value per evaluation.
    pub test_accuracy: Vec<f64>,
    /// Epochs done at each evaluation, or steps if the training length is given in steps.
    #[serde(rename = "places")]
    pub evaluated_at: Vec<usize>,
    /// The error, if the training ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
