//! The catalogue of what probes measure: name, label, unit, and direction of improvement.
//!
//! One row per quantity. Records name it `NAME`, or `NAME.PART` for a part of the net. A test fails
//! if a probe measures something that is not listed here.

use crate::recipe::Probe;
use crate::spec::parse::checks::flaw;
use crate::spec::parse::diagnostic::{list, nearest};
use crate::spec::parse::node::brief;
use crate::spec::{Arm, Measure};
use ablate_models::ConfigError;
use ablate_models::zoo::ModelConfig;
use serde::{Deserialize, Serialize};

/// Something that a probe measures.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quantity {
    /// Name in records, up to the first point.
    pub name: &'static str,
    /// Probe that measures it.
    pub probe: Probe,
    /// Label in tables and axes.
    pub label: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Direction of improvement.
    pub better: Direction,
    /// Time of the measurement.
    pub timing: Timing,
    /// Parts of the net that have it.
    pub parts: Parts,
}

/// The unit of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Percent; differences in points.
    Percent,
    /// Nats.
    Nats,
    /// Share from 0 to 1.
    Share,
    /// A pure number.
    Number,
    /// Another unit.
    Other(&'static str),
}

impl Unit {
    /// Unit of a value.
    pub const fn of_values(self) -> &'static str {
        match self {
            Self::Percent => "%",
            Self::Nats => "nats",
            Self::Share => "share",
            Self::Number => "units",
            Self::Other(words) => words,
        }
    }

    /// Unit of a difference of values.
    pub const fn of_differences(self) -> &'static str {
        match self {
            Self::Percent => "points",
            _ => self.of_values(),
        }
    }
}

/// Direction of improvement. For a mechanism it is the direction that the claims call good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// Time at which a quantity is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timing {
    /// Once, of the trained net.
    AtEnd,
    /// After every epoch.
    EveryEpoch,
    /// Once, as a curve or a histogram.
    Series(Axis),
    /// Once, as a square matrix, row after row.
    Matrix,
}

/// Axis of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// Shares from 0 to 1, both ends included.
    Share(&'static str),
    /// Steps, from 1.
    Steps,
    /// The steps 1, 2, 5, 10, 20, 50, ...
    Looks,
    /// Ranks, from 1.
    Rank(&'static str),
}

/// Parts of a net that a quantity belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Parts {
    /// The whole net.
    Net,
    /// Each hidden block, by its path.
    Blocks,
    /// The whole net, and each hidden block by its path.
    NetAndBlocks,
    /// Each of these names.
    Named(&'static [&'static str]),
}

use Direction::{Higher, Lower};
use Timing::{AtEnd, EveryEpoch};

