//! Arguments of the GPU operations.

use crate::activation::Activation;
use crate::position::Position;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType};

/// A batch norm and the activation before or after it.
#[derive(Clone, Debug)]
pub struct NormSpec {
    /// The activation.
    pub activation: Activation,
    /// Whether the norm comes before or after the activation.
    pub position: Position,
    /// Added to the variance under the square root.
    pub epsilon: f64,
}

/// Settings of a draw of dropout masks.
#[derive(Clone, Debug)]
pub struct MaskDraw {
    /// The training step.
    pub step: u64,
    /// An element is dropped if its 16-bit random number is below this.
    pub threshold: u32,
    /// Value of kept elements.
    pub kept: f32,
    /// Number of elements per replica.
    pub columns: usize,
}

/// Words of a [`key_schedule`](ablate_streams::key_schedule).
pub(super) const KEY_WORDS: usize = 5;

/// Statistics and parameters of a norm, `[replicas, channels]` each.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion)]
pub(crate) struct NormChannels<B: Backend> {
    pub(crate) mean: FloatTensor<B>,
    pub(crate) variance: FloatTensor<B>,
    pub(crate) scale: FloatTensor<B>,
    pub(crate) center: FloatTensor<B>,
}
