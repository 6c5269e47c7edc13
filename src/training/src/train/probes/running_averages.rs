//! Lag of the running averages behind the statistics of the training split, and its cost in
//! accuracy, over the steps of training.

use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::record::Scores;
use crate::train::net;
use crate::train::statistics::{
    batch_norms, over_channels, running_statistics, with_exact_statistics,
};
use ablate_models::zoo::Model;
use burn::module::Module;
use std::collections::BTreeMap;

/// Running averages are sufficient if the accuracy with them is at most this many points below the
/// accuracy with exact statistics.
const TOLERANCE_POINTS: f64 = 0.5;

/// Measures after steps 1, 2, 5, 10, 20, 50, ...
#[derive(Default)]
pub(super) struct RunningAverages {
    steps: u64,
    recorded_steps: Vec<u64>,
    /// One curve per replica over the recorded steps, by name.
    curves: BTreeMap<String, Vec<Vec<f64>>>,
}

/// True if `step` is 1, 2 or 5 times a power of ten.
fn is_recorded_step(step: u64) -> bool {
    let power = 10u64.pow(step.max(1).ilog10());
    step.is_multiple_of(power) && matches!(step / power, 1 | 2 | 5)
}

impl ProbeHooks for RunningAverages {
    fn after_step(&mut self, context: &ProbeContext<'_>) {
        self.steps += 1;
        if is_recorded_step(self.steps) {
            self.record(context);
        }
    }

    fn finish(&mut self, _context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        for (name, curves) in &self.curves {
            for (result, curve) in results.iter_mut().zip(curves) {
                result.put_series(name, curve.iter().copied());
            }
        }
        let of = |name: &str| self.curves.get(name);
        if let (Some(running), Some(exact)) = (of("accuracy_running"), of("accuracy_exact")) {
            for ((result, running), exact) in results.iter_mut().zip(running).zip(exact) {
                let enough = self.sufficient_batches(running, exact);
                result.put_value("sufficient_batches", enough as f64);
            }
        }
    }
}

impl RunningAverages {
    fn record(&mut self, context: &ProbeContext<'_>) {
        self.recorded_steps.push(self.steps);
        let model = context.net.model().valid();
        let exact = with_exact_statistics(context.net.model(), context.batches);
        self.gaps(&model, &exact);
        let part = context.batches.held_out();
        for (mode, model) in [("running", &model), ("exact", &exact)] {
            let scores = net::scores(model, context.batches, part);
            self.append(&format!("accuracy_{mode}"), accuracies(&scores));
        }
    }

    /// Records the distance of the statistics in `model` from the exact ones: `|m - mean| / sd` for
    /// the mean and the absolute log ratio for the variance, averaged over channels.
    fn gaps(&mut self, model: &Model, exact: &Model) {
        for ((path, norm), (_, truth)) in batch_norms(model).into_iter().zip(batch_norms(exact)) {
            let [replicas, channels]: [usize; 2] = norm.running.estimates().0.dims();
            let epsilon = norm.config.epsilon;
            let ([m, v], [mean, variance]) = (running_statistics(norm), running_statistics(truth));
            let mean_distance = |i: usize| (m[i] - mean[i]).abs() / (variance[i] + epsilon).sqrt();
            let ratio = |i: usize| ((v[i] + epsilon) / (variance[i] + epsilon)).ln().abs();
            let mean_gap = over_channels(replicas, channels, mean_distance);
            let variance_gap = over_channels(replicas, channels, ratio);
            self.append(&format!("mean_gap.{path}"), mean_gap);
            self.append(&format!("variance_gap.{path}"), variance_gap);
        }
    }

    fn append(&mut self, name: &str, values: Vec<f64>) {
        let curves = self.curves.entry(name.to_owned()).or_default();
        curves.resize(values.len(), Vec::new());
        for (curve, value) in curves.iter_mut().zip(values) {
            curve.push(value);
        }
    }

