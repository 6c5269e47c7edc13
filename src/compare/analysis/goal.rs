//! Training time to an accuracy: steps to the accuracy times the time of a step.

use super::timings::{ArmTimings, CONFIDENCE};
use crate::compare::analysis::equivalence::final_accuracies;
use crate::compare::results::{Accuracy, Measured, OnDevice, TrainedCell};
use crate::stats::{CensoredTimes, Estimate};

/// A test accuracy, and the time each device takes to reach it.
#[derive(Clone, Debug, PartialEq)]
pub struct AccuracyGoal {
    /// In percent.
    pub accuracy: f64,
    /// One entry per device with complete trainings.
    pub reached: Vec<GoalTime>,
}

/// Time of a device to the goal. Infinite if too few seeds reached it.
#[derive(Clone, Debug, PartialEq)]
pub struct GoalTime {
    /// Name of the device.
    pub device: String,
    /// Number of trained seeds.
    pub seeds: usize,
    /// Number of seeds that reached the goal.
    pub reached: usize,
    /// Steps until the first evaluation at which a seed reaches the goal: the median over seeds.
    pub steps: Estimate,
    /// Seconds of these steps for one net, if it was timed. The interval covers the variation between
    /// seeds and between windows.
    pub seconds: Option<Estimate>,
    /// Seconds that the first step takes longer than a usual one, for one net.
    pub start_up: Option<f64>,
}

impl ArmTimings<'_> {
    /// The goal at `share` of the best device's final mean test accuracy. `None` without complete
    /// trainings.
    pub fn goal(self, share: f64) -> Option<AccuracyGoal> {
        let ends = self.0.accuracy.iter().filter_map(end);
        let accuracy = share * ends.reduce(f64::max)?;
        let reached = self.0.accuracy.iter().filter_map(|on| match &on.outcome {
            Measured::Done(trained) => self.reached(&on.device, trained, accuracy),
            Measured::Failed { .. } => None,
        });
        Some(AccuracyGoal {
            accuracy,
            reached: reached.collect(),
        })
    }

    fn reached(self, device: &str, trained: &Accuracy, accuracy: f64) -> Option<GoalTime> {
        let steps = |cell| Some((reached_at(cell, accuracy)? * self.0.steps_per_unit) as f64);
        let times = CensoredTimes::new(trained.cells.iter().map(steps))?;
        let step = self.sample(device, self.one());
        Some(GoalTime {
            device: device.to_owned(),
            seeds: times.len(),
            reached: times.observed(),
            steps: times.median(CONFIDENCE),
            seconds: step.map(|step| times.median_times(&step, CONFIDENCE)),
            start_up: self.start_up(device, self.one()),
        })
    }
}

/// Final mean test accuracy over the finished seeds.
fn end(on: &OnDevice<Accuracy>) -> Option<f64> {
    let final_accuracies = final_accuracies(on);
    let sum: f64 = final_accuracies.iter().map(|(_, accuracy)| accuracy).sum();
    (!final_accuracies.is_empty()).then(|| sum / final_accuracies.len() as f64)
}

