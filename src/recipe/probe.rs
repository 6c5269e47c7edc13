//! The probes by name, and what each of them needs.

use serde::{Deserialize, Serialize};

/// What is measured beside accuracy, NLL and ECE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Accuracy and NLL on the training split in evaluation mode, and their gap to the test set.
    TrainTestGap,
    /// Share of saturated and of dead units in each block on validation data.
    Saturation,
    /// Largest `|dL/db|` over all steps, for each block with a bias.
    BiasGradient,
    /// Largest absolute difference of the training logits between two nets like the arm's, one with
    /// biases in its blocks and one without, over their first steps in double precision.
    BiasTwin,
    /// Fold the scales of the trained net into the next layer's weights and compare the logits.
    ScaleFold,
    /// `H(f) = max |f(a x) - a f(x)| / |a f(x)|` of the block's activation.
    Homogeneity,
    /// Whether units repair each other: interactions of pairs, removal of units one after the other,
    /// cancellation and correlation.
    CoAdaptation,
    /// How evenly the units of each block are trained.
    EqualTraining,
    /// The trained net evaluated by running, cumulative and exact statistics, and by those of test
    /// batches: as they come, of one example, of one class.
    EvaluationModes,
    /// How far running averages are from the statistics of the training split, over steps, and from
    /// which step on they serve.
    RunningAverages,
    /// Distribution of the learned scales and centers over the units of each block.
    LearnedParameters,
    /// Distribution of what enters the activations of each block.
    Activations,
    /// Change of loss and gradient along the gradient, and of a layer's gradient under the steps of
    /// the layers in front of it.
    GradientLandscape,
    /// Variance that each batch norm sees with dropout over that without, and what the formula says.
    VarianceShift,
    /// The identities behind the claims, on nets like the arm's, in double precision.
    Identities,
    /// Who repairs a planted fault, and how long it takes.
    PlantedFault,
    /// Mean step of the validation accuracy between evaluations, over the second half of training.
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
