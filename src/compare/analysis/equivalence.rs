//! Equivalence of the test accuracy of complete trainings on two devices.

use crate::compare::results::{Accuracy, DeviceComparison, Measured, OnDevice};
use crate::stats::{Decision, Hypothesis, Prediction, Rule, Sample, decide};
use ablate_streams::{Purpose, Stream};

/// Fewest pairs for which a standard deviation exists.
const FEWEST_PAIRS: usize = 2;

/// An arm on a device, compared with the same arm on the first device.
#[derive(Clone, Debug, PartialEq)]
pub struct PairedDifferences<'a> {
    /// Name of the arm.
    pub arm: &'a str,
    /// Name of the device.
    pub device: &'a str,
    /// Test accuracy on the device minus that on the first device, in points, one value per seed that
    /// finished on both.
    pub differences: Vec<f64>,
    /// Decision on equivalence within the margin; `None` with fewer than two seeds.
    pub decision: Option<Decision>,
}

/// Every arm on every device, compared with the first device. All pairs share the error rate of the
/// rule.
pub fn paired_differences(comparison: &DeviceComparison) -> Vec<PairedDifferences<'_>> {
    let mut pairs = Vec::new();
    for arm in &comparison.arms {
        let Some((first, others)) = arm.accuracy.split_first() else {
            continue;
        };
        let here = final_accuracies(first);
        pairs.extend(others.iter().map(|other| PairedDifferences {
            arm: &arm.arm,
            device: &other.device,
            differences: differences(&here, &final_accuracies(other)),
            decision: None,
        }));
    }
    let all = pairs.len();
    let (open, hypotheses): (Vec<&mut PairedDifferences<'_>>, Vec<Hypothesis>) = (pairs.iter_mut())
        .filter(|pair| pair.differences.len() >= FEWEST_PAIRS)
        .filter_map(|pair| {
            let hypothesis = Hypothesis {
                independent: None,
                differences: Sample::new(pair.differences.clone()).ok()?,
                prediction: Prediction::Equivalent,
                margin: comparison.margin,
                primary: true,
            };
            Some((pair, hypothesis))
        })
        .unzip();
    let stream = Stream::new(0, Purpose::Resample, &comparison.spec);
    let decisions = decide(&hypotheses, all, &Rule::default(), &stream);
    for (pair, decision) in open.into_iter().zip(decisions) {
        pair.decision = Some(decision);
    }
    pairs
}

/// Seed and final test accuracy of every finished training.
pub fn final_accuracies(accuracy: &OnDevice<Accuracy>) -> Vec<(u64, f64)> {
    let Measured::Done(accuracy) = &accuracy.outcome else {
        return Vec::new();
    };
    let finished = accuracy.cells.iter().filter(|cell| cell.error.is_none());
    finished
        .filter_map(|cell| Some((cell.seed, *cell.test_accuracy.last()?)))
        .collect()
}

fn differences(here: &[(u64, f64)], there: &[(u64, f64)]) -> Vec<f64> {
    let at = |seed: u64| here.iter().find(|(s, _)| *s == seed);
    let pairs = there.iter().filter_map(|(seed, x)| Some(x - at(*seed)?.1));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::fixture::comparison;
    use crate::stats::Verdict;

    #[test]
    fn differences_are_per_seed_that_finished_on_both() {
        let here = [(0, 90.0), (1, 91.0), (2, 92.0)];
        let there = [(2, 92.5), (0, 89.0), (7, 10.0)];
        assert_eq!(differences(&here, &there), [0.5, -1.0]);
    }

    #[test]
    fn equal_accuracies_are_equivalent_with_enough_seeds() {
        let verdicts = |seeds: usize, gap: f64| -> Vec<Verdict> {
            let comparison = comparison(seeds, gap);
            let pairs = paired_differences(&comparison);
            let decided = pairs.iter().filter_map(|pair| pair.decision.as_ref());
            decided.filter_map(|decision| decision.verdict).collect()
        };
        assert_eq!(verdicts(10, 0.0), [Verdict::Supported]);
        assert_eq!(verdicts(3, 0.0), [Verdict::Undecided]);
        assert_eq!(verdicts(10, 5.0), [Verdict::Contradicted]);
        assert_eq!(verdicts(1, 0.0), []);
    }
}
