//! Settings of the optimizers' steps.

/// Settings of one step of Adam or AdamW.
#[derive(Clone, Debug)]
pub struct AdamStep {
    /// Learning rate of each replica.
    pub rates: Vec<f64>,
    /// Decay rate of the first moment.
    pub beta1: f64,
    /// Decay rate of the second moment.
    pub beta2: f64,
    /// Added to the square root of the second moment.
    pub epsilon: f64,
    /// Weight decay as an L2 penalty, added to the gradient.
    pub penalty: f64,
    /// Decoupled weight decay, relative to the learning rate (AdamW).
    pub shrinkage: f64,
    /// Number of this step, counted from 1.
    pub step: i32,
}

/// Settings of one step of SGD.
#[derive(Clone, Debug)]
pub struct SgdStep {
    /// Learning rate of each replica.
    pub rates: Vec<f64>,
    /// Decay rate of the velocity; unused without a velocity.
    pub momentum: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
    /// Weight decay as an L2 penalty, added to the gradient.
    pub penalty: f64,
}
