//! The probes: measurements of mechanism beside the scores.

use serde::{Deserialize, Serialize};

/// A measurement beside accuracy, NLL and ECE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Accuracy and NLL on the training split in evaluation mode, and their gap to the test set.
    TrainTestGap,
    /// Share of saturated and of dead units in each block on validation data.
    Saturation,
    /// Largest `|dL/db|` over all steps, for each block with a bias.
    BiasGradient,
    /// Largest absolute difference of the training logits between two copies of the net, one with
    /// biases and one without, over their first steps in double precision.
    BiasTwin,
    /// Error of the logits after the scales of the trained net are folded into the next layer.
    ScaleFold,
    /// `H(f) = max |f(a x) - a f(x)| / |a f(x)|` of the block's activation.
    Homogeneity,
    /// How far units compensate for each other: interactions of pairs, accuracy while units are
    /// removed, cancellation and correlation.
    CoAdaptation,
    /// How equally the units of each block are trained.
    EqualTraining,
    /// Scores of the trained net with running, cumulative and exact statistics, and with those of
    /// test batches: in order, of one example, of one class.
    EvaluationModes,
    /// Distance of running averages from the statistics of the training split, over steps, and the
    /// step from which it no longer matters.
    RunningAverages,
    /// Distribution of the learned scales and centers over the units of each block.
    LearnedParameters,
    /// Distribution of the inputs to the activations of each block.
    Activations,
    /// Change of loss and gradient along the gradient, and of a layer's gradient when the layers
    /// before it take their steps.
    GradientLandscape,
    /// Ratio of the input variance of each batch norm with and without dropout, measured and by
    /// formula.
    VarianceShift,
    /// Errors of the identities behind the claims, in double precision.
    Identities,
    /// Share of the repair of a planted fault by layer, and its duration.
    PlantedFault,
    /// Mean absolute change of the validation accuracy between evaluations, second half of training.
    Roughness,
}

impl Probe {
    /// Name in specs and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TrainTestGap => "train_test_gap",
            Self::Saturation => "saturation",
            Self::BiasGradient => "bias_gradient",
            Self::BiasTwin => "bias_twin",
            Self::ScaleFold => "scale_fold",
            Self::Homogeneity => "homogeneity",
            Self::CoAdaptation => "co_adaptation",
            Self::EqualTraining => "equal_training",
            Self::EvaluationModes => "evaluation_modes",
            Self::RunningAverages => "running_averages",
            Self::LearnedParameters => "learned_parameters",
            Self::Activations => "activations",
            Self::GradientLandscape => "gradient_landscape",
            Self::VarianceShift => "variance_shift",
            Self::Identities => "identities",
            Self::PlantedFault => "planted_fault",
            Self::Roughness => "roughness",
        }
    }
}
