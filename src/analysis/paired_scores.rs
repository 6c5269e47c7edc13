//! Scores by arm and seed, and their weighted sums: the only code that compares arms.

use super::{ArmSummary, Cells, Improvement};
use crate::record::{CellRecord, EpochRecord, Misclassified, Scores};
use crate::spec::{Arm, Contrast, Metric, Spec, Weight, When};
use crate::stats::{Sample, WeightedSamples};

/// Finished records of every arm at one learning rate each, by seed.
#[derive(Debug)]
pub struct PairedScores<'a> {
    seeds: &'a [u64],
    /// Name of each arm, with the finished record of each seed of the spec.
    arms: Vec<(&'a str, Vec<Option<&'a CellRecord>>)>,
}

impl<'a> PairedScores<'a> {
    /// Takes the finished records of `cells` at the learning rates chosen in `arms`.
    pub fn new(spec: &'a Spec, cells: &Cells<'a>, arms: &[ArmSummary]) -> Self {
        let row = |(index, summary): (usize, &ArmSummary)| {
            let arm = &spec.arms[index];
            let chosen = |rate: &Option<f64>| *rate == summary.learning_rate;
            let rate = arm.rates().iter().position(chosen).unwrap_or(0);
            (arm.name.as_str(), cells.finished(index, rate))
        };
        Self {
            seeds: &spec.seeds,
            arms: arms.iter().enumerate().map(row).collect(),
        }
    }

    /// Takes the finished records at the learning rate `rate` in every arm. An arm without that rate has
    /// none.
    pub fn at_rate(spec: &'a Spec, cells: &Cells<'a>, rate: f64) -> Self {
        let row = |(index, arm): (usize, &'a Arm)| {
            let rate = arm.learning_rates.iter().position(|r| *r == rate);
            let records = match rate {
                Some(rate) => cells.finished(index, rate),
                None => vec![None; spec.seeds.len()],
            };
            (arm.name.as_str(), records)
        };
        Self {
            seeds: &spec.seeds,
            arms: spec.arms.iter().enumerate().map(row).collect(),
        }
    }

    /// The score of `arm` after the last epoch at every seed of the spec, with `None` for a seed that
    /// did not finish. Returns `None` if there is no such arm.
    pub fn scores(&self, arm: &str, metric: &Metric) -> Option<Vec<Option<f64>>> {
        let records = self.records(arm)?.iter();
        let last = |record: &Option<&CellRecord>| last_score(metric, record.as_ref()?);
        Some(records.map(last).collect())
    }

    /// Per finished record of the arms in `weights`, the evaluations at which it has `metric`.
    pub(super) fn evaluations(&self, weights: &[Weight], metric: &Metric) -> Vec<Vec<When>> {
        let arms = weights.iter().filter_map(|term| self.records(&term.arm));
        let scored = |record: &&CellRecord| {
            let all = record.epochs.iter().enumerate();
            let scored = all.filter(|(at, _)| score(metric, record, *at).is_some());
            let when = |epoch: &EpochRecord| match epoch.step {
                Some(step) => When::Step(step),
                None => When::Epoch(epoch.epoch),
            };
            scored.map(|(_, epoch)| when(epoch)).collect()
        };
        arms.flat_map(|row| row.iter().flatten().map(scored))
            .collect()
    }

    fn records(&self, arm: &str) -> Option<&[Option<&'a CellRecord>]> {
        let found = self.arms.iter().find(|(name, _)| *name == arm)?;
        Some(&found.1)
    }

