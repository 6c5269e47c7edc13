//! How long it takes to learn: steps to an accuracy times the time of a step.

use super::Timings;
use crate::backends::{Accuracy, Measured, TrainedCell};

/// A test accuracy to reach, and when each device does.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// In percent.
    pub accuracy: f64,
    /// One entry for each device with whole trainings.
    pub reached: Vec<Reached>,
}

/// When a device reaches the goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// Name of the device.
    pub device: String,
    /// Seeds that the mean is over.
    pub seeds: usize,
    /// Steps until the mean test accuracy is first at the goal at an evaluation, if it ever is.
    pub steps: Option<usize>,
    /// Seconds of so many steps of one net, where it was timed.
    pub seconds: Option<f64>,
    /// Seconds that the first step takes beyond a usual one, likewise.
    pub start_up: Option<f64>,
}

impl Timings<'_> {
    /// The goal at `share` of the best device's mean test accuracy at the end. `None` where no device
    /// has a whole training.
    pub fn goal(self, share: f64) -> Option<Goal> {
        let trained = self.0.accuracy.iter();
        let curves: Vec<(&str, Curve)> = trained
            .filter_map(|entry| match &entry.outcome {
                Measured::Done(accuracy) => Some((entry.device.as_str(), Curve::of(accuracy)?)),
                Measured::Failed { .. } => None,
            })
            .collect();
        let finals = curves.iter().filter_map(|(_, curve)| curve.points.last());
        let best = finals.map(|point| point.1).reduce(f64::max)?;
        let accuracy = share * best;
        let reached = curves.iter().map(|(device, curve)| {
            let place = curve.points.iter().find(|point| point.1 >= accuracy);
            let steps = place.map(|point| point.0 * self.0.steps_a_place);
            let step = self.step(device, self.one());
            Reached {
                device: (*device).to_owned(),
                seeds: curve.seeds,
                steps,
                seconds: steps.zip(step).map(|(n, step)| n as f64 * step.value),
                start_up: self.start_up(device, self.one()),
            }
        });
        Some(Goal {
            accuracy,
            reached: reached.collect(),
        })
    }
}

/// Mean test accuracy over the seeds that finished, at each place.
struct Curve {
    seeds: usize,
    points: Vec<(usize, f64)>,
}

impl Curve {
    /// `None` where no seed finished, or where they were not evaluated at the same places.
    fn of(accuracy: &Accuracy) -> Option<Self> {
        let finished = |cell: &&TrainedCell| cell.error.is_none();
        let cells: Vec<&TrainedCell> = accuracy.cells.iter().filter(finished).collect();
        let places = &cells.first()?.places;
        let fits = |cell: &&TrainedCell| {
            cell.places == *places && cell.test_accuracy.len() == places.len()
        };
        if !cells.iter().all(fits) {
            return None;
        }
        let mean = |k: usize| {
            let sum: f64 = cells.iter().map(|cell| cell.test_accuracy[k]).sum();
            sum / cells.len() as f64
        };
        let points = places.iter().enumerate();
        Some(Self {
            seeds: cells.len(),
            points: points.map(|(k, &place)| (place, mean(k))).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::comparison;
    use super::*;

    #[test]
    fn the_goal_is_a_share_of_the_best_end_and_reached_at_the_first_mean_above() {
        let comparison = comparison();
        // Means of 70, 80, 90 and 95 % on the CPU; a point less on the GPU.
        let goal = Timings(&comparison.arms[0]).goal(0.94).unwrap();
        assert!((goal.accuracy - 0.94 * 95.0).abs() < 1e-12);
        let [cpu, gpu] = &goal.reached[..] else {
            panic!("{goal:?}")
        };
        assert_eq!((cpu.steps, gpu.steps), (Some(3 * 36), Some(4 * 36)));
        assert!((cpu.seconds.unwrap() - 108.0 * 1e-3).abs() < 1e-9);
        assert!((gpu.seconds.unwrap() - 144.0 * 4.25e-3).abs() < 1e-9);
        assert!((gpu.start_up.unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(gpu.seeds, 3);
    }

    #[test]
    fn a_device_that_does_not_get_there_has_no_time() {
        let comparison = comparison();
        let goal = Timings(&comparison.arms[0]).goal(0.999).unwrap();
        assert_eq!(goal.reached[0].steps, Some(4 * 36));
        assert_eq!(
            (goal.reached[1].steps, goal.reached[1].seconds),
            (None, None)
        );
    }

    #[test]
    fn seeds_that_ended_early_are_left_out_and_a_device_without_any_too() {
        let mut comparison = comparison();
        let arm = &mut comparison.arms[0];
        let Measured::Done(accuracy) = &mut arm.accuracy[0].outcome else {
            panic!("it was trained")
        };
        accuracy.cells[1].error = Some("diverged".into());
        accuracy.cells[1].places.truncate(1);
        accuracy.cells[1].test_accuracy.truncate(1);
        arm.accuracy[1].outcome = Measured::Failed {
            error: "lost".into(),
        };
        let goal = Timings(arm).goal(0.94).unwrap();
        assert_eq!(goal.reached.len(), 1);
        assert_eq!(goal.reached[0].seeds, 2);
        let mut none = arm.clone();
        none.accuracy.clear();
        assert_eq!(Timings(&none).goal(0.94), None);
    }
}
