//! Step times: how they were measured, and the outcomes.

use serde::{Deserialize, Serialize};

/// Settings of the stopwatch. All times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimingConfig {
    /// Length of a window of steps; a longer step is a window of its own.
    pub window: f64,
    /// Number of timed windows.
    pub repeats: usize,
    /// Shortest warm-up, without the first step.
    pub warm_up_least: f64,
    /// Longest warm-up, without the first step, if the step time does not become stable.
    pub warm_up_most: f64,
    /// The step time is stable if the medians of two consecutive groups of three windows differ by at
    /// most this share.
    pub agreement: f64,
    /// Longest step; sizes with longer steps are not timed.
    pub longest_step: f64,
    /// Time for all sizes of an arm on a device. No further size is started after that.
    pub most: f64,
}

/// Timing of one size on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeTiming {
    /// Name of the device, as in [`DeviceInfo::name`](crate::device::DeviceInfo::name).
    pub device: String,
    /// The size.
    pub size: TrainingSize,
    /// Step times, or why there are none.
    pub outcome: TimingOutcome,
}

/// Size of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSize {
    /// Number of nets that train at the same time.
    pub replicas: usize,
    /// Width of the hidden layers, relative to the spec.
    pub width: f64,
    /// Examples per step and net.
    pub batch: usize,
}

/// Outcome of timing a size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TimingOutcome {
    /// Step times.
    Done(StepTimes),
    /// A step of this size, or of a smaller one, takes longer than [`TimingConfig::longest_step`].
    TooSlow {
        /// The size that was too slow.
        size: TrainingSize,
        /// Seconds of its fastest step.
        step: f64,
        /// Seconds spent on it.
        spent: f64,
    },
    /// The time for the arm was spent on other sizes.
    OutOfTime {
        /// Seconds spent on them.
        spent: f64,
    },
    /// The data or the model does not support this size on any device.
    Unfit {
        /// The reason.
        reason: String,
    },
    /// The device failed.
    Failed {
        /// The error message.
        error: String,
    },
}

impl TimingOutcome {
    /// Seconds of all steps taken for this size.
    pub fn spent(&self) -> f64 {
        match self {
            Self::Done(speed) => {
                speed.warm_up + speed.steps as f64 * speed.step.iter().sum::<f64>()
            }
            Self::TooSlow { spent, .. } => *spent,
            Self::OutOfTime { .. } | Self::Unfit { .. } | Self::Failed { .. } => 0.0,
        }
    }
}

/// Times of a training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTimes {
    /// Trained parameters of one net.
    pub parameters: usize,
    /// Multiply-adds of one example's forward pass.
    pub multiply_adds: usize,
    /// Number of jobs among which the nets are divided.
    pub jobs: usize,
    /// Seconds of the first step, in which some devices compile and tune kernels.
    pub first_step: f64,
    /// Seconds of the warm-up, including the first step.
    pub warm_up: f64,
    /// Number of steps of the warm-up.
    pub warm_up_steps: usize,
    /// Whether the step time was stable at the end of the warm-up.
    pub settled: bool,
    /// Steps per window.
    pub steps: usize,
    /// Seconds per step of all replicas, one value per window.
    pub step: Vec<f64>,
}
