//! Records grouped by arm, learning rate and seed.

use super::AnalysisError;
use crate::recipe::{Length, TrainConfig};
use crate::record::{CellRecord, EpochRecord, Outcome, Scores};
use crate::spec::{Arm, Spec};
use std::collections::HashMap;

/// The records of one experiment by arm, learning rate and seed.
///
/// Seeds are in the order of the spec, so floating-point sums over seeds do not depend on the order of
/// the records.
#[derive(Debug)]
pub struct Cells<'a> {
    device: &'a str,
    unmatched: usize,
    /// Whether a record is expected for every cell.
    is_planned: bool,
    /// By arm, then by learning rate; one row for a program without one.
    grids: Vec<Vec<Row<'a>>>,
}

/// The records of one arm at one learning rate, one entry per seed of the spec.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    by_seed: Vec<Option<&'a CellRecord>>,
    /// Whether a record is expected for every seed.
    is_planned: bool,
}

impl<'a> Cells<'a> {
    /// Groups `records` by the cells of `spec`. Records that match no cell are only counted.
    ///
    /// # Errors
    /// See [`super::summarize`].
    pub fn new(spec: &Spec, records: &'a [CellRecord]) -> Result<Self, AnalysisError> {
        let arms: HashMap<&str, usize> = index(spec.arms.iter().map(|a| a.name.as_str()));
        let seeds: HashMap<u64, usize> = index(spec.seeds.iter().copied());
        let is_planned = (spec.program.as_ref()).is_none_or(|program| program.scores.is_none());
        let empty = Row {
            by_seed: vec![None; spec.seeds.len()],
            is_planned,
        };
        let mut grids: Vec<Vec<Row<'a>>> = spec
            .arms
            .iter()
            .map(|arm| vec![empty.clone(); arm.rates().len()])
            .collect();
        let mut device: Option<&str> = None;
        let mut unmatched = 0;
        for record in records {
            let cell = arms.get(record.arm.as_str()).and_then(|&a| {
                let mut rates = spec.arms[a].rates().into_iter();
                let rate = rates.position(|rate| rate == record.learning_rate)?;
                Some((a, rate, *seeds.get(&record.seed)?))
            });
            let Some((a, rate, seed)) = cell else {
                unmatched += 1;
                continue;
            };
            check_device(spec, &mut device, record)?;
            check_done(&spec.arms[a], record)?;
            if grids[a][rate].by_seed[seed].replace(record).is_some() {
                return Err(AnalysisError::Duplicate {
                    arm: record.arm.clone(),
                    seed: record.seed,
                    learning_rate: record.learning_rate,
                });
            }
        }
        let device = device.ok_or_else(|| AnalysisError::NoRecords {
            spec: spec.name.clone(),
        })?;
        Ok(Self {
            device,
            unmatched,
            is_planned,
            grids,
        })
    }

    /// The device on which all cells ran.
    pub fn device(&self) -> &str {
        self.device
    }

    /// Whether a record is expected for every cell. Scores that exist already were not planned.
    pub(super) fn is_planned(&self) -> bool {
        self.is_planned
    }

    /// Number of records that match no cell of the spec.
    pub fn unmatched(&self) -> usize {
        self.unmatched
    }

    /// For each seed of the spec, the record of the arm with index `arm` at the learning rate with
    /// index `rate`; `None` if it did not finish.
    ///
    /// # Panics
    /// If the spec has no such arm or rate.
    pub fn finished(&self, arm: usize, rate: usize) -> Vec<Option<&'a CellRecord>> {
        let row = &self.grids[arm][rate];
        row.by_seed
            .iter()
            .map(|cell| cell.filter(|r| is_done(r)))
            .collect()
    }

    pub(super) fn grid(&self, arm: usize) -> &[Row<'a>] {
        &self.grids[arm]
    }
}

impl<'a> Row<'a> {
    /// Finished records, in the order of the seeds.
    pub(super) fn done(&self) -> impl Iterator<Item = &'a CellRecord> {
        self.records().filter(|r| is_done(r))
    }

    /// All records, in the order of the seeds.
    pub(super) fn records(&self) -> impl Iterator<Item = &'a CellRecord> {
        self.by_seed.iter().flatten().copied()
    }

    /// What `read` gives for the finished record of each seed of the spec; `None` without one.
    pub(super) fn per_seed(&self, read: impl Fn(&CellRecord) -> Option<f64>) -> Vec<Option<f64>> {
        let done = |cell: &Option<&'a CellRecord>| cell.filter(|record| is_done(record));
        self.by_seed.iter().map(|cell| read(done(cell)?)).collect()
    }

    /// Number of records with an outcome that satisfies `which`.
    pub(super) fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.records().filter(|r| which(&r.outcome)).count()
    }

    /// Number of seeds without a record; 0 if none was planned.
    pub(super) fn missing(&self) -> usize {
        let missing = self.by_seed.iter().filter(|cell| cell.is_none());
        missing.count() * usize::from(self.is_planned)
    }
}

fn index<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> HashMap<K, usize> {
    keys.enumerate().map(|(i, key)| (key, i)).collect()
}

fn is_done(record: &CellRecord) -> bool {
    record.outcome == Outcome::Done
}

fn check_device<'a>(
    spec: &Spec,
    device: &mut Option<&'a str>,
    record: &'a CellRecord,
) -> Result<(), AnalysisError> {
    let first = *device.get_or_insert(&record.device);
    if first == record.device {
        return Ok(());
    }
    // Sorted, so that the message does not depend on the order of the records.
    let (first, second) = if first < record.device.as_str() {
        (first, record.device.as_str())
    } else {
        (record.device.as_str(), first)
    };
    Err(AnalysisError::MixedDevices {
        spec: spec.name.clone(),
        first: first.to_owned(),
        second: second.to_owned(),
    })
}

fn check_done(arm: &Arm, record: &CellRecord) -> Result<(), AnalysisError> {
    if !is_done(record) {
        return Ok(());
    }
    match arm.net() {
        Some(net) => check_length(&net.train, record)?,
        None if record.epochs.is_empty() => {
            return Err(AnalysisError::NoMetrics {
                id: record.id.clone(),
                arm: record.arm.clone(),
            });
        }
        None => {}
    }
    match record.epochs.iter().find(|e| !is_finite(e)) {
        None => Ok(()),
        Some(epoch) => Err(AnalysisError::NotFinite {
            id: record.id.clone(),
            arm: record.arm.clone(),
            epoch: epoch.epoch,
        }),
    }
}

fn check_length(train: &TrainConfig, record: &CellRecord) -> Result<(), AnalysisError> {
    let places = record.epochs.iter().map(EpochRecord::place);
    let in_steps = matches!(train.length, Length::Steps(_));
    let is_net = |e: &EpochRecord| e.step.is_some() == in_steps && e.test.is_some();
    if record.epochs.iter().all(is_net) && places.eq(train.evaluations()) {
        return Ok(());
    }
    Err(AnalysisError::WrongLength {
        id: record.id.clone(),
        arm: record.arm.clone(),
        found: record.epochs.last().map_or(0, EpochRecord::place),
        expected: train.length.count(),
        unit: train.length.unit(),
    })
}

fn is_finite(epoch: &EpochRecord) -> bool {
    let finite = |s: Scores| [s.accuracy, s.nll, s.ece].iter().all(|v| v.is_finite());
    epoch.train_loss.is_none_or(f64::is_finite)
        && epoch.test.is_none_or(finite)
        && epoch.validation.is_none_or(finite)
        && epoch.metrics.values().all(|v| v.is_finite())
}
