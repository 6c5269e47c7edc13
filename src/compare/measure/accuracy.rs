//! Complete trainings on a device, by the runner of all experiments, which skips finished cells.

use crate::compare::results::{Accuracy, TrainedCell};
use crate::plan::Plan;
use crate::provenance::{Setting, fingerprint, run_recorded};
use crate::record::{CellRecord, EpochRecord, Outcome};
use crate::run::share::Sharing;
use crate::run::{Events, RunError, RunOptions, RunReport, journal, runs};
use crate::spec::Spec;
use crate::trainer::Job;
use crate::trainer::{StopFlag, Trainer};
use std::path::Path;

/// The plan of the trainings of `spec` on `device`, in a folder with the name of the device. Each arm
/// has its first learning rate only, because a comparison of devices does not choose one.
pub fn plan(spec: &Spec, device: &str, replicas: usize) -> Plan {
    let mut spec = spec.clone();
    spec.name = folder_name(device);
    for arm in &mut spec.arms {
        arm.learning_rates.truncate(1);
        if let Some(net) = arm.net_mut() {
            net.probes.clear();
        }
    }
    Plan::new(&spec, device, replicas, fingerprint(device))
}

/// The name of a device as a folder name that is valid on every system.
pub fn folder_name(device: &str) -> String {
    device.replace(':', "-")
}

/// Trains the missing cells of `plan` in its folder below `results`, under the conditions `setting`.
///
/// # Errors
/// As [`crate::run::Session`].
pub fn train(
    plan: &Plan,
    results: &Path,
    jobs: usize,
    trainer: &dyn Trainer,
    events: &dyn Events,
    stop: &StopFlag,
    setting: &Setting,
) -> Result<RunReport, RunError> {
    let options = RunOptions {
        jobs,
        fresh: false,
        adopt: false,
        records: Vec::new(),
        results: results.to_owned(),
        sharing: Sharing::default(),
    };
    run_recorded(plan, trainer, &options, events, stop, setting)
}

/// The jobs that [`train`] still has to train.
///
/// # Errors
/// If existing records cannot be read.
pub fn missing(plan: &Plan, results: &Path) -> Result<Vec<Job>, RunError> {
    let (known, _) = journal::read(&results.join(&plan.spec.name), plan)?;
    Ok(plan.jobs(|id| journal::is_missing(&known, id)))
}

/// The trainings of `plan`, one entry per arm.
///
/// # Errors
/// If the records cannot be read.
pub fn trained(plan: &Plan, results: &Path) -> Result<Vec<Accuracy>, RunError> {
    let records = runs::read_runs(&results.join(&plan.spec.name).join(runs::NAME))?.records;
    let of_arm = |name: &str| Accuracy {
        cells: (records.iter().filter(|record| record.arm == name))
            .map(cell)
            .collect(),
    };
    Ok(plan.spec.arms.iter().map(|arm| of_arm(&arm.name)).collect())
}

fn cell(record: &CellRecord) -> TrainedCell {
    TrainedCell {
        seed: record.seed,
        test_accuracy: (record.epochs.iter().filter_map(|e| Some(e.test?.accuracy))).collect(),
        evaluated_at: record.epochs.iter().map(EpochRecord::place).collect(),
        error: match &record.outcome {
            Outcome::Done => None,
            Outcome::Diverged { epoch } => Some(format!("diverged in epoch {epoch}")),
            Outcome::Failed { error } => Some(error.clone()),
        },
    }
}