/// Everything that probes measure, one line each.
#[rustfmt::skip]
pub const QUANTITIES: &[Quantity] = &[
    row(Probe::TrainTestGap, "train_accuracy", "training accuracy", Unit::Percent, Higher, AtEnd, Parts::Net),
    row(Probe::TrainTestGap, "train_nll", "training NLL", Unit::Nats, Lower, AtEnd, Parts::Net),
    row(Probe::TrainTestGap, "accuracy_gap", "training minus test accuracy", Unit::Percent, Lower, AtEnd, Parts::Net),
    row(Probe::TrainTestGap, "nll_gap", "test minus training NLL", Unit::Nats, Lower, AtEnd, Parts::Net),
    row(Probe::Saturation, "inactive", "share of inactive pairs of unit and example", Unit::Share, Lower, AtEnd, Parts::Blocks),
    row(Probe::Saturation, "dead", "share of dead units", Unit::Share, Lower, AtEnd, Parts::Blocks),
    row(Probe::BiasGradient, "bias_gradient", "largest gradient of a bias", Unit::Number, Lower, AtEnd, Parts::Blocks),
    row(Probe::BiasGradient, "weight_gradient", "largest gradient of a weight", Unit::Number, Lower, AtEnd, Parts::Blocks),
    row(Probe::BiasGradient, "bias_drift", "largest way of a bias from its start", Unit::Number, Lower, AtEnd, Parts::Blocks),
    row(Probe::BiasTwin, "bias_twin", "largest difference of the logits of twins", Unit::Number, Lower, AtEnd, Parts::Named(&["step_1", "step_10", "step_50"])),
    row(Probe::ScaleFold, "fold_error", "relative error of the fold", Unit::Number, Lower, AtEnd, Parts::Net),
    row(Probe::Homogeneity, "homogeneity_error", "H of the activation", Unit::Number, Lower, AtEnd, Parts::Net),
    row(Probe::CoAdaptation, "negative_share", "share of negative interactions of units", Unit::Percent, Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "negative_share_mean", "share of negative interactions, units at their means", Unit::Percent, Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "negative_within", "share of negative interactions within layers", Unit::Percent, Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "negative_across", "share of negative interactions across layers", Unit::Percent, Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "interaction", "mean interaction of two units", Unit::Nats, Higher, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "interaction_mean", "mean interaction of two units, at their means", Unit::Nats, Higher, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "pairs_within", "mean interaction of all pairs within layers", Unit::Nats, Higher, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "pairs_negative_within", "share of negative interactions of all pairs within layers", Unit::Percent, Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "pairs_across", "mean interaction of all pairs across layers", Unit::Nats, Higher, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "pairs_negative_across", "share of negative interactions of all pairs across layers", Unit::Percent, Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "pairs_within_mean", "mean interaction of all pairs within layers, units at their means", Unit::Nats, Higher, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "pairs_negative_within_mean", "share of negative interactions of all pairs within layers, units at their means", Unit::Percent, Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "pairs_across_mean", "mean interaction of all pairs across layers, units at their means", Unit::Nats, Higher, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "pairs_negative_across_mean", "share of negative interactions of all pairs across layers, units at their means", Unit::Percent, Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "ablation_area", "mean accuracy while units are removed", Unit::Percent, Higher, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "ablation_area_mean", "mean accuracy while units are set to their means", Unit::Percent, Higher, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "cancellation", "size of terms over size of sums", Unit::Other("times"), Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "correlation", "mean size of correlations of units", Unit::Other("r"), Lower, EveryEpoch, Parts::Net),
    row(Probe::CoAdaptation, "ablation_curve", "accuracy without units", Unit::Percent, Higher, REMOVED, Parts::Blocks),
    row(Probe::CoAdaptation, "ablation_curve_mean", "accuracy with units at their means", Unit::Percent, Higher, REMOVED, Parts::Blocks),
    row(Probe::CoAdaptation, "interaction_quantiles", "interaction of two units", Unit::Nats, Higher, Timing::Series(Axis::Share("share of pairs")), Parts::Net),
    row(Probe::CoAdaptation, "interaction_within", "interactions of a layer's units", Unit::Nats, Higher, Timing::Matrix, Parts::Blocks),
    row(Probe::CoAdaptation, "interaction_across", "interactions of a layer's units and the next layer's", Unit::Nats, Higher, Timing::Matrix, Parts::Blocks),
    row(Probe::EqualTraining, "update_gini", "Gini coefficient of the units' updates", Unit::Other("Gini"), Lower, EveryEpoch, Parts::NetAndBlocks),
    row(Probe::EqualTraining, "update_length", "mean update of a unit", Unit::Number, Higher, EveryEpoch, Parts::NetAndBlocks),
    row(Probe::EqualTraining, "displacement_gini", "Gini coefficient of the units' distances from their start", Unit::Other("Gini"), Lower, EveryEpoch, Parts::NetAndBlocks),
    row(Probe::EqualTraining, "displacement", "mean distance of a unit from its start", Unit::Number, Higher, EveryEpoch, Parts::NetAndBlocks),
    row(Probe::EqualTraining, "strength_gini", "Gini coefficient of the units' strengths", Unit::Other("Gini"), Lower, EveryEpoch, Parts::NetAndBlocks),
    row(Probe::EqualTraining, "update_shares", "share of all updates", Unit::Share, Higher, Timing::Series(Axis::Share("share of units, least first")), Parts::Blocks),
    row(Probe::EvaluationModes, "accuracy_by", "test accuracy by statistics", Unit::Percent, Higher, AtEnd, MODES),
    row(Probe::EvaluationModes, "nll_by", "test NLL by statistics", Unit::Nats, Lower, AtEnd, MODES),
    row(Probe::RunningAverages, "sufficient_batches", "batches until running averages serve", Unit::Other("batches"), Lower, AtEnd, Parts::Net),
    row(Probe::RunningAverages, "mean_gap", "distance of running and exact mean, in standard deviations", Unit::Number, Lower, LOOKS, Parts::Blocks),
    row(Probe::RunningAverages, "variance_gap", "size of the log-ratio of running and exact variance", Unit::Number, Lower, LOOKS, Parts::Blocks),
    row(Probe::RunningAverages, "accuracy_running", "validation accuracy by running averages", Unit::Percent, Higher, LOOKS, Parts::Net),
    row(Probe::RunningAverages, "accuracy_exact", "validation accuracy by exact statistics", Unit::Percent, Higher, LOOKS, Parts::Net),
    row(Probe::LearnedParameters, "scale_low", "5 % point of the scales", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::LearnedParameters, "scale_median", "median of the scales", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::LearnedParameters, "scale_high", "95 % point of the scales", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::LearnedParameters, "scale_sd", "standard deviation of the scales", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::LearnedParameters, "center_low", "5 % point of the centers", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::LearnedParameters, "center_median", "median of the centers", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::LearnedParameters, "center_high", "95 % point of the centers", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::LearnedParameters, "center_sd", "standard deviation of the centers", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::Activations, "preactivation_low", "5 % point of what enters the activation", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::Activations, "preactivation_median", "median of what enters the activation", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::Activations, "preactivation_high", "95 % point of what enters the activation", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::Activations, "preactivation_sd", "standard deviation of what enters the activation", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::GradientLandscape, "loss_range", "range of the loss along the gradient", Unit::Nats, Lower, EveryEpoch, Parts::Net),
    row(Probe::GradientLandscape, "gradient_change", "change of the gradient along itself", Unit::Number, Lower, EveryEpoch, Parts::Net),
    row(Probe::GradientLandscape, "relative_gradient_change", "relative change of the gradient along itself", Unit::Number, Lower, EveryEpoch, Parts::Net),
    row(Probe::GradientLandscape, "smoothness", "change of the gradient over the way gone", Unit::Number, Lower, EveryEpoch, Parts::Net),
    row(Probe::GradientLandscape, "covariate_shift", "change of the gradient under the layers in front", Unit::Number, Lower, EveryEpoch, Parts::Blocks),
    row(Probe::GradientLandscape, "covariate_cosine", "cosine of the gradient before and after the layers in front move", Unit::Number, Higher, EveryEpoch, Parts::Blocks),
    row(Probe::VarianceShift, "variance_shift", "variance with dropout over that without", Unit::Number, Lower, AtEnd, Parts::Blocks),
    row(Probe::VarianceShift, "variance_shift_formula", "the same by the formula", Unit::Number, Lower, AtEnd, Parts::Blocks),
    row(Probe::Identities, "bias_outputs", "difference that a bias makes", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "bias_slope", "gradient of a bias over that of a weight", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "fold_scale_before", "error of folding scales before the activation", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "fold_scale_behind", "error of folding scales behind the activation", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "fold_both_behind", "error of folding scales and centers behind the activation", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "size_outputs", "difference that three times the weights make", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "size_with_epsilon", "the same with nine times the epsilon", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "size_slope", "cosine of weights and their gradient", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "population_variance", "error of the population's variance from batches", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "population_within", "error of the mean batch variance alone", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "start_weight", "error of the start value's weight", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "start_after_one", "weight of the start value after one batch", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "dropped_update", "way of a dropped unit over the longest", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "dropped_share", "share of units dropped for a whole batch", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "dropout_variance", "error of the variance behind dropout", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::Identities, "dropout_shift", "shift of the variance by dropout", Unit::Number, Lower, AtEnd, DEVICES),
    row(Probe::PlantedFault, "fault_damage", "what the fault costs at once", Unit::Nats, Lower, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "recovery_steps", "steps until a tenth of the damage is left", Unit::Other("steps"), Lower, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "repair_by_offender", "share of the repair by the corrupted units", Unit::Percent, Higher, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "repair_by_next", "share of the repair by the next layer", Unit::Percent, Lower, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "repair_by_rest", "share of the repair by the rest of the net", Unit::Percent, Lower, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "fault_step", "steps before the fault", Unit::Other("steps"), Lower, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "fault_nll", "loss right before the fault", Unit::Nats, Lower, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "lasting_damage", "loss at the end above that of the control without a fault", Unit::Nats, Lower, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "controlled_recovery_steps", "steps until a tenth of the damage is left, against the control without a fault", Unit::Other("steps"), Lower, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "controlled_repair_by_offender", "share of the repair by the corrupted units, beyond the control without a fault", Unit::Percent, Higher, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "controlled_repair_by_next", "share of the repair by the next layer, beyond the control without a fault", Unit::Percent, Lower, AtEnd, Parts::Net),
    row(Probe::PlantedFault, "controlled_repair_by_rest", "share of the repair by the rest of the net, beyond the control without a fault", Unit::Percent, Lower, AtEnd, Parts::Net),
    row(Probe::Roughness, "validation_roughness", "mean step of the validation accuracy", Unit::Percent, Lower, AtEnd, Parts::Net),
];

