//! A trainer with planted truth: scores drawn from known distributions, for measuring how often the whole
//! pipeline from spec to verdict is wrong.

use crate::record::{CellRecord, EpochRecord, Outcome, Scores};
use crate::trainer::{Job, JobCell, Progress, StopFlag, Trainer};
use ablate_streams::{Purpose, Stream};
use std::collections::BTreeMap;

/// Mean accuracy of an arm without an effect, in percent.
const BASE: f64 = 96.0;
/// Standard deviation of the part that all arms of a seed share, in points.
const SHARED_SD: f64 = 0.8;
/// Standard deviation of the part that validation and test score of one net share, in points.
const NET_SD: f64 = 0.3;
/// Standard deviation of the error of measurement of a score, in points.
const SCORE_SD: f64 = 0.5;
/// Number of test images.
const IMAGES: usize = 359;

/// Distribution of the error of measurement of a test score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Normal.
    Normal,
    /// For arms with an effect planted, log-normal with skewness 1.75 and the longer tail below: a few
    /// seeds at which the treatment fails badly. Normal for the others.
    Skewed,
    /// The number of test images classified correctly, of 359, is binomial.
    Images,
}

/// Trains nothing. The score of a cell is the mean of its arm plus random parts of seed, net and score.
#[derive(Clone, Debug)]
pub struct PlantedTrainer {
    /// Which of many independent repetitions of the experiment this is.
    pub repetition: u64,
    /// True effect of an arm on accuracy in points, by name; others have none.
    pub effects: BTreeMap<String, f64>,
    /// Distribution of the test scores.
    pub noise: Noise,
}

impl PlantedTrainer {
    fn record(&self, job: &Job, cell: &JobCell) -> CellRecord {
        let stream = |path: &str| {
            let seed = self.repetition << 16 | cell.seed;
            Stream::new(seed, Purpose::Resample, path)
        };
        let normal = |path: &str| stream(path).normals(0).next().expect("streams do not end");
        let (arm, rate) = (&job.arm, cell.learning_rate.unwrap_or_default());
        let planted = self.effects.get(arm);
        let net = BASE
            + planted.copied().unwrap_or(0.0)
            + SHARED_SD * normal("seed")
            + NET_SD * normal(&format!("{arm} {rate}"));
        let path = format!("{arm} {rate} test");
        let test = match self.noise {
            Noise::Skewed if planted.is_some() => {
                let variance = 0.25_f64.exp() * (0.25_f64.exp() - 1.0);
                let skewed = (0.5 * normal(&path)).exp() - 0.125_f64.exp();
                net - SCORE_SD * skewed / variance.sqrt()
            }
            Noise::Normal | Noise::Skewed => net + SCORE_SD * normal(&path),
            Noise::Images => {
                let uniforms = stream(&path).uniforms(1).take(IMAGES);
                let right = uniforms.filter(|u| 100.0 * u < net).count();
                100.0 * right as f64 / IMAGES as f64
            }
        };
        let scores = |accuracy: f64| {
            let accuracy = accuracy.clamp(0.0, 100.0);
            Scores {
                accuracy,
                nll: 3.0 * (1.0 - accuracy / 100.0),
                ece: 1.0,
            }
        };
        let validation = net + SCORE_SD * normal(&format!("{arm} {rate} validation"));
        let evaluations = job.evaluations().unwrap_or_default();
        let epochs = evaluations.into_iter().map(|epoch| EpochRecord {
            epoch,
            step: None,
            train_loss: Some(0.1),
            validation: Some(scores(validation)),
            test: Some(scores(test)),
            metrics: BTreeMap::new(),
        });
        CellRecord {
            epochs: epochs.collect(),
            ..job.record(cell, Outcome::Done)
        }
    }
}

impl Trainer for PlantedTrainer {
    fn train(&self, job: &Job, _: &dyn Progress, _: &StopFlag) -> Option<Vec<CellRecord>> {
        Some(
            job.cells
                .iter()
                .map(|cell| self.record(job, cell))
                .collect(),
        )
    }

    fn estimate(&self, _: &Job) -> Option<f64> {
        Some(0.0)
    }
}
