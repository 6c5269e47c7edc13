//! Whole trainings on a device, by the runner that every experiment uses: what is there is not trained
//! again, and what is stopped goes on.

use crate::compare::results::{Accuracy, TrainedCell};
use crate::plan::Plan;
use crate::provenance::fingerprint;
use crate::record::{CellRecord, EpochRecord, Outcome};
use crate::run::{Events, RunError, RunOptions, RunReport, journal, run_spec, runs};
use crate::spec::Spec;
use crate::trainer::Job;
use crate::trainer::{StopFlag, Trainer};
use std::path::Path;

/// The plan of the trainings of `spec` on the device called `device`, whose folder has its name. Each
/// arm has its first learning rate alone: choosing one is no part of a comparison of devices.
pub fn plan(spec: &Spec, device: &str, replicas: usize) -> Plan {
    let mut spec = spec.clone();
    spec.name = folder_name(device);
    for arm in &mut spec.arms {
        arm.learning_rates.truncate(1);
        arm.probes.clear();
    }
    Plan::new(&spec, device, replicas, fingerprint(device))
}

/// The name of a device as that of a folder on any system.
pub fn folder_name(device: &str) -> String {
    device.replace(':', "-")
}

/// Trains what `plan` misses in its folder below `results`.
///
/// # Errors
/// As [`run_spec`].
pub fn train(
    plan: &Plan,
    results: &Path,
    jobs: usize,
    trainer: &dyn Trainer,
    events: &dyn Events,
    stop: &StopFlag,
) -> Result<RunReport, RunError> {
    let options = RunOptions {
        jobs,
        fresh: false,
        adopt: false,
        results: results.to_owned(),
    };
    run_spec(plan, trainer, &options, events, stop)
}

/// The jobs that [`train`] would train.
///
/// # Errors
/// If records that are there cannot be read.
pub fn missing(plan: &Plan, results: &Path) -> Result<Vec<Job>, RunError> {
    let known = journal::read(&results.join(&plan.spec.name))?;
    Ok(plan.jobs(|id| journal::is_missing(&known, id)))
}

/// What the trainings of `plan` came to, arm by arm.
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
        test_accuracy: record.epochs.iter().map(|e| e.test.accuracy).collect(),
        places: record.epochs.iter().map(EpochRecord::place).collect(),
        error: match &record.outcome {
            Outcome::Done => None,
            Outcome::Diverged { epoch } => Some(format!("diverged in epoch {epoch}")),
            Outcome::Failed { error } => Some(error.clone()),
        },
    }
}