/// Ways to evaluate a net.
const MODES: Parts = Parts::Named(&[
    "running",
    "cumulative",
    "exact",
    "batch",
    "batch-of-one",
    "batch-of-a-class",
]);

/// Over the steps 1, 2, 5, 10, 20, 50, ...
const LOOKS: Timing = Timing::Series(Axis::Looks);

/// The devices that compute in double precision.
const DEVICES: Parts = Parts::Named(&["flex", "ndarray"]);

/// Along curves of removal.
const REMOVED: Timing = Timing::Series(Axis::Share("share of the block's units removed"));

const fn row(
    probe: Probe,
    name: &'static str,
    label: &'static str,
    unit: Unit,
    better: Direction,
    timing: Timing,
    parts: Parts,
) -> Quantity {
    Quantity {
        name,
        probe,
        label,
        unit,
        better,
        timing,
        parts,
    }
}

impl Quantity {
    /// The quantity called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        QUANTITIES.iter().find(|quantity| quantity.name == name)
    }

    /// `label`, with the unit of a value where it has one: `share of dead units (share)`.
    pub fn with_unit(&self, label: &str) -> String {
        match self.unit {
            Unit::Number => label.to_owned(),
            unit => format!("{label} ({})", unit.of_values()),
        }
    }

    /// Its names in records of `model`.
    pub fn names(&self, model: &ModelConfig) -> Vec<String> {
        let (whole, parts) = self.parts.of(model);
        let whole = whole.then(|| self.name.to_owned());
        let parts = parts.iter().map(|part| format!("{}.{part}", self.name));
        whole.into_iter().chain(parts).collect()
    }
}

