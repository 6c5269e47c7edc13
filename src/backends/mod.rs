//! What a comparison of devices leaves behind: the raw numbers, from which its report and its
//! figures are derived.

mod speed;

pub use speed::{Size, Speed, Timed, TimedSize, Timing};

use serde::{Deserialize, Serialize};

/// File name of a comparison in its results folder.
pub const COMPARISON_FILE: &str = "comparison.json";

/// One experiment's arms on several devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Name of the spec.
    pub spec: String,
    /// Its title.
    pub title: String,
    /// The devices, the first of which the others are compared with.
    pub devices: Vec<DeviceInfo>,
    /// How training steps were timed; absent where they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// The arms, in the order of the spec.
    pub arms: Vec<ArmComparison>,
}

/// What answers to the name of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceInfo {
    /// As asked for: `flex`, `wgpu:0`, `wgpu:cpu`.
    pub name: String,
    /// The backend: `flex`, `ndarray`, `wgpu` or `cuda`.
    pub backend: String,
    /// What computes.
    pub kind: DeviceKind,
    /// Name of the CPU or of the adapter.
    pub adapter: String,
    /// Driver and its version, for adapters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// What the driver is reached by, e.g. `Vulkan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Bytes of memory of the device's own, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Threads that its kernels use, for CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

impl DeviceInfo {
    /// The name, and that it is a CPU that passes for a GPU where it is one.
    pub fn label(&self) -> String {
        match self.kind {
            DeviceKind::SoftwareAdapter => format!("{} (software adapter)", self.name),
            _ => self.name.clone(),
        }
    }
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A CPU, by kernels of its own.
    Cpu,
    /// A CPU that passes for a GPU: a software adapter.
    SoftwareAdapter,
    /// A GPU that shares the CPU's memory.
    IntegratedGpu,
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU of a virtual machine.
    VirtualGpu,
    /// An adapter that does not say.
    Unknown,
}

/// One arm on every device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmComparison {
    /// Name of the arm.
    pub arm: String,
    /// The arm in words.
    pub label: String,
    /// Trained numbers of one net.
    pub parameters: usize,
    /// Multiply-adds of one example's forward pass.
    pub multiply_adds: usize,
    /// Examples a step and net.
    pub batch: usize,
    /// Steps for each one of [`TrainedCell::places`]: those of an epoch, or 1 where training counts
    /// in steps.
    pub steps_a_place: usize,
    /// The first steps against double precision, one entry a device.
    pub parity: Vec<OnDevice<Parity>>,
    /// Whole trainings, one entry a device.
    pub accuracy: Vec<OnDevice<Accuracy>>,
    /// Timings, one entry a device and size.
    pub speed: Vec<TimedSize>,
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

/// The first steps of a training in single precision against the same in double precision on a CPU:
/// same start weights, data order and masks. A relative difference is the largest absolute one over
/// the largest absolute value of the double-precision tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Seed of the net.
    pub seed: u64,
    /// Relative difference of the loss, one value a step.
    pub loss: Vec<f64>,
    /// The parameters, in the order in which the forward pass uses them.
    pub parameters: Vec<ParameterParity>,
}

/// One parameter along the first steps, one value a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterParity {
    /// Path of the parameter.
    pub path: String,
    /// Relative difference of its gradient, before the step.
    pub gradient: Vec<f64>,
    /// Relative difference of its value, after the step.
    pub value: Vec<f64>,
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
