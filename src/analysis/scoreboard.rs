//! Scores by arm and seed, and weighted sums of them: the one place where arms are compared.

use super::{ArmSummary, Cells, Improvement};
use crate::record::{CellRecord, EpochRecord};
use crate::spec::{Metric, Spec, Weight, When};

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

    /// The score of `arm` after the last epoch at every seed of the spec, `None` where it did not
    /// finish; `None` without such an arm.
    pub fn scores(&self, arm: &str, metric: &Metric) -> Option<Vec<Option<f64>>> {
        let last = |record: &&CellRecord| score(metric, record, record.epochs.len() - 1);
        let records = self.records(arm)?.iter();
        Some(
            records
                .map(|record| record.as_ref().and_then(last))
                .collect(),
        )
    }

    fn records(&self, arm: &str) -> Option<&[Option<&'a CellRecord>]> {
        let found = self.arms.iter().find(|(name, _)| *name == arm)?;
        Some(&found.1)
    }

    /// The weighted sum of scores at each seed, turned so that positive is better where a positive
    /// weight is the treatment's; and the seeds at which an arm with a weight did not finish or has
    /// no such score.
    ///
    /// # Errors
    /// The name of an arm that there is not.
    pub fn improvements<'w>(
        &self,
        weights: &'w [Weight],
        metric: &Metric,
        when: When,
    ) -> Result<(Vec<Improvement>, Vec<u64>), &'w str> {
        let rows = weights
            .iter()
            .map(|term| self.records(&term.arm).ok_or(term.arm.as_str()))
            .collect::<Result<Vec<_>, &str>>()?;
        let sign = if metric.higher_is_better() { 1.0 } else { -1.0 };
        let (mut improvements, mut left_out) = (Vec::new(), Vec::new());
        for (place, &seed) in self.seeds.iter().enumerate() {
            let records: Option<Vec<&CellRecord>> = rows.iter().map(|row| row[place]).collect();
            let scores = records.and_then(|records| read(&records, metric, when));
            let Some(scores) = scores else {
                left_out.push(seed);
                continue;
            };
            let terms = weights.iter().zip(scores);
            let value = terms.map(|(term, score)| sign * term.weight * score).sum();
            improvements.push(Improvement { seed, value });
        }
        Ok((improvements, left_out))
    }
}

/// The score of each arm at the evaluation at which it is read; `None` where one has none.
fn read(arms: &[&CellRecord], metric: &Metric, when: When) -> Option<Vec<f64>> {
    let epochs: Vec<&[EpochRecord]> = arms.iter().map(|arm| arm.epochs.as_slice()).collect();
    let at = |is_it: &dyn Fn(&EpochRecord) -> bool| -> Option<Vec<usize>> {
        epochs.iter().map(|e| e.iter().position(is_it)).collect()
    };
    let indices = match when {
        When::Last => epochs.iter().map(|e| e.len().checked_sub(1)).collect(),
        When::EqualAccuracy => at_equal(&epochs, |epoch| epoch.test.accuracy),
        When::EqualNll => at_equal(&epochs, |epoch| -epoch.test.nll),
        When::Epoch(n) => at(&|e| e.step.is_none() && e.epoch == n),
        When::Step(n) => at(&|e| e.step == Some(n)),
    };
    let scores = arms.iter().zip(indices?);
    scores.map(|(arm, at)| score(metric, arm, at)).collect()
}

/// For each arm the first epoch whose `score` is at least what all arms reach: the smallest of their
/// largest scores. Epochs by index; `None` where an arm has none.
///
/// The match is no closer than an epoch: an arm may jump past the score that it is matched at.
fn at_equal(arms: &[&[EpochRecord]], score: impl Fn(&EpochRecord) -> f64) -> Option<Vec<usize>> {
    let best = |epochs: &&[EpochRecord]| epochs.iter().map(&score).reduce(f64::max);
    let reached = arms.iter().map(best).collect::<Option<Vec<f64>>>()?;
    let target = reached.into_iter().reduce(f64::min)?;
    let first = |epochs: &&[EpochRecord]| epochs.iter().position(|e| score(e) >= target);
    arms.iter().map(first).collect()
}

