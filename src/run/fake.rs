//! A fake trainer, for tests of everything around training.

use crate::recipe::{DataConfig, DataName, Length, NetRecipe, Probe, Recipe, TrainConfig};
use crate::record::{CellRecord, EpochRecord, Outcome, Scores};
use crate::spec::{Arm, QUANTITIES, Quantity, Spec, Timing};
use crate::trainer::{Job, JobCell, NetJob, Progress, StopFlag, Trainer};
use ablate_models::mlp::MlpConfig;
use ablate_models::zoo::ModelConfig;
use ablate_streams::{Purpose, Stream};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

/// Number of test images; accuracies are multiples of `100 / IMAGES`.
const IMAGES: f64 = 360.0;
/// Number of values in a series.
const SERIES_LENGTH: usize = 9;

/// A trainer that computes curves from the recipe, seed and learning rate of a cell. The numbers do
/// not depend on the stack, the order or the thread. Faults can be planted in cells.
#[derive(Debug, Default)]
pub struct FakeTrainer {
    faults: BTreeMap<(String, u64), Fault>,
    trained: Mutex<Vec<String>>,
}

/// A fault planted in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The loss is not finite in this epoch (from 1).
    Diverge(usize),
    /// The cell fails with an error.
    Fail,
    /// The whole job panics.
    Panic,
    /// The record contains a NaN.
    NotFinite,
    /// The job returns one record too few.
    Forget,
    /// The stop flag is set before the job is done.
    Stop,
}

impl FakeTrainer {
    /// Creates a trainer without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plants a fault in every cell of `arm` with `seed`.
    #[must_use]
    pub fn with_fault(mut self, arm: &str, seed: u64, fault: Fault) -> Self {
        self.faults.insert((arm.to_owned(), seed), fault);
        self
    }

    /// Ids of the trained cells, in the order in which they finished.
    pub fn trained(&self) -> Vec<String> {
        self.trained
            .lock()
            .expect("no test panics while it holds the lock")
            .clone()
    }

    /// The records of `job`, without faults.
    pub fn records(job: &Job) -> Vec<CellRecord> {
        job.cells.iter().map(|cell| record(job, cell)).collect()
    }
}

impl Trainer for FakeTrainer {
    fn train(
        &self,
        job: &Job,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Option<Vec<CellRecord>> {
        for done in net_job(job).evaluations() {
            if stop.stopped() {
                return None;
            }
            progress.advanced(job, done);
        }
        let mut records = Vec::new();
        for mut record in Self::records(job) {
            if let Some(until) = job.until {
                record.cut(until);
            }
            match self.faults.get(&(job.arm.clone(), record.seed)) {
                None => {}
                Some(&Fault::Diverge(epoch)) => {
                    record.outcome = Outcome::Diverged { epoch };
                    record.epochs.truncate(epoch.saturating_sub(1));
                }
                Some(Fault::Fail) => {
                    record.outcome = Outcome::Failed {
                        error: "the fake was told to fail".into(),
                    };
                    record.epochs.clear();
                }
                Some(Fault::Panic) => panic!("the fake was told to panic"),
                Some(Fault::NotFinite) => record.epochs[0].train_loss = Some(f64::NAN),
                Some(Fault::Forget) => continue,
                Some(Fault::Stop) => {
                    stop.stop();
                    return None;
                }
            }
            records.push(record);
        }
        let ids = records.iter().map(|r| r.id.clone());
        (self
            .trained
            .lock()
            .expect("no test panics while it holds the lock"))
        .extend(ids);
        Some(records)
    }

    fn estimate(&self, job: &Job) -> Option<f64> {
        Some(job.cells.len() as f64 * net_job(job).train.length.count() as f64)
    }
}

fn net_job(job: &Job) -> NetJob<'_> {
    job.net().expect("the fake trains nets")
}

