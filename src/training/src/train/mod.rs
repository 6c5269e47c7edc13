//! The built-in trainer: trains the cells of a job as one stacked model.

mod augment;
pub mod batch;
mod checkpoint;
mod device_images;
mod fault;
mod fit;
#[cfg(test)]
pub(crate) mod fixture;
mod keep;
#[cfg(test)]
mod misclassified;
pub mod net;
pub mod optimizer;
pub mod parameters;
mod prefetch;
mod probes;
mod restriction;
mod rmsprop;
pub mod schedule;
pub mod scores;
mod statistics;
mod threads;
mod trained;
mod training;

pub use checkpoint::{Checkpoint, SeedProgress};
pub use fit::{Fit, Kept};
pub use keep::KeepWeights;
pub use trained::TrainedNet;
pub use training::Training;

use crate::data::{self, Dataset};
use crate::device;
use crate::recipe::{Length, PlantedFault};
use crate::record::{CellRecord, EpochRecord, Outcome, Scores};
use crate::trainer::{Job, JobCell, NetJob, Progress, StopFlag, Trainer};
use ablate_models::Start;
use batch::{Batches, SplitPart};
use burn::tensor::{DType, Device};
use net::{Net, host_f64};
use optimizer::Optimizer;
use probes::{ProbeContext, Probes, StepContext};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use threads::JobThreads;

/// Trainer that uses burn.
#[derive(Debug)]
pub struct BurnTrainer {
    threads: AtomicUsize,
    keep: Option<KeepWeights>,
}

/// Error while preparing a job.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device cannot be opened.
    #[error(transparent)]
    Device(#[from] device::DeviceError),
    /// The data cannot be loaded.
    #[error(transparent)]
    Data(#[from] data::DataError),
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ablate_models::ConfigError),
    /// The job trains a program.
    #[error("the built-in trainer trains nets, not programs")]
    Program,
    /// A batch is larger than the training split.
    #[error(
        "`train.batch_size` is {batch}, but the training split has only {examples} examples; lower it"
    )]
    Batch {
        /// Examples per batch.
        batch: usize,
        /// Examples in the training split.
        examples: usize,
    },
    /// Weights do not fit the model.
    #[error(transparent)]
    Weights(#[from] ablate_models::interchange::WeightsError),
    /// A checkpoint does not belong to the training.
    #[error("the checkpoint does not belong to this training: {0}; start again with `--fresh`")]
    Checkpoint(String),
}

impl BurnTrainer {
    /// Creates a trainer that runs kernels on `threads` threads per job.
    pub const fn new(threads: usize) -> Self {
        Self {
            threads: AtomicUsize::new(threads),
            keep: None,
        }
    }

    /// The trainer that also gives away the weights of cells that have trained to the end.
    #[must_use]
    pub fn keeping(mut self, keep: KeepWeights) -> Self {
        self.keep = Some(keep);
        self
    }

    /// Threads per job at the moment; [`Trainer::raise_threads`] can raise it.
    fn threads(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }
}

impl Trainer for BurnTrainer {
    fn train(
        &self,
        job: &Job,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Option<Vec<CellRecord>> {
        let mut threads = JobThreads::new(&job.device, self.threads());
        let begin = || {
            let net = job.net().ok_or(TrainError::Program)?;
            StackedTraining::new(net, &data::load(net.data)?)
        };
        let mut stacked = match threads.install(begin) {
            Ok(stacked) => stacked,
            Err(error) => {
                let failed = |cell| failed(job, cell, &error);
                return Some(job.cells.iter().map(failed).collect());
            }
        };
        for eval_at in stacked.job.evaluations() {
            threads.resize(self.threads());
            if !threads.install(|| stacked.advance(eval_at, progress, stop))? {
                break;
            }
        }
        threads.install(|| {
            if let Some(keep) = &self.keep {
                stacked.keep_weights(keep);
            }
            stacked.finish_or_stop_early(stop)
        })
    }

    fn raise_threads(&self, threads: usize) {
        self.threads.fetch_max(threads, Ordering::Relaxed);
    }

    fn estimate(&self, job: &Job) -> Option<f64> {
        let started = Instant::now();
        let training = Training::new(job, self.threads()).ok()?;
        let built = started.elapsed().as_secs_f64();
        Some(built + training.estimate())
    }
}

fn failed(job: &Job, cell: &JobCell, error: &TrainError) -> CellRecord {
    let error = error.to_string();
    job.record(cell, Outcome::Failed { error })
}

/// All cells of a job, one replica each, trained as one stack.
pub(crate) struct StackedTraining<'a> {
    job: NetJob<'a>,
    net: Net,
    batches: Batches,
    steps_per_epoch: usize,
    /// Step of the last evaluation.
    evaluated: usize,
    probes: Probes,
    records: Vec<CellRecord>,
    /// Whether each cell has its fault already.
    has_fault: Vec<bool>,
}

