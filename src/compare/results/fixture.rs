//! Synthetic comparisons.

use super::*;
use crate::device::DeviceKind;

/// Ten steps of a net with one dense block, with distances that start at `scale * 1e-7` and double.
pub(crate) fn distances(scale: f64) -> Distances {
    let doubling = || (0..10).map(|k| scale * 1e-7 * f64::from(1 << k)).collect();
    let parameter = |path: &str| ParameterDistances {
        path: path.to_owned(),
        gradient: doubling(),
        value: doubling(),
    };
    Distances {
        loss: doubling(),
        parameters: [
            "blocks.0.linear.weight",
            "blocks.0.linear.bias",
            "head.weight",
            "head.bias",
        ]
        .map(parameter)
        .into(),
    }
}

/// [`distances`], with a drift equal to the distances of the loss.
pub(crate) fn parity(scale: f64) -> Parity {
    Parity {
        distances: distances(scale),
        drift: distances(scale).loss,
        kinks: Vec::new(),
        forward: None,
    }
}

pub(crate) fn baseline() -> RoundingBaseline {
    RoundingBaseline {
        device: "flex".into(),
        seed: 0,
        runs: 5,
        largest: distances(1.0),
        drift: distances(1.0).loss,
        gradients: vec![0.1, 0.1, 0.2, 0.2],
    }
}

fn info(name: &str, kind: DeviceKind) -> DeviceInfo {
    DeviceInfo {
        name: name.into(),
        backend: name.into(),
        kind,
        adapter: "a name".into(),
        driver: None,
        api: None,
        memory: None,
        threads: None,
    }
}

fn on<T>(device: &str, outcome: T) -> OnDevice<T> {
    OnDevice {
        device: device.into(),
        outcome: Measured::Done(outcome),
    }
}

/// An arm on a CPU and on a software adapter whose test accuracies are higher by `gap` points.
pub(crate) fn comparison(seeds: usize, gap: f64) -> DeviceComparison {
    let cells = |gap: f64| {
        let cell = |seed: u64| TrainedCell {
            seed,
            test_accuracy: vec![80.0, 90.0 + (seed % 3) as f64 + gap],
            evaluated_at: vec![1, 2],
            error: None,
        };
        Accuracy {
            cells: (0..seeds as u64).map(cell).collect(),
        }
    };
    DeviceComparison {
        spec: "paper".into(),
        title: "Computed on paper".into(),
        devices: vec![
            info("flex", DeviceKind::Cpu),
            info("wgpu", DeviceKind::SoftwareAdapter),
        ],
        margin: 0.5,
        timing: None,
        arms: vec![ArmComparison {
            arm: "a".into(),
            label: "an arm".into(),
            recipe: None,
            parameters: 100,
            multiply_adds: 90,
            batch: 32,
            optimizer: "adam".into(),
            steps_per_unit: 35,
            baseline: Some(baseline()),
            parity: vec![on("flex", parity(0.8)), on("wgpu", parity(2.0))],
            accuracy: vec![on("flex", cells(0.0)), on("wgpu", cells(gap))],
            speed: Vec::new(),
        }],
    }
}
