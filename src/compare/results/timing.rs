//! The time of training steps: what was timed, how, and what came of it.

use serde::{Deserialize, Serialize};

/// How training steps are timed. All times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimingConfig {
    /// Steps are timed in windows of about this length; a longer step is a window of its own.
    pub window: f64,
    /// Windows that count.
    pub repeats: usize,
    /// Least length of the warm-up, the first step aside.
    pub warm_up_least: f64,
    /// Length of the warm-up, the first step aside, from which on it is not waited for any more that
    /// times settle.
    pub warm_up_most: f64,
    /// StopwatchTimes have settled when the median of three windows and that of the three before differ by at
    /// most this share.
    pub agreement: f64,
    /// Longest step that is timed; sizes with longer ones are left out.
    pub longest_step: f64,
    /// When so much has gone into the sizes of an arm on a device, no further one is begun.
    pub most: f64,
}

/// One size on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeTiming {
    /// Name of the device, as in [`DeviceInfo::name`](super::DeviceInfo::name).
    pub device: String,
    /// What is trained.
    pub size: TrainingSize,
    /// What came of it.
    pub outcome: TimingOutcome,
}

/// The size of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSize {
    /// Nets that train side by side.
    pub replicas: usize,
    /// Width of the hidden layers over that of the spec.
    pub width: f64,
    /// Examples a step and net.
    pub batch: usize,
}

/// What came of timing a size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TimingOutcome {
    /// Its times.
    Done(StepTimes),
    /// A step of `size`, this one or a smaller one, takes longer than is waited for.
    TooSlow {
        /// Where it was seen.
        size: TrainingSize,
        /// Seconds of the fastest step there.
        step: f64,
        /// Seconds that went into finding that out.
        spent: f64,
    },
    /// So much time had gone into other sizes of the arm that this one was not begun.
    OutOfTime {
        /// Seconds.
        spent: f64,
    },
    /// The data or the model cannot have this size, whatever the device.
    Unfit {
        /// Why.
        reason: String,
    },
    /// The device failed, or refused.
    Failed {
        /// What went wrong.
        error: String,
    },
}

impl TimingOutcome {
    /// Seconds of the steps that were taken for it.
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

/// The time of a training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTimes {
    /// Trained numbers of one net.
    pub parameters: usize,
    /// Multiply-adds of one example's forward pass.
    pub multiply_adds: usize,
    /// Jobs over which the nets are split_jobs; a core has them one after the other.
    pub jobs: usize,
    /// Seconds of the first step, which compiles and tunes kernels where a device does.
    pub first_step: f64,
    /// Seconds of all steps before those that count, the first included.
    pub warm_up: f64,
    /// How many these were.
    pub warm_up_steps: usize,
    /// Whether times had settled by then.
    pub settled: bool,
    /// Steps of a repeat.
    pub steps: usize,
    /// Seconds of a step of all replicas, one value a repeat.
    pub step: Vec<f64>,
}