    /// The improvement at each seed, and the seeds without one.
    ///
    /// An improvement is the weighted sum of the arms' scores, negated for metrics where lower is
    /// better. A seed has none if an arm did not finish or has no such score.
    ///
    /// # Errors
    /// The name of the first arm in `weights` that does not exist.
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
        for (index, &seed) in self.seeds.iter().enumerate() {
            let records: Option<Vec<&CellRecord>> = rows.iter().map(|row| row[index]).collect();
            let scores = records.and_then(|records| scores_at(&records, metric, when));
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

    /// The improvement in accuracy on each image of the test file, in percent: one row per seed of
    /// `seeds`, whose mean is the improvement of that seed after the last epoch. `None` unless every
    /// cell was tested on the whole file and its record lists the misclassified images.
    pub(super) fn per_image(&self, weights: &[Weight], seeds: &[u64]) -> Option<Vec<Vec<f64>>> {
        let row = |seed: &u64| {
            let index = self.seeds.iter().position(|other| other == seed)?;
            let lists = weights.iter().map(|term| {
                let record = self.records(&term.arm)?[index]?;
                let list = record.misclassified.as_ref()?;
                (list.tested() == list.file()).then_some(list)
            });
            let lists = lists.collect::<Option<Vec<&Misclassified>>>()?;
            let file = lists.first()?.file();
            let same = lists.iter().all(|list| list.file() == file);
            same.then(|| image_sums(weights, &lists))
        };
        let rows = seeds.iter().map(row).collect::<Option<Vec<_>>>()?;
        let images = rows.first()?.len();
        rows.iter().all(|row| row.len() == images).then_some(rows)
    }
}

/// The weighted sum of what the arms get right on each test image, in percent.
fn image_sums(weights: &[Weight], lists: &[&Misclassified]) -> Vec<f64> {
    let right = 100.0 * weights.iter().map(|term| term.weight).sum::<f64>();
    let mut sums = vec![right; lists[0].file() as usize];
    for (term, list) in weights.iter().zip(lists) {
        for &image in list.indices() {
            sums[image as usize] -= 100.0 * term.weight;
        }
    }
    sums
}

impl PairedScores<'_> {
    /// The scores of each arm of `contrast` over its own finished seeds, with its weight, signed so that
    /// positive is better; `None` if an arm has none.
    pub(super) fn independent(&self, contrast: &Contrast) -> Option<WeightedSamples> {
        let sign = if contrast.metric.higher_is_better() {
            1.0
        } else {
            -1.0
        };
        let samples = contrast.weights.iter().map(|term| {
            let records = self.records(&term.arm)?.iter().flatten();
            let scores = records.filter_map(|record| {
                Some(scores_at(&[record], &contrast.metric, contrast.when)?[0])
            });
            Some((sign * term.weight, Sample::new(scores.collect()).ok()?))
        });
        samples.collect::<Option<_>>().map(WeightedSamples)
    }
}

/// The score of each arm at the evaluation `when`; `None` if an arm has none.
fn scores_at(arms: &[&CellRecord], metric: &Metric, when: When) -> Option<Vec<f64>> {
    let epochs: Vec<&[EpochRecord]> = arms.iter().map(|arm| arm.epochs.as_slice()).collect();
    let at = |is_it: &dyn Fn(&EpochRecord) -> bool| -> Option<Vec<usize>> {
        epochs.iter().map(|e| e.iter().position(is_it)).collect()
    };
    let indices = match when {
        When::Last => arms
            .iter()
            .map(|arm| last_evaluation(metric, arm))
            .collect(),
        When::EqualAccuracy => first_reaching_common(&epochs, |scores| scores.accuracy),
        When::EqualNll => first_reaching_common(&epochs, |scores| -scores.nll),
        When::Epoch(n) => at(&|e| e.step.is_none() && e.epoch == n),
        When::Step(n) => at(&|e| e.step == Some(n)),
    };
    let scores = arms.iter().zip(indices?);
    scores.map(|(arm, at)| score(metric, arm, at)).collect()
}

