//! The probes by name, and what each of them needs.

use super::Arm;
use ablate_models::norm::NormConfig;
use ablate_models::zoo::ModelConfig;
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

/// A probe that measures something on none of the arms that ask for it: the first of those arms,
/// and what the probe lacks.
pub(super) fn idle_probe(arms: &[Arm]) -> Option<(usize, String)> {
    for (i, arm) in arms.iter().enumerate() {
        for &probe in &arm.probes {
            let asks = |arm: &&Arm| arm.probes.contains(&probe);
            if !arms.iter().filter(asks).any(|arm| applies(probe, arm)) {
                let lack = lack(probe);
                let message = format!("has `{}`, but {lack}", probe.name());
                return Some((i, message));
            }
        }
    }
    None
}

fn applies(probe: Probe, arm: &Arm) -> bool {
    let (block, blocks) = match &arm.model {
        ModelConfig::Mlp(config) => (&config.block, config.hidden.len()),
        ModelConfig::Cnn(config) => (&config.block, config.channels.len() + config.dense.len()),
    };
    match probe {
        Probe::TrainTestGap => true,
        Probe::Roughness => arm.data.validation > 0.0 && arm.train.evaluations().len() > 1,
        Probe::Saturation | Probe::Homogeneity => blocks > 0,
        Probe::BiasGradient => blocks > 0 && block.has_bias(block.dropout.rate),
        Probe::BiasTwin => blocks > 0 && block.norm.is_some(),
        Probe::ScaleFold => blocks > 0 && block.norm.has_scale(),
        Probe::EqualTraining => blocks > 0,
        Probe::Activations | Probe::GradientLandscape | Probe::Identities => blocks > 0,
        Probe::EvaluationModes | Probe::RunningAverages | Probe::VarianceShift => {
            blocks > 0 && matches!(block.norm, NormConfig::Batch(_))
        }
        Probe::LearnedParameters => {
            blocks > 0 && (block.norm.has_scale() || block.norm.has_center())
        }
        Probe::PlantedFault => {
            let own = matches!(block.norm, NormConfig::Layer(_) | NormConfig::Group(_));
            arm.train.fault.is_some() && matches!(arm.model, ModelConfig::Mlp(_)) && !own
        }
        Probe::CoAdaptation => {
            let own = matches!(block.norm, NormConfig::Layer(_) | NormConfig::Group(_));
            blocks > 0 && !own
        }
    }
}

const fn lack(probe: Probe) -> &'static str {
    match probe {
        Probe::TrainTestGap
        | Probe::Saturation
        | Probe::Homogeneity
        | Probe::EqualTraining
        | Probe::Activations
        | Probe::GradientLandscape
        | Probe::Identities => "no arm that has it has a hidden block",
        Probe::EvaluationModes | Probe::RunningAverages | Probe::VarianceShift => {
            "no arm that has it has a batch norm"
        }
        Probe::LearnedParameters => "no arm that has it has a norm with a scale or a center",
        Probe::CoAdaptation => {
            "no arm that has it has hidden blocks without a norm over the units of an example"
        }
        Probe::Roughness => "no arm that has it is scored twice on a validation split",
        Probe::BiasGradient => "no arm that has it has a block with a bias",
        Probe::PlantedFault => {
            "no arm that has it is a dense net with a `train.fault` and no norm over the units of an example"
        }
        Probe::BiasTwin => "no arm that has it has a norm",
        Probe::ScaleFold => "no arm that has it has a norm with a scale",
    }
}