/// The score of `record` after epoch number `at` (from 0).
fn score(metric: &Metric, record: &CellRecord, at: usize) -> Option<f64> {
    let test = record.epochs.get(at)?.test;
    match metric {
        Metric::TestAccuracy => Some(test.accuracy),
        Metric::TestNll => Some(test.nll),
        Metric::TestEce => Some(test.ece),
        Metric::Probe(measure) => {
            let name = measure.name();
            let last = at + 1 == record.epochs.len();
            let at_end = || record.probes.get(&name).copied().filter(|_| last);
            record.after_epoch(&name, at).or_else(at_end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{records, spec};
    use crate::record::Scores;
    use crate::spec::Measure;

    fn curve(accuracies: &[f64]) -> Vec<EpochRecord> {
        let epoch = |(k, &accuracy): (usize, &f64)| EpochRecord {
            epoch: k + 1,
            step: None,
            train_loss: 0.0,
            validation: None,
            test: Scores {
                accuracy,
                nll: k as f64,
                ece: 0.0,
            },
        };
        accuracies.iter().enumerate().map(epoch).collect()
    }

    fn matched(curves: &[&[f64]]) -> Option<Vec<usize>> {
        let curves: Vec<Vec<EpochRecord>> = curves.iter().map(|c| curve(c)).collect();
        let slices: Vec<&[EpochRecord]> = curves.iter().map(Vec::as_slice).collect();
        let found = at_equal(&slices, |epoch| epoch.test.accuracy)?;
        Some(found.iter().map(|index| index + 1).collect())
    }

    #[test]
    fn arms_are_matched_where_each_first_reaches_what_all_reach() {
        // The second never gets beyond 92, at its third epoch; the first is there at its second.
        assert_eq!(
            matched(&[&[80.0, 93.0, 97.0], &[70.0, 90.0, 92.0]]),
            Some(vec![2, 3])
        );
        // A peak counts although it is lost again.
        assert_eq!(matched(&[&[95.0, 60.0], &[50.0, 95.0]]), Some(vec![1, 2]));
        assert_eq!(matched(&[&[90.0], &[90.0]]), Some(vec![1, 1]));
        assert_eq!(
            matched(&[&[90.0, 91.0], &[99.0, 99.0], &[10.0, 91.0]]),
            Some(vec![2, 1, 2])
        );
        assert_eq!(matched(&[&[90.0], &[]]), None);
    }

    #[test]
    fn a_contrast_reads_the_evaluation_that_it_asks_for() {
        let record = |accuracies: &[f64], in_steps: bool| {
            let mut record = records(&spec(1, 1, 1)).remove(0);
            record.epochs = curve(accuracies);
            for epoch in &mut record.epochs {
                epoch.step = in_steps.then_some(100 * epoch.epoch);
            }
            record
        };
        let accuracies = |in_steps, when| {
            let first = record(&[50.0, 60.0, 70.0], in_steps);
            let second = record(&[51.0, 61.0, 71.0], in_steps);
            read(&[&first, &second], &Metric::TestAccuracy, when)
        };
        assert_eq!(accuracies(false, When::Epoch(2)), Some(vec![60.0, 61.0]));
        assert_eq!(accuracies(false, When::Last), Some(vec![70.0, 71.0]));
        assert_eq!(accuracies(false, When::Step(200)), None);
        assert_eq!(accuracies(true, When::Step(200)), Some(vec![60.0, 61.0]));
        assert_eq!(accuracies(true, When::Epoch(2)), None);
    }

    #[test]
    fn what_a_probe_measured_is_read_at_the_epoch_that_is_matched() {
        let measure = |name| Metric::Probe(Measure::named(name).unwrap());
        let (end, trace) = (measure("accuracy_gap"), measure("inactive.blocks.0"));
        let record = |accuracies: &[f64], values: [f64; 2]| {
            let mut record = records(&spec(1, 1, 1)).remove(0);
            record.epochs = curve(accuracies);
            record.probes.insert("accuracy_gap".into(), values[1]);
            record
                .traces
                .insert("inactive.blocks.0".into(), values.to_vec());
            record
        };
        let (fast, slow) = (
            record(&[90.0, 99.0], [1.0, 2.0]),
            record(&[80.0, 90.0], [3.0, 4.0]),
        );
        let arms = [&fast, &slow];
        assert_eq!(read(&arms, &trace, When::Last), Some(vec![2.0, 4.0]));
        assert_eq!(
            read(&arms, &trace, When::EqualAccuracy),
            Some(vec![1.0, 4.0])
        );
        assert_eq!(read(&arms, &end, When::Last), Some(vec![2.0, 4.0]));
        // NLLs of both curves are 0 and 1, so both have what they reach at once.
        assert_eq!(read(&arms, &trace, When::EqualNll), Some(vec![1.0, 3.0]));
        // The first arm is matched before the end, where nothing of it was measured.
        assert_eq!(read(&arms, &end, When::EqualAccuracy), None);
    }

    #[test]
    fn nothing_matched_is_below_the_common_accuracy() {
        let curves: [&[f64]; 2] = [&[10.0, 55.5, 80.0, 79.0], &[30.0, 20.0, 66.0, 70.0]];
        let epochs = matched(&curves).unwrap();
        for (curve, epoch) in curves.iter().zip(epochs) {
            assert!(curve[epoch - 1] >= 70.0);
            assert!(curve[..epoch - 1].iter().all(|a| *a < 70.0));
        }
    }
}
