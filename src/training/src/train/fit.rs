//! Training of a net, evaluation by evaluation, that keeps its weights: the best ones with early stopping,
//! the last ones without.

use super::checkpoint::{Checkpoint, SeedProgress, below, tensors, under, with_tensors};
use super::threads::JobThreads;
use super::{StackedTraining, TrainError};
use crate::data::Dataset;
use crate::record::{CellRecord, EpochRecord, Outcome};
use crate::train::statistics::evaluation_model;
use crate::trainer::{Job, Progress, StopFlag};
use ablate_models::interchange::{Network, Weights, WeightsError};
use std::sync::Arc;

/// A job of one net and some seeds in training.
pub struct Fit<'a> {
    stacked: StackedTraining<'a>,
    threads: JobThreads,
    network: Network,
    /// Evaluations without a lower validation NLL after which a seed stops; `None` for no early stopping.
    patience: Option<usize>,
    places: Vec<usize>,
    evaluations: usize,
    seeds: Vec<SeedProgress>,
    kept: Vec<Weights>,
}

/// The weights that a seed keeps.
#[derive(Clone, Debug)]
pub struct Kept<'a> {
    /// The seed.
    pub seed: u64,
    /// The weights; `None` if training diverged.
    pub weights: Option<&'a Weights>,
    /// The evaluation that they are from.
    pub evaluation: Option<&'a EpochRecord>,
    /// How the training ended.
    pub outcome: &'a Outcome,
}

impl<'a> Fit<'a> {
    /// Prepares the nets of `job` on `dataset`, with kernels on `threads` threads.
    ///
    /// # Errors
    /// If the job trains a program or a model that is not of the zoo, or the model cannot be built.
    pub fn new(
        job: &'a Job,
        dataset: &Arc<Dataset>,
        threads: usize,
        patience: Option<usize>,
    ) -> Result<Self, TrainError> {
        let net = job.net().ok_or(TrainError::Program)?;
        let input = [dataset.height, dataset.width, dataset.channels];
        let network = Network::new(net.model.clone(), input, dataset.classes)?;
        let threads = JobThreads::new(net.device, threads);
        let stacked = threads.install(|| StackedTraining::new(net, dataset))?;
        Ok(Self {
            stacked,
            threads,
            network,
            patience,
            places: net.evaluations(),
            evaluations: 0,
            seeds: vec![SeedProgress::default(); net.cells.len()],
            kept: vec![Weights::default(); net.cells.len()],
        })
    }

    /// The network that is trained.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Epochs or steps after which the nets are evaluated.
    pub fn places(&self) -> &[usize] {
        &self.places
    }

    /// Number of evaluations done.
    pub const fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// The record of each seed.
    pub fn records(&self) -> &[CellRecord] {
        &self.stacked.records
    }

    /// Trains up to the next evaluation. Returns whether any seed still trains, or `None` if it was stopped.
    ///
    /// # Errors
    /// If the weights cannot be exported.
    pub fn advance(
        &mut self,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Result<Option<bool>, TrainError> {
        let Some(&place) = self.places.get(self.evaluations) else {
            return Ok(Some(false));
        };
        let stacked = &mut self.stacked;
        let threads = &self.threads;
        if threads
            .install(|| stacked.advance(place, progress, stop))
            .is_none()
        {
            return Ok(None);
        }
        self.keep()?;
        self.evaluations += 1;
        Ok(Some(self.trains()))
    }

    /// Whether any seed still trains.
    pub fn trains(&self) -> bool {
        let alive = |(record, seed): (&CellRecord, &SeedProgress)| {
            record.outcome == Outcome::Done && !seed.stopped
        };
        let any = self.stacked.records.iter().zip(&self.seeds).any(alive);
        any && self.evaluations < self.places.len()
    }

    /// Keeps the weights of the seeds that improved.
    fn keep(&mut self) -> Result<(), WeightsError> {
        let (now, stacked) = (self.evaluations, &self.stacked);
        let (job, net, batches) = (&stacked.job, &stacked.net, &stacked.batches);
        let model = (self.threads).install(|| evaluation_model(job, net.model(), batches));
        for (r, (seed, record)) in self.seeds.iter_mut().zip(&stacked.records).enumerate() {
            if seed.stopped || record.outcome != Outcome::Done {
                continue;
            }
            let nll = |i: usize| Some(record.epochs.get(i)?.validation?.nll);
            let improved = now == 0 || nll(now) < nll(seed.kept);
            if improved || self.patience.is_none() {
                seed.kept = now;
                self.kept[r] = self.network.export(&model, r)?;
            }
            seed.stopped = self
                .patience
                .is_some_and(|patience| now - seed.kept >= patience);
        }
        Ok(())
    }

    /// The weights that each seed keeps so far.
    pub fn kept(&self) -> impl Iterator<Item = Kept<'_>> {
        let seeds = self.stacked.records.iter().zip(&self.seeds).zip(&self.kept);
        seeds.map(|((record, seed), weights)| {
            let is_done = record.outcome == Outcome::Done && !weights.0.is_empty();
            Kept {
                seed: record.seed,
                weights: is_done.then_some(weights),
                evaluation: record.epochs.get(seed.kept),
                outcome: &record.outcome,
            }
        })
    }

