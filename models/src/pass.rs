//! The mode of a forward pass, and observers of the values inside it.

use burn::tensor::Tensor;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a forward pass runs: training or evaluation, and with which observer.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    mode: Mode,
    observer: Option<&'a dyn Observer>,
}

/// The modes of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: norms use and record the statistics of the batch, dropout is on.
    Train {
        /// The training step, counted from 0, which determines the dropout masks. `None`: each layer
        /// counts its own passes.
        step: Option<u64>,
    },
    /// Evaluation: norms use their running averages, dropout is off.
    Evaluate,
    /// Evaluation with the statistics of the batch, which are not recorded; dropout is off.
    EvaluateOnBatch,
}

impl<'a> Pass<'a> {
    /// A training pass at the next step: every layer counts its own passes, so that no dropout mask
    /// comes twice.
    pub const fn train() -> Self {
        Self::new(Mode::Train { step: None })
    }

    /// A training pass at `step`, counted from 0. A following [`Pass::train`] is at `step + 1`; so a
    /// resumed training continues the masks where it stopped.
    pub const fn train_at(step: u64) -> Self {
        Self::new(Mode::Train { step: Some(step) })
    }

    /// An evaluation pass with running averages.
    pub const fn evaluate() -> Self {
        Self::new(Mode::Evaluate)
    }

    /// An evaluation pass with the statistics of the batch.
    pub const fn evaluate_on_batch() -> Self {
        Self::new(Mode::EvaluateOnBatch)
    }

    const fn new(mode: Mode) -> Self {
        Self {
            mode,
            observer: None,
        }
    }

    /// The same pass with an observer. An observed pass uses no fused kernels.
    #[must_use]
    pub const fn observed_by(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The mode.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// True if the pass has an observer.
    pub const fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    pub(crate) fn observe(&self, path: &str, point: Point, value: &Tensor<3>) {
        if let Some(observer) = self.observer {
            observer.observe(path, point, value);
        }
    }
}

/// A point in a block at which observers see values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// Output of the linear layer or convolution.
    LinearOutput,
    /// Input of the norm, after dropout if dropout directly precedes the norm.
    NormInput,
    /// Input of the activation.
    Preactivation,
    /// Output of the activation.
    Activation,
    /// Output of the block.
    Output,
}

/// Reads the values inside a forward pass; see [`Pass::observed_by`].
pub trait Observer {
    /// Called with `value`, `[replicas, rows, channels]`, at `point` of the block at `path`.
    fn observe(&self, path: &str, point: Point, value: &Tensor<3>);
}

/// Counts the training passes of a layer. A clone counts on from the same step, on its own.
#[derive(Debug, Default)]
pub(crate) struct StepCounter(AtomicU64);

impl StepCounter {
    /// The step of a pass that was given `step`.
    pub(crate) fn advance(&self, step: Option<u64>) -> u64 {
        let step = step.unwrap_or_else(|| self.0.load(Ordering::Relaxed));
        self.0.store(step.wrapping_add(1), Ordering::Relaxed);
        step
    }
}

impl Clone for StepCounter {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}
