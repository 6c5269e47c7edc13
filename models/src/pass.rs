//! How a forward pass is meant: training or evaluation, and who watches it.

use burn::tensor::Tensor;

/// What a forward pass is for.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    mode: Mode,
    observer: Option<&'a dyn Observer>,
}

/// The kinds of forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, which also enter the running averages; dropout with the masks of a step.
    Train {
        /// The training step that addresses the masks.
        step: u64,
    },
    /// Running statistics, no dropout.
    Evaluate,
    /// Batch statistics that leave the running averages alone, no dropout.
    EvaluateOnBatch,
}

impl<'a> Pass<'a> {
    /// A training pass at `step`.
    pub const fn train(step: u64) -> Self {
        Self::of(Mode::Train { step })
    }

    /// An evaluation pass with running statistics.
    pub const fn evaluate() -> Self {
        Self::of(Mode::Evaluate)
    }

    /// An evaluation pass with the statistics of the batch.
    pub const fn evaluate_on_batch() -> Self {
        Self::of(Mode::EvaluateOnBatch)
    }

    const fn of(mode: Mode) -> Self {
        Self {
            mode,
            observer: None,
        }
    }

    /// The same pass, watched.
    #[must_use]
    pub const fn watched_by(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// What the pass is for.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether someone watches.
    pub const fn is_watched(&self) -> bool {
        self.observer.is_some()
    }

    pub(crate) fn show(&self, path: &str, point: Point, value: &Tensor<3>) {
        if let Some(observer) = self.observer {
            observer.see(path, point, value);
        }
    }
}

/// A place in a block at which an observer sees the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// What the weights gave.
    Weighted,
    /// What enters the norm, behind dropout where that stands directly before it.
    NormInput,
    /// What enters the activation.
    Preactivation,
    /// What leaves the activation.
    Activation,
    /// What leaves the block.
    Output,
}

/// Sees the values inside a forward pass; changes nothing.
pub trait Observer {
    /// `value` of shape `[replicas, rows, channels]` at `point` of the block at `path`.
    fn see(&self, path: &str, point: Point, value: &Tensor<3>);
}