    /// Returns the first recorded step from which on the running averages are sufficient. If they
    /// are not at the last recorded step, returns the number of steps plus one.
    fn sufficient_batches(&self, running: &[f64], exact: &[f64]) -> u64 {
        let good = |i: &usize| running[*i] >= exact[*i] - TOLERANCE_POINTS;
        let streak = (0..self.recorded_steps.len())
            .rev()
            .take_while(good)
            .count();
        let first = self.recorded_steps.len() - streak;
        self.recorded_steps
            .get(first)
            .copied()
            .unwrap_or(self.steps + 1)
    }
}

/// Accuracy per replica; 0 if scores are not finite.
fn accuracies(scores: &[Option<Scores>]) -> Vec<f64> {
    let accuracy = |s: &Option<Scores>| s.as_ref().map_or(0.0, |s| s.accuracy);
    scores.iter().map(accuracy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::fixture::{self, assert_near};
    use ablate_models::{Activation, Pass};

    #[test]
    fn recorded_steps_are_one_two_and_five_times_powers_of_ten() {
        let recorded_steps: Vec<u64> = (0..1100).filter(|&step| is_recorded_step(step)).collect();
        assert_eq!(recorded_steps, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]);
    }

    /// The batch is the whole split, so its statistics are exact. The weight, and with it the mean
    /// of the unit, grows by 1 per step. The running mean then lags behind by `(1 - m) / m` steps,
    /// except for the share `(1 - m)^t` of its initial value.
    #[test]
    fn running_average_lags_linear_drift_as_computed() {
        const MOMENTUM: f64 = 0.2;
        let batches = fixture::batches(&[[1, 0], [3, 0]], &[0, 1]);
        let model = fixture::mlp(&[1], fixture::bare(MOMENTUM), Activation::Linear);
        let job = fixture::job(&model, 2);
        let mut net = fixture::net(&job, &[]);
        let mut lag = RunningAverages::default();
        for step in 1..=100 {
            let weights = [f64::from(step), 0.0];
            net.replace(|model| fixture::set(model, &[("blocks.0.linear.weight", &weights)]));
            let (pixels, _) = batches.slice(crate::train::batch::SplitPart::Train, 0, 2);
            net.model().forward(pixels, &Pass::train_at(step as u64));
            lag.after_step(&ProbeContext::new(&job, &net, &batches));
        }
        let means = &lag.curves["mean_gap.blocks.0"][0];
        let variances = &lag.curves["variance_gap.blocks.0"][0];
        assert_eq!(means.len(), lag.recorded_steps.len());
        for ((&step, mean), variance) in lag.recorded_steps.iter().zip(means).zip(variances) {
            // Pixels 1 and 3: at weight w = t the unit has mean 2 w and standard deviation w.
            let t = step as f64;
            let initial_share = (1.0 - MOMENTUM).powf(t);
            let steps = (1.0 - MOMENTUM) / MOMENTUM * (1.0 - initial_share);
            assert_near(*mean, 2.0 * steps / t, 1e-12);
            // The variance is t^2. Its running average is the sum of m (1 - m)^(t - i) i^2, plus
            // the remaining share of the initial value 1.
            let terms = (1..=step as i32)
                .map(|i| MOMENTUM * (1.0 - MOMENTUM).powi(step as i32 - i) * f64::from(i * i));
            let average = terms.sum::<f64>() + initial_share;
            assert_near(*variance, (average / (t * t)).ln().abs(), 1e-12);
        }
        let last = 2.0 * 4.0 / 100.0;
        assert_near(*means.last().unwrap(), last, 1e-9);
    }

    #[test]
    fn sufficient_batches_need_lasting_accuracy() {
        let lag = RunningAverages {
            steps: 7,
            recorded_steps: vec![1, 2, 5],
            ..RunningAverages::default()
        };
        let exact = [90.0; 3];
        for (running, expected) in [
            ([90.0, 90.0, 89.5], 1),
            ([89.5, 89.0, 90.0], 5),
            ([10.0, 95.0, 95.0], 2),
            ([90.0, 90.0, 89.0], 8),
        ] {
            assert_eq!(
                lag.sufficient_batches(&running, &exact),
                expected,
                "{running:?}"
            );
        }
    }
}
