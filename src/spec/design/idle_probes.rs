//! Probes that apply to none of the arms that ask for them.

use crate::recipe::{NetRecipe, Probe};
use crate::spec::Arm;
use ablate_models::norm::NormConfig;
use ablate_models::zoo::ModelConfig;

/// The first arm with a probe that applies to none of the arms that ask for it, and a message that
/// says what is missing.
pub(in crate::spec) fn idle_probe(arms: &[Arm]) -> Option<(usize, String)> {
    let nets = || {
        arms.iter()
            .enumerate()
            .filter_map(|(i, arm)| Some((i, arm.net()?)))
    };
    for (i, net) in nets() {
        for &probe in &net.probes {
            let asking = nets()
                .map(|(_, net)| net)
                .filter(|net| net.probes.contains(&probe));
            if !asking.into_iter().any(|net| applies(probe, net)) {
                let lack = lack(probe);
                let message = format!(
                    "has `{}`, but {lack}; remove the probe or add such an arm",
                    probe.name()
                );
                return Some((i, message));
            }
        }
    }
    None
}

fn applies(probe: Probe, net: &NetRecipe) -> bool {
    let (block, blocks) = match &net.model {
        ModelConfig::Mlp(config) => (&config.block, config.hidden.len()),
        ModelConfig::Cnn(config) => (&config.block, config.channels.len() + config.dense.len()),
    };
    match probe {
        Probe::TrainTestGap => true,
        Probe::Roughness => net.data.validation > 0.0 && net.train.evaluations().len() > 1,
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
            net.train.fault.is_some() && matches!(net.model, ModelConfig::Mlp(_)) && !own
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
        | Probe::Identities => "no arm with it has a hidden block",
        Probe::EvaluationModes | Probe::RunningAverages | Probe::VarianceShift => {
            "no arm with it has a batch norm"
        }
        Probe::LearnedParameters => "no arm with it has a norm with a scale or a center",
        Probe::CoAdaptation => {
            "no arm with it has hidden blocks without a norm over the units of an example"
        }
        Probe::Roughness => "no arm with it has two evaluations on a validation split",
        Probe::BiasGradient => "no arm with it has a block with a bias",
        Probe::PlantedFault => {
            "no arm with it is a dense net with a `train.fault` and no norm over the units of an example"
        }
        Probe::BiasTwin => "no arm with it has a norm",
        Probe::ScaleFold => "no arm with it has a norm with a scale",
    }
}
