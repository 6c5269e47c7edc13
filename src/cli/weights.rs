//! Keeping the weights of the cells of a run.

use super::arguments::DEFAULT_DEVICE;
use super::cards::Draft;
use super::console::Console;
use super::exit::Failure;
use super::trainer::workers;
use super::work::Work;
use crate::card::{EXTENSION, Training, WEIGHTS_EXTENSION, cell_name, keep_in};
use crate::data;
use crate::device::is_cpu;
use crate::files::{FileError, check_writable, read, remove_leftovers};
use crate::machine::threads_per_job;
use crate::record::{CellRecord, EpochRecord, Outcome};
use crate::text::counted;
use crate::train::BurnTrainer;
use crate::trainer::{Job, JobCell, Progress, StopFlag, Trainer};
use crate::worker::WorkerTrainer;
use ablate_models::interchange::{Network, Weights};
use ablate_models::zoo::ModelConfig;
use std::path::{Path, PathBuf};

/// Folder of the weights inside a results folder. Like the journal it is hidden and not committed.
const FOLDER: &str = ".weights";

/// Checks that all arms train nets whose weights have names and layouts in PyTorch.
///
/// # Errors
/// If an arm runs a program or trains a model of a registered kind.
pub(super) fn check(works: &[Work]) -> Result<(), Failure> {
    for spec in works.iter().map(|work| &work.plan.spec) {
        for arm in &spec.arms {
            let why = match arm.net().map(|net| &net.model) {
                Some(ModelConfig::Custom(model)) => {
                    format!("trains a model of the registered kind `{}`", model.kind())
                }
                Some(_) => continue,
                None => "runs a program".to_owned(),
            };
            return Err(Failure::usage(format!(
                "`--keep-weights` keeps the weights of nets of the zoo, but arm `{}` of `{}` {why}; leave it out",
                arm.name, spec.name
            )));
        }
    }
    Ok(())
}

/// Creates a trainer as [`super::trainer::trainer`] does, which also writes the weights of every cell and
/// their card below `results`, the results folder of the experiment.
pub(super) fn trainer(
    device: &str,
    isolate: bool,
    jobs: usize,
    results: &Path,
) -> Result<Box<dyn Trainer>, Failure> {
    let folder = results.join(FOLDER);
    check_writable(&folder)?;
    remove_leftovers(&folder);
    let threads = threads_per_job(jobs);
    // A worker may have another working folder.
    let absolute = std::path::absolute(&folder).map_err(FileError::of("find", &folder))?;
    let inner: Box<dyn Trainer> = match isolate || !is_cpu(device) {
        true => Box::new(WorkerTrainer::new(workers()?, threads).keeping(absolute)),
        false => Box::new(BurnTrainer::new(threads).keeping(keep_in(absolute))),
    };
    Ok(Box::new(Keeping { inner, folder }))
}

/// Says how many trained cells of a run have no weights, because they were recorded without them.
pub(super) fn say_missing(work: &Work, records: &[CellRecord], results: &Path, console: &Console) {
    let spec = &work.plan.spec;
    let folder = results.join(&spec.name).join(FOLDER);
    let is_done = |cell: &JobCell| {
        let done = |record: &CellRecord| record.id == cell.id && record.outcome == Outcome::Done;
        records.iter().any(done)
    };
    let has_card = |arm: &str, cell: &JobCell| {
        let name = format!("{}.{EXTENSION}", cell_name(arm, cell));
        folder.join(name).is_file()
    };
    let missing: usize = (work.plan.jobs(|_| true).iter())
        .map(|job| {
            let cells = job.cells.iter().filter(|cell| is_done(cell));
            cells.filter(|cell| !has_card(&job.arm, cell)).count()
        })
        .sum();
    let name = &spec.name;
    match missing {
        0 => console.info(&format!("{name}: weights in `{}`", folder.display())),
        _ => console.warn(&format!(
            "{name}: {} recorded before without weights; `--fresh --keep-weights` trains every cell again",
            match missing {
                1 => "1 cell was".to_owned(),
                n => format!("{} were", counted(n, "cell")),
            }
        )),
    }
}

/// A trainer whose cells leave their weights in a folder. It adds a card for each.
struct Keeping {
    inner: Box<dyn Trainer>,
    folder: PathBuf,
}

impl Trainer for Keeping {
    fn train(
        &self,
        job: &Job,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Option<Vec<CellRecord>> {
        let mut records = self.inner.train(job, progress, stop)?;
        for (cell, record) in job.cells.iter().zip(&mut records) {
            if record.outcome == Outcome::Done
                && let Err(failure) = self.write_card(job, cell, record)
            {
                let error = format!("cannot write the card of its weights: {}", failure.text());
                *record = job.record(cell, Outcome::Failed { error });
            }
        }
        Some(records)
    }

    fn raise_threads(&self, threads: usize) {
        self.inner.raise_threads(threads);
    }

    fn estimate(&self, job: &Job) -> Option<f64> {
        self.inner.estimate(job)
    }
}

impl Keeping {
    /// Writes the card beside the weights of a cell, so that `predict` and `export` can use them.
    fn write_card(&self, job: &Job, cell: &JobCell, record: &CellRecord) -> Result<(), Failure> {
        let net = job.net().ok_or_else(|| Failure::internal("not a net"))?;
        let name = cell_name(&job.arm, cell);
        let path = self.folder.join(format!("{name}.{WEIGHTS_EXTENSION}"));
        let bytes = read(&path).map_err(FileError::of("read", &path))?;
        let weights = Weights::from_safetensors(&bytes).map_err(internal)?;
        let dataset = data::load(net.data)?;
        let input = [dataset.height, dataset.width, dataset.channels];
        let network = Network::new(net.model.clone(), input, dataset.classes).map_err(internal)?;
        let draft = Draft {
            name: &name,
            network: &network,
            weights: &weights,
            dataset: &dataset,
            data: net.data,
            train: net.train,
            training: Training {
                seed: cell.seed,
                learning_rate: cell.learning_rate.unwrap_or(f64::NAN),
                kept: record.epochs.last().map_or(0, EpochRecord::place),
                patience: 0,
                device: job.device.clone(),
            },
            // A lost GPU would end this process.
            scored_on: match is_cpu(&job.device) {
                true => &job.device,
                false => DEFAULT_DEVICE,
            },
        };
        draft.finish(None)?.write(&self.folder)?;
        Ok(())
    }
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::internal(error.to_string())
}
