//! Probes that apply to none of the arms that ask for them.

use crate::recipe::{NetRecipe, Probe};
use crate::spec::Arm;
use ablate_models::block::BlockConfig;
use ablate_models::norm::NormConfig;

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

/// Whether a probe measures the blocks of the zoo. The others measure scores, which every model has.
pub(in crate::spec) const fn needs_blocks(probe: Probe) -> bool {
    !matches!(probe, Probe::TrainTestGap | Probe::Roughness)
}

fn applies(probe: Probe, net: &NetRecipe) -> bool {
    if !needs_blocks(probe) {
        return match probe {
            Probe::Roughness => net.data.validation > 0.0 && net.train.evaluations().len() > 1,
            _ => true,
        };
    }
    let Some(block) = net
        .model
        .block()
        .filter(|_| !net.model.block_paths().is_empty())
    else {
        return false;
    };
    match probe {
        Probe::BiasGradient => block.has_bias(block.dropout.rate),
        Probe::BiasTwin => block.norm.is_some(),
        Probe::ScaleFold => block.norm.has_scale(),
        Probe::EvaluationModes | Probe::RunningAverages | Probe::VarianceShift => {
            matches!(block.norm, NormConfig::Batch(_))
        }
        Probe::LearnedParameters => block.norm.has_scale() || block.norm.has_center(),
        Probe::PlantedFault => {
            let is_dense = net.model.conv_widths().is_empty();
            net.train.fault.is_some() && is_dense && !is_over_units(block)
        }
        Probe::CoAdaptation => !is_over_units(block),
        _ => true,
    }
}

/// Whether a norm takes its statistics over the units of an example.
const fn is_over_units(block: &BlockConfig) -> bool {
    matches!(block.norm, NormConfig::Layer(_) | NormConfig::Group(_))
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