/// Index of the first evaluation of each arm with a validation score that all arms reach.
///
/// That score is the smallest of the arms' largest scores. Returns `None` if an arm has no evaluations, or
/// one without validation scores. The match is only as close as the evaluations are: an arm may overshoot
/// the common score. Test scores do not enter, so that they can be compared at the matched evaluations.
fn first_reaching_common(
    arms: &[&[EpochRecord]],
    score: impl Fn(Scores) -> f64,
) -> Option<Vec<usize>> {
    let validated = |epochs: &&[EpochRecord]| -> Option<Vec<f64>> {
        let scores = epochs.iter().map(|epoch| epoch.validation.map(&score));
        scores.collect()
    };
    let curves = arms.iter().map(validated).collect::<Option<Vec<_>>>()?;
    let best = |curve: &Vec<f64>| curve.iter().copied().reduce(f64::max);
    let reached = curves.iter().map(best).collect::<Option<Vec<f64>>>()?;
    let target = reached.into_iter().reduce(f64::min)?;
    let first = |curve: &Vec<f64>| curve.iter().position(|&score| score >= target);
    curves.iter().map(first).collect()
}

/// Index of the last evaluation of `record`. A program may report a metric at some evaluations only; then
/// of the last one that has it.
fn last_evaluation(metric: &Metric, record: &CellRecord) -> Option<usize> {
    match metric {
        Metric::Program(metric) => {
            let has_it = |epoch: &EpochRecord| epoch.metrics.contains_key(&metric.program);
            record.epochs.iter().rposition(has_it)
        }
        _ => record.epochs.len().checked_sub(1),
    }
}

/// The score of `record` at its last evaluation; `None` if it has none.
pub(crate) fn last_score(metric: &Metric, record: &CellRecord) -> Option<f64> {
    score(metric, record, last_evaluation(metric, record)?)
}