/// Message for an unknown metric `probe:NAME`, with the nearest name.
pub(in crate::spec) fn advice(name: &str) -> String {
    let names: Vec<String> = QUANTITIES
        .iter()
        .map(|q| format!("probe:{}", q.name))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let given = format!("probe:{}", name.split('.').next().unwrap_or_default());
    let advice = match nearest(&given, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("probes measure {}", list(&names)),
    };
    format!("cannot be `{}`; {advice}", brief(&given))
}

impl Measure {
    /// # Errors
    /// If `arm` does not measure it. The error's key is relative to the contrast.
    pub(in crate::spec) fn check(&self, arm: &Arm) -> Result<(), ConfigError> {
        let quantity = self.quantity;
        let name = self.name();
        let several = match quantity.timing {
            Timing::AtEnd | Timing::EveryEpoch => None,
            Timing::Series(_) => Some("series"),
            Timing::Matrix => Some("matrix"),
        };
        if let Some(what) = several {
            let message =
                format!("is `probe:{name}`, a {what}; compare one of the values beside it");
            return flaw("metric", message);
        }
        let net = arm.net().filter(|net| net.probes.contains(&quantity.probe));
        let Some(net) = net else {
            let probe = quantity.probe.name();
            let message = format!(
                "is `probe:{name}`, but the arm `{}` does not have `{probe}` among its `probes`",
                arm.name
            );
            return flaw("metric", message);
        };
        let names = quantity.names(&net.model);
        if names.contains(&name) {
            return Ok(());
        }
        let names: Vec<String> = names.iter().map(|name| format!("probe:{name}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!(
            "is `probe:{}`, which the arm `{}` does not have; it has {}",
            brief(&name),
            arm.name,
            list(&names)
        );
        flaw("metric", message)
    }
}

impl Parts {
    /// Whether the whole of `model` has it, and which parts.
    pub(crate) fn of(self, model: &ModelConfig) -> (bool, Vec<String>) {
        match self {
            Self::Net => (true, Vec::new()),
            Self::Blocks => (false, model.block_paths()),
            Self::NetAndBlocks => (true, model.block_paths()),
            Self::Named(names) => (false, names.iter().map(|&name| name.to_owned()).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_quantities_are_distinct_without_points() {
        let mut names: Vec<&str> = QUANTITIES.iter().map(|q| q.name).collect();
        assert!(names.iter().all(|name| !name.contains('.')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), QUANTITIES.len());
    }

    #[test]
    fn blocks_have_the_paths_of_the_zoo() {
        use ablate_models::Start;
        use ablate_models::zoo::PRESETS;
        let device = crate::device::open("flex").unwrap();
        for preset in PRESETS {
            let config = preset.config();
            let start = Start::new(vec![0], &device);
            let model = config.init(preset.input, preset.classes, &start).unwrap();
            let conv = model.conv_blocks().map(|block| &block.epilogue);
            let dense = model.dense_blocks().iter().map(|block| &block.epilogue);
            let paths: Vec<String> = conv.chain(dense).map(|t| t.path().to_owned()).collect();
            assert_eq!(config.block_paths(), paths, "{}", preset.name);
        }
    }
}