/// Test accuracy rises to a plateau. The plateau is a mean per recipe, plus an effect of the seed on all
/// recipes (removed by pairing), plus an effect of the seed on this recipe.
fn record(job: &Job, cell: &JobCell) -> CellRecord {
    let net = net_job(job);
    let rate = cell.learning_rate.expect("a net has a learning rate");
    let recipe = format!("{:?}{:?}{:?}", net.data, net.model, net.train);
    let draw = |seed, path: &str| {
        let mut uniforms = Stream::new(seed, Purpose::Resample, path).uniforms(0);
        uniforms.next().expect("streams do not end")
    };
    let own = format!("{recipe}{rate}");
    let plateau = 92.0
        + 4.0 * draw(0, &own)
        + 2.0 * draw(cell.seed, "all recipes")
        + 0.5 * draw(cell.seed, &own);
    let scores = |shift: f64, epoch: usize| {
        let accuracy = (plateau - shift) * (1.0 - 0.5 * (-(epoch as f64)).exp());
        let accuracy = (accuracy * IMAGES / 100.0).round() * 100.0 / IMAGES;
        Scores {
            accuracy,
            nll: 2.0 * (1.0 - accuracy / 100.0),
            ece: (100.0 - accuracy) / 10.0,
        }
    };
    let in_steps = matches!(net.train.length, Length::Steps(_));
    let evaluations = net.train.evaluations().into_iter().zip(1..);
    let epochs = evaluations.map(|(at, epoch)| EpochRecord {
        epoch: if in_steps { 0 } else { at },
        step: in_steps.then_some(at),
        train_loss: Some((-0.5 * epoch as f64).exp() + draw(cell.seed, &format!("{own}{epoch}"))),
        validation: (net.data.validation > 0.0).then(|| scores(0.5, epoch)),
        test: Some(scores(0.0, epoch)),
        metrics: BTreeMap::new(),
    });
    let measured = |timing: fn(Timing) -> Option<usize>| {
        let asked = move |q: &&Quantity| net.probes.contains(&q.probe);
        let sized = QUANTITIES.iter().filter(asked);
        sized
            .filter_map(move |q| Some((q.names(net.model), timing(q.timing)?)))
            .flat_map(|(names, n)| names.into_iter().map(move |name| (name, n)))
    };
    let list = |(name, n): (String, usize)| {
        let n = if n == 0 {
            net.train.evaluations().len()
        } else {
            n
        };
        let values = (0..n).map(|k| draw(cell.seed, &format!("{own}{name}{k}")));
        (name.clone(), values.collect::<Vec<f64>>())
    };
    let at_end = |timing| (timing == Timing::AtEnd).then_some(1);
    let every_epoch = |timing| (timing == Timing::EveryEpoch).then_some(0);
    let series = |timing| match timing {
        Timing::AtEnd | Timing::EveryEpoch => None,
        Timing::Series(_) => Some(SERIES_LENGTH),
        Timing::Matrix => Some(4),
    };
    CellRecord {
        epochs: epochs.collect(),
        probes: (measured(at_end).map(list))
            .map(|(name, values)| (name, values[0]))
            .collect(),
        traces: measured(every_epoch).map(list).collect(),
        series: measured(series).map(list).collect(),
        ..job.record(cell, Outcome::Done)
    }
}

/// A dense net with one hidden layer on a data set: two epochs in batches of 32 with Adam, and no probes.
pub fn net(data: DataName, units: usize) -> NetRecipe {
    NetRecipe {
        data: DataConfig::whole(data),
        model: ModelConfig::Mlp(MlpConfig {
            hidden: vec![units],
            block: Default::default(),
            last_block: None,
        }),
        train: TrainConfig::new(Length::Epochs(2), 32),
        probes: Vec::new(),
    }
}

/// A small spec without contrasts: arm `i` of `arms` has one hidden layer of `8 + i` units, learning
/// rate 0.01 and two epochs; seeds are `1..=seeds`.
pub fn spec(arms: &[&str], seeds: usize) -> Spec {
    let arm = |(index, name): (usize, &&str)| Arm {
        name: (*name).to_owned(),
        label: name.to_uppercase(),
        levels: Vec::new(),
        recipe: Recipe::Net(NetRecipe {
            probes: vec![Probe::TrainTestGap],
            ..net(DataName::Digits, 8 + index)
        }),
        learning_rates: vec![0.01],
    };
    Spec {
        name: "fake".to_owned(),
        path: PathBuf::from("experiments/fake.toml"),
        title: "Fake".to_owned(),
        question: "Does the machinery work?".to_owned(),
        claim: None,
        bears_on: Vec::new(),
        sentence: None,
        reading: String::new(),
        designed: None,
        designed_reason: None,
        suites: Vec::new(),
        seeds: (1..=seeds as u64).collect(),
        looks: None,
        factors: Vec::new(),
        arms: arms.iter().enumerate().map(arm).collect(),
        contrasts: Vec::new(),
        identities: Vec::new(),
        published: Vec::new(),
        figure: None,
        program: None,
        changes: Default::default(),
        source: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn curves_do_not_depend_on_the_stack() {
        let records = |replicas| -> Vec<_> {
            let plan = Plan::new(&spec(&["a", "b"], 5), "flex", replicas, "f");
            (plan.jobs(|_| true).iter())
                .flat_map(FakeTrainer::records)
                .collect()
        };
        assert_eq!(records(1), records(4));
    }

    #[test]
    fn recipes_seeds_and_learning_rates_differ() {
        let mut spec = spec(&["a", "b"], 2);
        spec.arms[0].learning_rates.push(0.1);
        let plan = Plan::new(&spec, "flex", 8, "f");
        let losses: std::collections::BTreeSet<u64> = (plan.jobs(|_| true).iter())
            .flat_map(FakeTrainer::records)
            .filter_map(|r| Some(r.epochs[1].train_loss?.to_bits()))
            .collect();
        assert_eq!(losses.len(), plan.cells.len());
    }
}