    /// Its state, and the tensors that belong to it.
    pub fn checkpoint(&self) -> (Checkpoint, Weights) {
        let stacked = &self.stacked;
        let (optimizer_steps, moments) = stacked.net.optimizer_state();
        let mut all = Weights::default();
        all.0.extend(under("model", tensors(stacked.net.model())));
        all.0.extend(under("optimizer", moments));
        for (r, weights) in self.kept.iter().enumerate() {
            all.0.extend(under(&format!("kept.{r}"), weights.0.clone()));
        }
        let checkpoint = Checkpoint {
            evaluations: self.evaluations,
            steps: stacked.evaluated,
            optimizer_steps,
            records: stacked.records.clone(),
            seeds: self.seeds.clone(),
        };
        (checkpoint, all)
    }

    /// Goes on from a checkpoint of the same job.
    ///
    /// # Errors
    /// If the checkpoint is of another job.
    pub fn resume(&mut self, checkpoint: Checkpoint, tensors: &Weights) -> Result<(), TrainError> {
        let ids = |records: &[CellRecord]| -> Vec<String> {
            records.iter().map(|record| record.id.clone()).collect()
        };
        let same = ids(&checkpoint.records) == ids(&self.stacked.records)
            && checkpoint.seeds.len() == self.seeds.len()
            && checkpoint.evaluations <= self.places.len();
        if !same {
            let message = "its settings, seeds or code differ".to_owned();
            return Err(TrainError::Checkpoint(message));
        }
        let stacked = &mut self.stacked;
        let threads = &self.threads;
        threads.install(|| {
            let restore = |model| with_tensors(model, below(tensors, "model"));
            stacked.net.restore(
                restore,
                checkpoint.steps,
                checkpoint.optimizer_steps,
                below(tensors, "optimizer"),
            )
        })?;
        stacked.evaluated = checkpoint.steps;
        stacked.records = checkpoint.records;
        self.evaluations = checkpoint.evaluations;
        self.seeds = checkpoint.seeds;
        for (r, kept) in self.kept.iter_mut().enumerate() {
            *kept = Weights(below(tensors, &format!("kept.{r}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;
    use crate::recipe::{DataConfig, Length, NetRecipe, Optimizer, TrainConfig};
    use crate::train::BurnTrainer;
    use crate::train::fixture::{self, Silent};
    use crate::trainer::Trainer;
    use ablate_models::zoo::ModelConfig;

    /// Two seeds of a net with batch norm and dropout on the digits.
    fn job(optimizer: &str, bias_correction: bool, epochs: usize) -> Job {
        let data = r#"{"name": "digits", "subset": 256}"#;
        let norm = format!(r#"{{"kind": "batch", "bias_correction": {bias_correction}}}"#);
        let model = format!(
            r#"{{"kind": "mlp", "hidden": [12], "block": {{"norm": {norm}, "dropout": {{"rate": 0.2}}}}}}"#
        );
        let net = NetRecipe {
            data: serde_json::from_str::<DataConfig>(data).unwrap(),
            model: serde_json::from_str::<ModelConfig>(&model).unwrap(),
            train: TrainConfig {
                optimizer: serde_json::from_str::<Optimizer>(optimizer).unwrap(),
                ..TrainConfig::new(Length::Epochs(epochs), 32)
            },
            probes: Vec::new(),
        };
        fixture::stack(net, 1..3, 0.01)
    }

    fn fit(job: &Job, patience: Option<usize>) -> Fit<'_> {
        let dataset = data::load(job.net().unwrap().data).unwrap();
        Fit::new(job, &dataset, 1, patience).unwrap()
    }

    fn train(fit: &mut Fit<'_>, evaluations: usize) {
        for _ in 0..evaluations {
            fit.advance(&Silent, &StopFlag::default()).unwrap().unwrap();
        }
    }

    /// The weights that are kept, and the records.
    fn results(fit: &Fit<'_>) -> (Vec<Weights>, Vec<CellRecord>) {
        let weights = fit.kept().map(|kept| kept.weights.unwrap().clone());
        (weights.collect(), fit.records().to_vec())
    }

    const ADAM: &str = r#"{"kind": "adam"}"#;
    const SGD: &str = r#"{"kind": "sgd", "momentum": 0.9}"#;

    #[test]
    fn a_resumed_training_has_every_bit_of_an_uninterrupted_one() {
        for (optimizer, bias_correction) in [(ADAM, true), (SGD, false)] {
            let job = job(optimizer, bias_correction, 4);
            let mut whole = fit(&job, None);
            train(&mut whole, 4);
            let mut first = fit(&job, None);
            train(&mut first, 2);
            let (checkpoint, tensors) = first.checkpoint();
            let text = serde_json::to_string(&checkpoint).unwrap();
            let bytes = tensors.to_safetensors().unwrap();
            drop(first);
            let mut second = fit(&job, None);
            let tensors = Weights::from_safetensors(&bytes).unwrap();
            second
                .resume(serde_json::from_str(&text).unwrap(), &tensors)
                .unwrap();
            train(&mut second, 2);
            assert_eq!(results(&second), results(&whole), "{optimizer}");
        }
    }

    #[test]
    fn records_are_those_of_the_trainer() {
        let job = job(ADAM, false, 3);
        let mut own = fit(&job, None);
        train(&mut own, 3);
        assert!(!own.trains());
        let records = BurnTrainer::new(1).train(&job, &Silent, &StopFlag::default());
        assert_eq!(own.records(), records.unwrap());
    }

    #[test]
    fn early_stopping_keeps_the_weights_of_the_lowest_validation_loss() {
        let mut job = job(ADAM, false, 60);
        job.cells
            .iter_mut()
            .for_each(|cell| cell.learning_rate = Some(0.1));
        let mut early = fit(&job, Some(2));
        let mut best: Vec<Option<(f64, Weights)>> = vec![None; 2];
        while early.trains() {
            train(&mut early, 1);
        }
        assert!(early.evaluations() < 60, "it stops early");
        // Without early stopping each evaluation keeps its weights, so they can be collected.
        let mut all = fit(&job, None);
        let mut stopped = [false; 2];
        let mut waited = [0; 2];
        for _ in 0..early.evaluations() {
            train(&mut all, 1);
            for (r, kept) in all.kept().enumerate() {
                let nll = kept.evaluation.unwrap().validation.unwrap().nll;
                if stopped[r] {
                    continue;
                }
                if best[r].as_ref().is_none_or(|(lowest, _)| nll < *lowest) {
                    best[r] = Some((nll, kept.weights.unwrap().clone()));
                    waited[r] = 0;
                } else {
                    waited[r] += 1;
                    stopped[r] = waited[r] == 2;
                }
            }
        }
        assert_eq!(stopped, [true; 2]);
        for (kept, best) in early.kept().zip(best) {
            assert_eq!(kept.weights.unwrap(), &best.unwrap().1);
        }
    }

    #[test]
    fn a_checkpoint_of_another_training_is_refused() {
        let (one, other) = (job(ADAM, false, 3), job(SGD, false, 3));
        let (checkpoint, tensors) = fit(&one, None).checkpoint();
        let error = fit(&other, None)
            .resume(checkpoint.clone(), &tensors)
            .unwrap_err();
        assert!(error.to_string().contains("`--fresh`"), "{error}");
        let mut broken = tensors;
        broken.0.retain(|name, _| !name.ends_with("head.bias"));
        let error = fit(&one, None).resume(checkpoint, &broken).unwrap_err();
        assert!(error.to_string().contains("head.bias"), "{error}");
    }
}