impl<'a> StackedTraining<'a> {
    fn new(job: NetJob<'a>, dataset: &Arc<Dataset>) -> Result<Self, TrainError> {
        let device = device::open(job.device)?.autodiff();
        let batches = load(&job, dataset, &device, DType::F32)?;
        let examples = batches.len(SplitPart::Train);
        let batch = job.train.batch_size;
        if batch > examples {
            return Err(TrainError::Batch { batch, examples });
        }
        let done = |cell| job.job.record(cell, Outcome::Done);
        let net = build(&job, job.model, &batches, Start::new(seeds(&job), &device))?;
        let context = ProbeContext::new(&job, &net, &batches);
        Ok(Self {
            probes: Probes::begin(&context),
            net,
            steps_per_epoch: examples / batch,
            evaluated: 0,
            records: job.cells.iter().map(done).collect(),
            has_fault: vec![false; job.cells.len()],
            batches,
            job,
        })
    }

    /// Trains up to the evaluation at `eval_at` (an epoch or step) and evaluates. Returns whether
    /// any cell is still training, or `None` if it was stopped.
    fn advance(
        &mut self,
        eval_at: usize,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Option<bool> {
        let to = (self.job.train.length).in_steps(eval_at, self.steps_per_epoch);
        let losses = self.steps(self.evaluated..to, progress, stop)?;
        self.evaluated = to;
        self.evaluate(to, &losses);
        let is_training = self.alive().next().is_some();
        if is_training {
            self.probe_epoch();
        }
        progress.advanced(self.job.job, eval_at);
        Some(is_training)
    }

    /// Returns the records after the last evaluation, or `None` if it was stopped.
    fn finish_or_stop_early(self, stop: &StopFlag) -> Option<Vec<CellRecord>> {
        match self.job.stops_early() {
            true => Some(self.records),
            false => self.finish(stop),
        }
    }

    /// Runs the probes on the trained nets and returns the records.
    fn finish(mut self, stop: &StopFlag) -> Option<Vec<CellRecord>> {
        let context = ProbeContext::new(&self.job, &self.net, &self.batches);
        let results = self.probes.finish(&context, stop)?;
        for (record, result) in self.records.iter_mut().zip(results) {
            if record.outcome == Outcome::Done {
                result.write_to(record);
            }
        }
        Some(self.records)
    }

    /// Runs the probes that measure after every epoch.
    fn probe_epoch(&mut self) {
        let context = ProbeContext::new(&self.job, &self.net, &self.batches);
        self.probes.epoch_done(&context);
    }

    /// Records of the cells that have not diverged.
    fn alive(&self) -> impl Iterator<Item = &CellRecord> {
        let done = |record: &&CellRecord| record.outcome == Outcome::Done;
        self.records.iter().filter(done)
    }

    /// Takes the steps of `range` (from 0) and returns the mean loss of each replica over them.
    fn steps(
        &mut self,
        range: Range<usize>,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Option<Vec<f64>> {
        let each = self.steps_per_epoch;
        let in_epochs = matches!(self.job.train.length, Length::Epochs(_));
        let mut orders = self.batches.orders(range.start / each);
        let mut total = None;
        for step in range.clone() {
            if stop.stopped() {
                return None;
            }
            if step % each == 0 && step > range.start {
                orders = self.batches.orders(step / each);
                if in_epochs {
                    progress.advanced(self.job.job, step / each);
                }
            }
            let losses = self.step(&orders, step % each);
            total = Some(match total {
                Some(total) => total + losses,
                None => losses,
            });
        }
        let total = host_f64(total.expect("an evaluation follows a step"));
        let steps = range.len() as f64;
        Some(total.into_iter().map(|loss| loss / steps).collect())
    }

    /// Plants the fault of the recipe in every net for which this is the step.
    fn plant_fault(&mut self) {
        let Some(fault) = &self.job.train.fault else {
            return;
        };
        let due = self.due(fault);
        if !due.contains(&true) {
            return;
        }
        let (job, batches) = (&self.job, &self.batches);
        self.probes
            .before_fault(&ProbeContext::new(job, &self.net, batches), &due);
        let seeds = seeds(job).into_iter().zip(&due);
        let seeds: Vec<Option<u64>> = seeds.map(|(seed, due)| due.then_some(seed)).collect();
        self.net.plant(fault, &seeds);
        self.probes
            .after_fault(&ProbeContext::new(job, &self.net, batches), &due);
        for (has_fault, due) in self.has_fault.iter_mut().zip(due) {
            *has_fault |= due;
        }
    }

    /// The cells whose fault is planted before the next step.
    fn due(&self, fault: &PlantedFault) -> Vec<bool> {
        let latest = fault.step(self.job.train, self.steps_per_epoch) as u64;
        let is_late = self.net.steps() >= latest;
        let reached = |record: &CellRecord| {
            let validation = record.epochs.last().and_then(|epoch| epoch.validation);
            let bound = fault.at_nll.zip(validation);
            bound.is_some_and(|(bound, validation)| validation.nll <= bound)
        };
        let cells = self.records.iter().zip(&self.has_fault);
        cells
            .map(|(record, has_fault)| !has_fault && (is_late || reached(record)))
            .collect()
    }

    fn step(&mut self, orders: &[Vec<u32>], i: usize) -> burn::tensor::Tensor<1> {
        self.plant_fault();
        let train = &self.job.train;
        let n = train.batch_size;
        let step = self.net.steps();
        let epoch = step as usize / self.steps_per_epoch;
        let (pixels, labels) = self.batches.augmented(orders, epoch, i * n, n);
        let steps = train.length.steps(self.steps_per_epoch);
        let adjustment = schedule::adjustment(&train.schedule, step, self.steps_per_epoch, steps);
        let probes = &mut self.probes;
        if probes.is_empty() {
            return self.net.step(pixels, labels, adjustment, |_, _| ()).losses;
        }
        let batch = (pixels.clone(), labels.clone());
        let inspect = |model: &_, gradients: &_| {
            probes.after_backward(&StepContext {
                model,
                gradients,
                pixels: &batch.0,
                labels: &batch.1,
                adjustment,
            });
        };
        let losses = self.net.step(pixels, labels, adjustment, inspect).losses;
        probes.after_step(&ProbeContext::new(&self.job, &self.net, &self.batches));
        losses
    }

    /// Evaluates the nets after `step` steps. Records the scores of each replica, or marks it as
    /// diverged.
    fn evaluate(&mut self, step: usize, losses: &[f64]) {
        let each = self.steps_per_epoch;
        let in_steps = matches!(self.job.train.length, Length::Steps(_));
        let model = statistics::evaluation_model(&self.job, self.net.model(), &self.batches);
        let score = |part| net::scores(&model, &self.batches, part);
        let validation =
            (self.batches.len(SplitPart::Validation) > 0).then(|| score(SplitPart::Validation));
        let test = net::evaluate(&model, &self.batches, SplitPart::Test);
        let is_end = step == self.job.train.length.steps(each);
        for (r, record) in self.records.iter_mut().enumerate() {
            if record.outcome != Outcome::Done {
                continue;
            }
            let validation: Option<Option<Scores>> = validation.as_ref().map(|scores| scores[r]);
            match (losses[r].is_finite(), validation, test[r].scores()) {
                (true, None | Some(Some(_)), Some(scores)) => {
                    record.epochs.push(EpochRecord {
                        epoch: step / each,
                        step: in_steps.then_some(step),
                        train_loss: Some(losses[r]),
                        validation: validation.flatten(),
                        test: Some(scores),
                        metrics: BTreeMap::new(),
                    });
                    record.misclassified =
                        is_end.then(|| self.batches.misclassified(r, test[r].wrong()));
                }
                _ => {
                    let epoch = (step - 1) / each + 1;
                    record.outcome = Outcome::Diverged { epoch };
                }
            }
        }
    }
}

fn seeds(job: &NetJob<'_>) -> Vec<u64> {
    job.cells.iter().map(|cell| cell.seed).collect()
}

/// Loads the data of every cell; cells of one seed share them.
pub(crate) fn load(
    job: &NetJob<'_>,
    dataset: &Arc<Dataset>,
    device: &Device,
    dtype: DType,
) -> Result<Batches, TrainError> {
    let mut by_seed: HashMap<u64, Arc<data::Prepared>> = HashMap::new();
    let mut replicas = Vec::with_capacity(job.cells.len());
    for seed in seeds(job) {
        let prepared = match by_seed.get(&seed) {
            Some(prepared) => Arc::clone(prepared),
            None => Arc::new(data::prepare_from(Arc::clone(dataset), job.data, seed)?),
        };
        by_seed.insert(seed, Arc::clone(&prepared));
        replicas.push((seed, prepared));
    }
    Ok(Batches::new(replicas, device, dtype))
}

/// Builds a net of `model` (which may differ from the job's model) with its initial weights.
pub fn build(
    job: &NetJob<'_>,
    model: &ablate_models::zoo::ModelConfig,
    batches: &Batches,
    start: Start,
) -> Result<Net, TrainError> {
    let (input, classes) = batches.shape();
    let model = model.init(input, classes, &start)?;
    let rates = job.learning_rates();
    let optimizer = Optimizer::new(job.train, &rates, &model, &start.seeds);
    Ok(Net::new(model, optimizer, job.train.loss_scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_models::cnn::CnnConfig;
    use ablate_models::zoo::ModelConfig;

    #[test]
    fn raising_threads_during_training_changes_no_bit() {
        /// Adds a thread after each evaluation if the flag is set.
        struct AddThreads<'a>(&'a BurnTrainer, bool);
        impl Progress for AddThreads<'_> {
            fn advanced(&self, _: &Job, _: usize) {
                self.0.threads.fetch_add(self.1.into(), Ordering::Relaxed);
            }
        }
        let model: CnnConfig = serde_json::from_str(r#"{"channels": [4], "dense": [16]}"#).unwrap();
        let job = fixture::job(&ModelConfig::Cnn(model), 64);
        assert!(job.evaluations().len() > 1);
        let train = |adds| {
            let trainer = BurnTrainer::new(1);
            let records = trainer.train(job.job, &AddThreads(&trainer, adds), &StopFlag::default());
            let records = records.expect("the flag is never raised");
            assert_eq!(records[0].outcome, Outcome::Done);
            records
        };
        assert_eq!(train(false), train(true));
    }
}
