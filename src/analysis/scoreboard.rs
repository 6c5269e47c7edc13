//! Scores by arm and seed, and weighted sums of them: the one place where arms are compared.

use super::{ArmSummary, Cells, Improvement};
use crate::record::CellRecord;
use crate::spec::{Metric, Spec, Weight};

/// The records that contrasts read: each arm's at its chosen learning rate, by seed.
#[derive(Debug)]
pub struct Scoreboard<'a> {
    seeds: &'a [u64],
    /// Name, and the finished record of each seed of the spec.
    arms: Vec<(&'a str, Vec<Option<&'a CellRecord>>)>,
}

impl<'a> Scoreboard<'a> {
    /// The finished records of `cells` at the learning rates that `arms` chose.
    pub fn new(spec: &'a Spec, cells: &Cells<'a>, arms: &[ArmSummary]) -> Self {
        let row = |(index, summary): (usize, &ArmSummary)| {
            let arm = &spec.arms[index];
            let chosen = |rate: &f64| *rate == summary.learning_rate;
            let rate = arm.learning_rates.iter().position(chosen).unwrap_or(0);
            (arm.name.as_str(), cells.finished(index, rate))
        };
        Self {
            seeds: &spec.seeds,
            arms: arms.iter().enumerate().map(row).collect(),
        }
    }

    /// The score of `arm` at every seed of the spec, `None` where it did not finish; `None` without
    /// such an arm.
    pub fn scores(&self, arm: &str, metric: Metric) -> Option<Vec<Option<f64>>> {
        let (_, records) = self.arms.iter().find(|(name, _)| *name == arm)?;
        Some(
            (records.iter())
                .map(|record| record.map(|r| score(metric, r)))
                .collect(),
        )
    }

    /// The weighted sum of scores at each seed, turned so that positive is better where a positive
    /// weight is the treatment's; and the seeds at which an arm with a weight did not finish.
    ///
    /// # Errors
    /// The name of an arm that there is not.
    pub fn improvements<'w>(
        &self,
        weights: &'w [Weight],
        metric: Metric,
    ) -> Result<(Vec<Improvement>, Vec<u64>), &'w str> {
        let rows = weights
            .iter()
            .map(|term| {
                let scores = self.scores(&term.arm, metric);
                Ok((term.weight, scores.ok_or(term.arm.as_str())?))
            })
            .collect::<Result<Vec<_>, &str>>()?;
        let sign = if metric.higher_is_better() { 1.0 } else { -1.0 };
        let (mut improvements, mut left_out) = (Vec::new(), Vec::new());
        for (place, &seed) in self.seeds.iter().enumerate() {
            let terms = rows
                .iter()
                .map(|(w, scores)| Some(sign * w * scores[place]?));
            match terms.sum::<Option<f64>>() {
                Some(value) => improvements.push(Improvement { seed, value }),
                None => left_out.push(seed),
            }
        }
        Ok((improvements, left_out))
    }
}

fn score(metric: Metric, record: &CellRecord) -> f64 {
    // Finished cells have a last epoch; `Cells::sort` checked it.
    record.epochs.last().map_or(f64::NAN, |e| match metric {
        Metric::TestAccuracy => e.test.accuracy,
        Metric::TestNll => e.test.nll,
        Metric::TestEce => e.test.ece,
    })
}
