//! A synthetic comparison with times from a formula.

use crate::compare::measure::timing::SizeGrid;
use crate::compare::results::{
    Accuracy, ArmComparison, DeviceComparison, Measured, OnDevice, SizeTiming, StepTimes,
    TimingConfig, TimingOutcome, TrainedCell, TrainingSize,
};
use crate::device::{DeviceInfo, DeviceKind};

/// Relative deviation of the fastest and the slowest window.
pub(crate) const SPREAD: f64 = 0.01;

pub(crate) fn size(replicas: usize, width: f64, batch: usize) -> TrainingSize {
    TrainingSize {
        replicas,
        width,
        batch,
    }
}

fn device(name: &str, kind: DeviceKind, adapter: &str) -> DeviceInfo {
    DeviceInfo {
        name: name.into(),
        backend: name.into(),
        kind,
        adapter: adapter.into(),
        driver: None,
        api: None,
        memory: None,
        threads: None,
    }
}

/// Ten windows around `step` seconds, after a first step that takes `start_up` seconds longer.
fn speed(step: f64, start_up: f64) -> StepTimes {
    let repeat = |k: usize| step * (1.0 + SPREAD * (k as f64 - 4.5) / 4.5);
    StepTimes {
        parameters: 1000,
        multiply_adds: 900,
        jobs: 1,
        first_step: step + start_up,
        warm_up: 100.0 * step + start_up,
        warm_up_steps: 100,
        settled: true,
        steps: 20,
        step: (0..10).map(repeat).collect(),
    }
}

fn trained(shift: f64) -> Measured<Accuracy> {
    let cell = |seed: u64| TrainedCell {
        seed,
        test_accuracy: [70.0, 80.0, 90.0, 95.0]
            .map(|mean| mean + shift + seed as f64 - 1.0)
            .to_vec(),
        evaluated_at: vec![1, 2, 3, 4],
        error: None,
    };
    Measured::Done(Accuracy {
        cells: (0..3).map(cell).collect(),
    })
}

fn arm(name: &str) -> ArmComparison {
    let on = |device: &str, outcome| OnDevice {
        device: device.into(),
        outcome,
    };
    let timed = |size: TrainingSize| {
        let nets = size.replicas as f64 * size.width * size.width * size.batch as f64 / 32.0;
        [
            ("flex", 1e-3 * nets, 0.0),
            ("wgpu", 4e-3 + 0.25e-3 * nets, 2.0),
        ]
        .map(|(device, step, start_up)| SizeTiming {
            device: device.into(),
            size,
            outcome: TimingOutcome::Done(speed(step, start_up)),
        })
    };
    ArmComparison {
        arm: name.into(),
        label: format!("{name} label"),
        recipe: None,
        parameters: 1000,
        multiply_adds: 900,
        batch: 32,
        steps_per_unit: 36,
        optimizer: "adam".into(),
        baseline: None,
        parity: Vec::new(),
        accuracy: vec![on("flex", trained(0.0)), on("wgpu", trained(-1.0))],
        speed: SizeGrid::default()
            .sizes(32)
            .into_iter()
            .flat_map(timed)
            .collect(),
    }
}

/// Two arms on a CPU (`flex`, 1 ms per net and step) and on a GPU (`wgpu`, 4 ms per step plus 0.25 ms
/// per net).
pub(crate) fn comparison() -> DeviceComparison {
    DeviceComparison {
        spec: "small".into(),
        title: "Two small arms".into(),
        margin: 0.5,
        devices: vec![
            device("flex", DeviceKind::Cpu, "a CPU"),
            device("wgpu", DeviceKind::DiscreteGpu, "a GPU"),
        ],
        timing: Some(TimingConfig::default()),
        arms: vec![arm("plain"), arm("dropout")],
    }
}
