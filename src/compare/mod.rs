//! Comparison of devices: the same cells, with the same start weights, data order and masks, on each
//! device.

pub mod analysis;
pub mod figures;
pub mod measure;
pub mod report;
pub mod results;

use crate::compare::results::{ArmComparison, DeviceComparison};
use crate::data::{self, DataError};
use crate::device::DeviceInfo;
use crate::plan::Plan;
use crate::provenance::fingerprint;
use crate::recipe::{NetRecipe, Optimizer, Recipe};
use crate::spec::{Arm, Metric, Spec};
use crate::trainer::{Job, JobCell};

/// Margin in points of test accuracy for specs without a contrast of test accuracy.
pub const MARGIN: f64 = 0.5;

/// The smallest difference of test accuracy that matters in `spec`, in points: the smallest margin of
/// its contrasts of test accuracy, or else [`MARGIN`].
pub fn margin(spec: &Spec) -> f64 {
    let contrasts = spec.contrasts.iter();
    let margins = contrasts
        .filter(|c| c.metric == Metric::TestAccuracy)
        .map(|c| c.margin);
    margins.reduce(f64::min).unwrap_or(MARGIN)
}

/// A comparison of `devices` on `spec`, still without measurements.
///
/// # Errors
/// If the data of an arm is not available.
pub fn begin(
    spec: &Spec,
    devices: Vec<DeviceInfo>,
    margin: f64,
) -> Result<DeviceComparison, DataError> {
    Ok(DeviceComparison {
        spec: spec.name.clone(),
        title: spec.title.clone(),
        devices,
        margin,
        timing: None,
        arms: (spec.arms.iter().zip(recipes(spec)))
            .filter_map(|(arm, recipe)| Some(compared(arm, arm.net()?, recipe)))
            .collect::<Result<_, _>>()?,
    })
}

/// A hash of the recipe of each arm and of the code: the id of its first cell, without a device.
fn recipes(spec: &Spec) -> Vec<Option<String>> {
    let cells = Plan::new(spec, "", 1, fingerprint("")).cells;
    let first = |arm| cells.iter().find(|cell| cell.arm == arm);
    (0..spec.arms.len())
        .map(|arm| Some(first(arm)?.id.clone()))
        .collect()
}

fn compared(
    arm: &Arm,
    net: &NetRecipe,
    recipe: Option<String>,
) -> Result<ArmComparison, DataError> {
    let data = data::load(&net.data)?;
    let input = [data.height, data.width, data.channels];
    // Arms fit their data; the spec was checked.
    let cost = net.model.cost(input, data.classes).unwrap_or_default();
    Ok(ArmComparison {
        arm: arm.name.clone(),
        label: arm.label.clone(),
        recipe,
        parameters: cost.parameters,
        multiply_adds: cost.multiply_adds,
        batch: net.train.batch_size,
        optimizer: match net.train.optimizer {
            Optimizer::Sgd { .. } => "sgd",
            Optimizer::Adam(_) => "adam",
            Optimizer::Adamw(_) => "adamw",
            Optimizer::RmsProp(_) => "rmsprop",
        }
        .to_owned(),
        steps_per_unit: measure::timing::steps_per_unit(net, &data)?,
        baseline: None,
        parity: Vec::new(),
        accuracy: Vec::new(),
        speed: Vec::new(),
    })
}

/// The cell of `arm` whose steps are compared on `device`: first learning rate, first seed, no probes.
pub fn cell(spec: &Spec, arm: &Arm, device: &str) -> Job {
    Job {
        arm: arm.name.clone(),
        device: device.to_owned(),
        recipe: match &arm.recipe {
            Recipe::Net(net) => Recipe::Net(NetRecipe {
                probes: Vec::new(),
                ..net.clone()
            }),
            program @ Recipe::Program(_) => program.clone(),
        },
        cells: vec![JobCell {
            id: String::new(),
            seed: spec.seeds[0],
            learning_rate: arm.rates()[0],
        }],
        until: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake;

    #[test]
    fn margin_is_the_smallest_of_test_accuracy() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/smoke.toml");
        let mut spec = Spec::load(&path, &[]).unwrap();
        assert_eq!(margin(&spec), 1.0);
        spec.contrasts[0].margin = 0.25;
        assert_eq!(margin(&spec), 0.25);
        spec.contrasts.clear();
        assert_eq!(margin(&spec), MARGIN);
    }

    #[test]
    fn cell_has_first_seed_and_rate_and_no_probes() {
        let mut spec = fake::spec(&["a"], 3);
        spec.seeds = vec![7, 3];
        spec.arms[0].learning_rates = vec![0.1, 0.01];
        let job = cell(&spec, &spec.arms[0], "flex");
        assert_eq!((job.cells.len(), job.net().unwrap().probes.len()), (1, 0));
        assert_eq!(
            (job.cells[0].seed, job.cells[0].learning_rate),
            (7, Some(0.1))
        );
    }
}
