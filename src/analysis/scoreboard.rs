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
    pub fn scores(&self, arm: &str, metric: Metric) -> Option<Vec<Option<f64>>> {
        let last = |record: &&CellRecord| Some(score(metric, record.epochs.last()?));
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
    /// weight is the treatment's; and the seeds at which an arm with a weight did not finish.
    ///
    /// # Errors
    /// The name of an arm that there is not.
    pub fn improvements<'w>(
        &self,
        weights: &'w [Weight],
        metric: Metric,
        when: When,
    ) -> Result<(Vec<Improvement>, Vec<u64>), &'w str> {
        let rows = weights
            .iter()
            .map(|term| self.records(&term.arm).ok_or(term.arm.as_str()))
            .collect::<Result<Vec<_>, &str>>()?;
        let sign = if metric.higher_is_better() { 1.0 } else { -1.0 };
        let (mut improvements, mut left_out) = (Vec::new(), Vec::new());
        for (place, &seed) in self.seeds.iter().enumerate() {
            let epochs: Option<Vec<&[EpochRecord]>> = (rows.iter())
                .map(|row| Some(row[place]?.epochs.as_slice()))
                .collect();
            let read = epochs.and_then(|epochs| read(&epochs, when));
            let Some(read) = read else {
                left_out.push(seed);
                continue;
            };
            let terms = weights.iter().zip(read);
            let value = terms
                .map(|(term, epoch)| sign * term.weight * score(metric, epoch))
                .sum();
            improvements.push(Improvement { seed, value });
        }
        Ok((improvements, left_out))
    }
}

/// The epoch of each arm that is read; finished cells have one at least, `Cells::sort` checked it.
fn read<'e>(arms: &[&'e [EpochRecord]], when: When) -> Option<Vec<&'e EpochRecord>> {
    match when {
        When::Last => arms.iter().map(|epochs| epochs.last()).collect(),
        When::EqualAccuracy => at_equal_accuracy(arms),
        When::Epoch(n) => at(arms, |e| e.step.is_none() && e.epoch == n),
        When::Step(n) => at(arms, |e| e.step == Some(n)),
    }
}

fn at<'e>(
    arms: &[&'e [EpochRecord]],
    is_it: impl Fn(&EpochRecord) -> bool,
) -> Option<Vec<&'e EpochRecord>> {
    arms.iter()
        .map(|epochs| epochs.iter().find(|e| is_it(e)))
        .collect()
}

/// For each arm the first epoch whose test accuracy is at least what all arms reach: the smallest of
/// their largest accuracies. `None` where an arm has no epoch.
///
/// The match is no closer than an epoch: an arm may jump past the accuracy that it is matched at.
fn at_equal_accuracy<'e>(arms: &[&'e [EpochRecord]]) -> Option<Vec<&'e EpochRecord>> {
    let accuracy = |epoch: &EpochRecord| epoch.test.accuracy;
    let best = |epochs: &&[EpochRecord]| epochs.iter().map(accuracy).reduce(f64::max);
    let reached = arms.iter().map(best).collect::<Option<Vec<f64>>>()?;
    let target = reached.into_iter().reduce(f64::min)?;
    let first = |epochs: &&'e [EpochRecord]| epochs.iter().find(|e| accuracy(e) >= target);
    arms.iter().map(first).collect()
}

fn score(metric: Metric, epoch: &EpochRecord) -> f64 {
    match metric {
        Metric::TestAccuracy => epoch.test.accuracy,
        Metric::TestNll => epoch.test.nll,
        Metric::TestEce => epoch.test.ece,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Scores;

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
        let found = at_equal_accuracy(&slices)?;
        Some(found.iter().map(|epoch| epoch.epoch).collect())
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
        let mut first = curve(&[50.0, 60.0, 70.0]);
        let mut second = curve(&[51.0, 61.0, 71.0]);
        let accuracies = |arms: [&[EpochRecord]; 2], when| -> Option<Vec<f64>> {
            let found = read(&arms, when)?;
            Some(found.iter().map(|e| e.test.accuracy).collect())
        };
        let arms = [&first[..], &second[..]];
        assert_eq!(accuracies(arms, When::Epoch(2)), Some(vec![60.0, 61.0]));
        assert_eq!(accuracies(arms, When::Last), Some(vec![70.0, 71.0]));
        assert_eq!(accuracies(arms, When::Step(2)), None);
        for epoch in first.iter_mut().chain(&mut second) {
            epoch.step = Some(100 * epoch.epoch);
        }
        let arms = [&first[..], &second[..]];
        assert_eq!(accuracies(arms, When::Step(200)), Some(vec![60.0, 61.0]));
        assert_eq!(accuracies(arms, When::Epoch(2)), None);
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
