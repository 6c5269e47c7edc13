//! Measures devices against each other: the same cells, from the same start weights, data order and
//! masks, on each of them.

pub mod accuracy;
#[cfg(test)]
mod broken;
mod distance;
mod forward;
mod parameters;
mod parity;
mod shadow;
mod side;

pub use parity::{parity, yardstick};

use crate::backends::{ArmComparison, Comparison, DeviceInfo};
use crate::data::{self, Sizes};
use crate::plan::{Job, JobCell};
use crate::spec::{Arm, Length, Metric, Optimizer, Spec};

/// Difference of test accuracy, in points, within which two devices learn the same where a spec says
/// nothing of accuracy.
pub const MARGIN: f64 = 0.5;

/// The smallest difference of test accuracy that matters in `spec`, in points: the smallest margin of
/// its contrasts, or else [`MARGIN`].
pub fn margin(spec: &Spec) -> f64 {
    let contrasts = spec.contrasts.iter();
    let margins = contrasts.filter(|c| c.metric == Metric::TestAccuracy).map(|c| c.margin);
    margins.reduce(f64::min).unwrap_or(MARGIN)
}

/// A comparison of `devices` on `spec` without any measurement.
pub fn begin(spec: &Spec, devices: Vec<DeviceInfo>, margin: f64) -> Comparison {
    Comparison {
        spec: spec.name.clone(),
        title: spec.title.clone(),
        devices,
        margin,
        timing: None,
        arms: spec.arms.iter().map(arm).collect(),
    }
}

fn arm(arm: &Arm) -> ArmComparison {
    let data = data::entry(arm.data.name);
    // Arms were checked to fit their data.
    let cost = arm.model.cost([data.height, data.width, 1], data.classes()).unwrap_or_default();
    ArmComparison {
        arm: arm.name.clone(),
        label: arm.label.clone(),
        parameters: cost.parameters,
        multiply_adds: cost.multiply_adds,
        batch: arm.train.batch_size,
        optimizer: match arm.train.optimizer {
            Optimizer::Sgd { .. } => "sgd",
            Optimizer::Adam(_) => "adam",
            Optimizer::Adamw(_) => "adamw",
        }
        .to_owned(),
        steps_a_place: steps_a_place(arm),
        yardstick: None,
        parity: Vec::new(),
        accuracy: Vec::new(),
        speed: Vec::new(),
    }
}

/// Steps for each unit in which the length of the training counts.
fn steps_a_place(arm: &Arm) -> usize {
    let Length::Epochs(_) = arm.train.length else {
        return 1;
    };
    let total = |counts: &[usize]| counts.iter().sum::<usize>();
    let data = data::entry(arm.data.name);
    let sizes = Sizes::new(&arm.data, total(data.train), data.test.map(total));
    sizes.map_or(1, |sizes| sizes.train / arm.train.batch_size)
}

/// The cell of `arm` that is followed step by step on the device called `device`: first learning rate,
/// first seed, no probes.
pub fn cell(spec: &Spec, arm: &Arm, device: &str) -> Job {
    Job {
        arm: arm.name.clone(),
        device: device.to_owned(),
        data: arm.data.clone(),
        model: arm.model.clone(),
        train: arm.train.clone(),
        probes: Vec::new(),
        cells: vec![JobCell {
            id: String::new(),
            seed: spec.seeds[0],
            learning_rate: arm.learning_rates[0],
        }],
    }
}

#[cfg(test)]
mod explore;