/// The score of `record` at the evaluation with index `at`; `None` if it has none there.
fn score(metric: &Metric, record: &CellRecord, at: usize) -> Option<f64> {
    let epoch = record.epochs.get(at)?;
    match metric {
        Metric::TestAccuracy => Some(epoch.test?.accuracy),
        Metric::TestNll => Some(epoch.test?.nll),
        Metric::TestEce => Some(epoch.test?.ece),
        Metric::Program(metric) => Some(metric.shown(*epoch.metrics.get(&metric.program)?)),
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
    use crate::analysis::fixture::{records, spec, test_scores};
    use crate::spec::Measure;

    fn curve(accuracies: &[f64]) -> Vec<EpochRecord> {
        let epoch = |(k, &accuracy): (usize, &f64)| EpochRecord {
            epoch: k + 1,
            step: None,
            train_loss: Some(0.0),
            validation: Some(Scores {
                accuracy,
                nll: k as f64,
                ece: 0.0,
            }),
            metrics: Default::default(),
            test: Some(Scores {
                accuracy: accuracy - 30.0,
                nll: 1.0,
                ece: 0.0,
            }),
        };
        accuracies.iter().enumerate().map(epoch).collect()
    }

    fn matched(curves: &[&[f64]]) -> Option<Vec<usize>> {
        let curves: Vec<Vec<EpochRecord>> = curves.iter().map(|c| curve(c)).collect();
        let slices: Vec<&[EpochRecord]> = curves.iter().map(Vec::as_slice).collect();
        let found = first_reaching_common(&slices, |scores| scores.accuracy)?;
        Some(found.iter().map(|index| index + 1).collect())
    }

    #[test]
    fn arms_match_at_the_first_common_accuracy() {
        // The second arm reaches at most 92, at its third epoch; the first passes 92 at its second.
        assert_eq!(
            matched(&[&[80.0, 93.0, 97.0], &[70.0, 90.0, 92.0]]),
            Some(vec![2, 3])
        );
        // A peak counts even if the curve falls again.
        assert_eq!(matched(&[&[95.0, 60.0], &[50.0, 95.0]]), Some(vec![1, 2]));
        assert_eq!(matched(&[&[90.0], &[90.0]]), Some(vec![1, 1]));
        assert_eq!(
            matched(&[&[90.0, 91.0], &[99.0, 99.0], &[10.0, 91.0]]),
            Some(vec![2, 1, 2])
        );
        assert_eq!(matched(&[&[90.0], &[]]), None);
    }

    #[test]
    fn scores_are_those_of_the_requested_evaluation() {
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
            scores_at(&[&first, &second], &Metric::TestAccuracy, when)
        };
        assert_eq!(accuracies(false, When::Epoch(2)), Some(vec![30.0, 31.0]));
        assert_eq!(accuracies(false, When::Last), Some(vec![40.0, 41.0]));
        assert_eq!(accuracies(false, When::Step(200)), None);
        assert_eq!(accuracies(true, When::Step(200)), Some(vec![30.0, 31.0]));
        assert_eq!(accuracies(true, When::Epoch(2)), None);
    }

    #[test]
    fn probes_are_read_at_the_matched_epoch() {
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
        assert_eq!(scores_at(&arms, &trace, When::Last), Some(vec![2.0, 4.0]));
        assert_eq!(
            scores_at(&arms, &trace, When::EqualAccuracy),
            Some(vec![1.0, 4.0])
        );
        assert_eq!(scores_at(&arms, &end, When::Last), Some(vec![2.0, 4.0]));
        // The NLLs of both curves are 0 and 1, so both match at the first epoch.
        assert_eq!(
            scores_at(&arms, &trace, When::EqualNll),
            Some(vec![1.0, 3.0])
        );
        // The first arm matches before its last epoch, where this probe has no value.
        assert_eq!(scores_at(&arms, &end, When::EqualAccuracy), None);
    }

    #[test]
    fn rows_of_images_have_the_improvements_as_means() {
        let spec = spec(3, 4, 1);
        let mut records = records(&spec);
        for (k, record) in (0..).zip(&mut records) {
            let wrong = (0..40)
                .filter(|i| (i * 7 + k * 3) % 11 < 2 + k % 2)
                .collect();
            let list = Misclassified::new(40, 40, wrong).unwrap();
            test_scores(&mut record.epochs[0]).accuracy = list.accuracy();
            record.misclassified = Some(list);
        }
        let weights = [("a", -0.5), ("b", -0.5), ("c", 1.0)].map(|(arm, weight)| Weight {
            arm: arm.to_owned(),
            weight,
        });
        let rows = |records: &[CellRecord], seeds: &[u64]| {
            let cells = Cells::new(&spec, records).unwrap();
            let arms = crate::analysis::summarize(&spec, records).unwrap().arms;
            let scores = PairedScores::new(&spec, &cells, &arms);
            let found = scores.improvements(&weights, &Metric::TestAccuracy, When::Last);
            (scores.per_image(&weights, seeds), found.unwrap().0)
        };
        let (table, improvements) = rows(&records, &[0, 1, 2, 3]);
        for (row, improvement) in table.unwrap().iter().zip(&improvements) {
            assert_eq!(row.len(), 40);
            let mean = row.iter().sum::<f64>() / 40.0;
            assert!((mean - improvement.value).abs() < 1e-9);
        }
        assert_eq!(rows(&records, &[0, 9]).0, None, "no such seed");
        records[5].misclassified = Misclassified::new(40, 200, Vec::new()).ok();
        assert_eq!(rows(&records, &[0, 1]).0, None, "a fold");
        assert!(rows(&records, &[0, 3]).0.is_some());
        records[0].misclassified = None;
        assert_eq!(rows(&records, &[0, 3]).0, None, "an older record");
    }

    #[test]
    fn arms_without_validation_scores_do_not_match() {
        let with = curve(&[80.0, 90.0]);
        let mut without = curve(&[80.0, 90.0]);
        without[0].validation = None;
        let found = first_reaching_common(&[&with, &without], |scores| scores.accuracy);
        assert_eq!(found, None);
    }

    #[test]
    fn matched_epochs_are_the_first_at_the_common_accuracy() {
        let curves: [&[f64]; 2] = [&[10.0, 55.5, 80.0, 79.0], &[30.0, 20.0, 66.0, 70.0]];
        let epochs = matched(&curves).unwrap();
        for (curve, epoch) in curves.iter().zip(epochs) {
            assert!(curve[epoch - 1] >= 70.0);
            assert!(curve[..epoch - 1].iter().all(|a| *a < 70.0));
        }
    }
}
