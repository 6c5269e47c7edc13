//! How far the running averages are from the statistics of the training split, and what that costs,
//! step by step.

use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::record::Scores;
use crate::train::net;
use crate::train::statistics::{
    batch_norms, over_channels, running_statistics, with_exact_statistics,
};
use ablate_models::zoo::Model;
use burn::module::Module;
use std::collections::BTreeMap;

/// Accuracy by running averages counts as good enough when it is at most so many points below that by
/// exact statistics.
const TOLERANCE_POINTS: f64 = 0.5;

/// Looks at the steps 1, 2, 5, 10, 20, 50, ...
#[derive(Default)]
pub(super) struct RunningAverages {
    steps: u64,
    recorded_steps: Vec<u64>,
    /// A curve over the looks for each replica, by name.
    curves: BTreeMap<String, Vec<Vec<f64>>>,
}

/// Whether `step` is 1, 2 or 5 times a power of ten.
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

    fn finish(&mut self, _run: &ProbeContext<'_>, results: &mut [ProbeResults]) {
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
            self.note(&format!("accuracy_{mode}"), accuracies(&scores));
        }
    }

    /// How far the statistics that `model` evaluates with are from those of `exact`.
    fn gaps(&mut self, model: &Model, exact: &Model) {
        for ((path, norm), (_, truth)) in batch_norms(model).into_iter().zip(batch_norms(exact)) {
            let [replicas, channels]: [usize; 2] = norm.running.estimates().0.dims();
            let epsilon = norm.config.epsilon;
            let ([m, v], [mean, variance]) = (running_statistics(norm), running_statistics(truth));
            let off = |i: usize| (m[i] - mean[i]).abs() / (variance[i] + epsilon).sqrt();
            let ratio = |i: usize| ((v[i] + epsilon) / (variance[i] + epsilon)).ln().abs();
            let mean_gap = over_channels(replicas, channels, off);
            let variance_gap = over_channels(replicas, channels, ratio);
            self.note(&format!("mean_gap.{path}"), mean_gap);
            self.note(&format!("variance_gap.{path}"), variance_gap);
        }
    }

    fn note(&mut self, name: &str, values: Vec<f64>) {
        let curves = self.curves.entry(name.to_owned()).or_default();
        curves.resize(values.len(), Vec::new());
        for (curve, value) in curves.iter_mut().zip(values) {
            curve.push(value);
        }
    }

    /// The first look from which on accuracy by running averages is good enough; one step more than
    /// were taken where it is not at the last.
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

/// A net without finite scores gets nothing right.
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
    fn looks_are_at_one_two_and_five_times_powers_of_ten() {
        let recorded_steps: Vec<u64> = (0..1100).filter(|&step| is_recorded_step(step)).collect();
        assert_eq!(recorded_steps, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]);
    }

    /// The batch is the whole split, so its statistics are exact; the weight grows by 1 a step, and
    /// the mean of the unit with it. The running mean then lags behind by `(1 - m) / m` steps, all
    /// but for the share `(1 - m)^t` of its start.
    #[test]
    fn a_running_average_of_a_steady_drift_lags_by_the_known_number_of_steps() {
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
            net.model().forward(pixels, &Pass::train(step as u64));
            lag.after_step(&ProbeContext {
                job: &job,
                net: &net,
                batches: &batches,
            });
        }
        let means = &lag.curves["mean_gap.blocks.0"][0];
        let variances = &lag.curves["variance_gap.blocks.0"][0];
        assert_eq!(means.len(), lag.recorded_steps.len());
        for ((&step, mean), variance) in lag.recorded_steps.iter().zip(means).zip(variances) {
            // Pixels 1 and 3: the unit has mean 2 w and standard deviation w at weight w = t.
            let t = step as f64;
            let left = (1.0 - MOMENTUM).powf(t);
            let steps = (1.0 - MOMENTUM) / MOMENTUM * (1.0 - left);
            assert_near(*mean, 2.0 * steps / t, 1e-12);
            // The variance is t^2; its average is the sum of m (1 - m)^(t - i) i^2, and its start 1.
            let terms = (1..=step as i32)
                .map(|i| MOMENTUM * (1.0 - MOMENTUM).powi(step as i32 - i) * f64::from(i * i));
            let average = terms.sum::<f64>() + left;
            assert_near(*variance, (average / (t * t)).ln().abs(), 1e-12);
        }
        let last = 2.0 * 4.0 / 100.0;
        assert_near(*means.last().unwrap(), last, 1e-9);
    }

    #[test]
    fn enough_batches_are_those_from_which_on_accuracy_stays_near() {
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