/// When a training first reaches `accuracy`. A training that ended early counts up to its end.
fn reached_at(cell: &TrainedCell, accuracy: f64) -> Option<usize> {
    let mut evaluations = cell.evaluated_at.iter().zip(&cell.test_accuracy);
    let first = evaluations.find(|(_, found)| **found >= accuracy)?;
    Some(*first.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::analysis::fixture::comparison;
    use crate::compare::results::DeviceComparison;
    use crate::stats::Interval;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b
    }

    /// The trainings of the first arm on the CPU.
    fn trainings(comparison: &mut DeviceComparison) -> &mut Vec<TrainedCell> {
        match &mut comparison.arms[0].accuracy[0].outcome {
            Measured::Done(accuracy) => &mut accuracy.cells,
            Measured::Failed { .. } => panic!("it was trained"),
        }
    }

    #[test]
    fn goal_is_a_share_of_the_best_final_mean() {
        let comparison = comparison();
        // Mean accuracies on the CPU are 70, 80, 90 and 95 %, with seeds 1 point below and above; the
        // GPU is 1 point lower.
        let goal = ArmTimings(&comparison.arms[0]).goal(0.94).unwrap();
        assert!(near(goal.accuracy, 0.94 * 95.0));
        let [cpu, gpu] = &goal.reached[..] else {
            panic!("{goal:?}")
        };
        assert_eq!((cpu.seeds, cpu.reached), (3, 3));
        assert_eq!((cpu.steps.value, gpu.steps.value), (108.0, 144.0));
        assert!(near(cpu.seconds.unwrap().value, 108.0 * 1e-3));
        assert!(near(gpu.seconds.unwrap().value, 144.0 * 4.25e-3));
        assert!(near(gpu.start_up.unwrap(), 2.0));
        assert_eq!(cpu.steps.interval, None, "three seeds are too few");
    }

    #[test]
    fn interval_covers_seeds_and_windows() {
        let mut comparison = comparison();
        let cells = trainings(&mut comparison);
        // Eight seeds that reach the goal after 1, 1, 2, 2, 3, 3, 4, 4 epochs, and two that never do.
        let cell = |seed: usize| TrainedCell {
            seed: seed as u64,
            test_accuracy: (0..4)
                .map(|k| {
                    if seed < 8 && k >= seed / 2 {
                        96.0
                    } else {
                        50.0
                    }
                })
                .collect(),
            ..cells[0].clone()
        };
        *cells = (0..10).map(cell).collect();
        let timings = ArmTimings(&comparison.arms[0]);
        let goal = timings.goal(0.94).unwrap();
        let cpu = &goal.reached[0];
        assert_eq!((cpu.seeds, cpu.reached), (10, 8));
        assert_eq!(cpu.steps.value, 3.0 * 36.0);
        let Interval { low, high } = cpu.steps.interval.unwrap();
        assert_eq!((low, high), (36.0, f64::INFINITY));
        let seconds = cpu.seconds.unwrap();
        let Interval { low, high } = seconds.interval.unwrap();
        let step = timings.step("flex", timings.one()).unwrap();
        assert!(near(seconds.value, 108.0 * step.value));
        assert!(near(low, 36.0 * step.interval.unwrap().low), "{low}");
        assert_eq!(high, f64::INFINITY);
    }

    #[test]
    fn time_is_infinite_if_most_seeds_miss_the_goal() {
        let comparison = comparison();
        let goal = ArmTimings(&comparison.arms[0]).goal(0.999).unwrap();
        let [cpu, gpu] = &goal.reached[..] else {
            panic!("{goal:?}")
        };
        assert_eq!((cpu.reached, cpu.steps.value), (2, 4.0 * 36.0));
        assert_eq!((gpu.reached, gpu.steps.value), (1, f64::INFINITY));
        assert_eq!(gpu.seconds.unwrap().value, f64::INFINITY);
    }

    #[test]
    fn failed_training_counts_up_to_its_end() {
        let mut comparison = comparison();
        let cell = &mut trainings(&mut comparison)[2];
        cell.error = Some("diverged".into());
        cell.evaluated_at.truncate(1);
        cell.test_accuracy.truncate(1);
        let arm = &mut comparison.arms[0];
        arm.accuracy[1].outcome = Measured::Failed {
            error: "lost".into(),
        };
        let goal = ArmTimings(arm).goal(0.94).unwrap();
        assert!(near(goal.accuracy, 0.94 * 94.5));
        let [cpu] = &goal.reached[..] else {
            panic!("{goal:?}")
        };
        assert_eq!((cpu.seeds, cpu.reached), (3, 2));
        let mut none = arm.clone();
        none.accuracy.clear();
        assert_eq!(ArmTimings(&none).goal(0.94), None);
    }
}
