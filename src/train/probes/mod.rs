//! What is measured beside accuracy. A probe watches a run and changes nothing of it.
//!
//! A probe is a file with a [`ProbeHooks`], a word of [`Probe`], a line in [`watcher`], and a row in
//! the catalogue of `spec` for each quantity it measures.

mod activations;
mod bias_gradient;
mod bias_twin;
mod co_adaptation;
mod equal_training;
mod evaluation_modes;
mod gradient_landscape;
mod homogeneity;
mod identities;
mod inequality;
mod learned_parameters;
mod planted_fault;
mod quantiles;
mod results;
mod roughness;
mod running_averages;
mod saturation;
mod scale_fold;
mod train_test_gap;
mod variance_shift;

pub(crate) use results::ProbeResults;

use super::batch::Batches;
use super::net::Net;
use crate::recipe::Probe;
use crate::trainer::{Job, StopFlag};
use ablate_models::zoo::Model;
use burn::tensor::{Gradients, Int, Tensor};

#[cfg(test)]
mod tests;

/// A run as its probes see it.
#[derive(Clone, Copy)]
pub(crate) struct ProbeContext<'a> {
    pub(crate) job: &'a Job,
    pub(crate) net: &'a Net,
    pub(crate) batches: &'a Batches,
}

/// A training step after its gradients are known and before the parameters move.
#[derive(Clone, Copy)]
#[expect(dead_code, reason = "what a probe of single steps may look at")]
pub(crate) struct StepContext<'a> {
    pub(crate) model: &'a Model,
    pub(crate) gradients: &'a Gradients,
    /// `[replicas, batch, features]`.
    pub(crate) pixels: &'a Tensor<3>,
    /// `[replicas, batch]`.
    pub(crate) labels: &'a Tensor<2, Int>,
    /// Steps taken before this one.
    pub(crate) step: u64,
}

/// Watches a run. Whatever a probe has no use for costs nothing.
pub(crate) trait ProbeHooks {
    /// Sees every step before the parameters move.
    fn after_backward(&mut self, _moment: &StepContext<'_>) {}

    /// Sees the nets after every step.
    fn after_step(&mut self, _run: &ProbeContext<'_>) {}

    /// Sees the nets before a fault is planted in them.
    fn before_fault(&mut self, _run: &ProbeContext<'_>) {}

    /// Sees the nets with the fault, before they train on.
    fn after_fault(&mut self, _run: &ProbeContext<'_>) {}

    /// Sees the nets after every epoch. What it finds is a trace: one value an epoch.
    fn epoch_done(&mut self, _run: &ProbeContext<'_>, _found: &mut [ProbeResults]) {}

    /// Sees the trained nets. What it finds is a value or a series of each cell.
    fn finish(&mut self, _run: &ProbeContext<'_>, _found: &mut [ProbeResults]) {}
}

/// The one place that makes probes of their names; `run` has not taken a step yet.
fn watcher(probe: Probe, context: &ProbeContext<'_>) -> Box<dyn ProbeHooks + Send> {
    match probe {
        Probe::TrainTestGap => Box::new(train_test_gap::TrainTestGap),
        Probe::Saturation => Box::new(saturation::Saturation),
        Probe::BiasGradient => Box::new(bias_gradient::BiasGradient::begin(context)),
        Probe::BiasTwin => Box::new(bias_twin::BiasTwin),
        Probe::ScaleFold => Box::new(scale_fold::ScaleFold),
        Probe::Homogeneity => Box::new(homogeneity::Homogeneity),
        Probe::EvaluationModes => Box::new(evaluation_modes::EvaluationModes),
        Probe::RunningAverages => Box::new(running_averages::RunningAverages::default()),
        Probe::LearnedParameters => Box::new(learned_parameters::LearnedParameters),
        Probe::Activations => Box::new(activations::Activations),
        Probe::GradientLandscape => Box::new(gradient_landscape::GradientLandscape::default()),
        Probe::VarianceShift => Box::new(variance_shift::VarianceShift),
        Probe::Identities => Box::new(identities::Identities),
        Probe::CoAdaptation => Box::new(co_adaptation::CoAdaptation::begin(context)),
        Probe::PlantedFault => Box::new(planted_fault::PlantedFaultProbe::default()),
        Probe::EqualTraining => Box::new(equal_training::EqualTraining::begin(context)),
        Probe::Roughness => Box::new(roughness::Roughness::default()),
    }
}

/// The probes of a job, and what they found in each of its cells.
pub(crate) struct Probes {
    watchers: Vec<Box<dyn ProbeHooks + Send>>,
    results: Vec<ProbeResults>,
}

impl Probes {
    /// The probes that the job of `run` asks for, before its first step.
    pub(crate) fn begin(context: &ProbeContext<'_>) -> Self {
        let probes = context.job.probes.iter();
        Self {
            watchers: probes.map(|&probe| watcher(probe, context)).collect(),
            results: vec![ProbeResults::default(); context.job.cells.len()],
        }
    }

    /// Whether nobody looks.
    pub(crate) fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    pub(crate) fn after_backward(&mut self, context: &StepContext<'_>) {
        for watcher in &mut self.watchers {
            watcher.after_backward(context);
        }
    }

    pub(crate) fn after_step(&mut self, context: &ProbeContext<'_>) {
        for watcher in &mut self.watchers {
            watcher.after_step(context);
        }
    }

    pub(crate) fn before_fault(&mut self, context: &ProbeContext<'_>) {
        for watcher in &mut self.watchers {
            watcher.before_fault(context);
        }
    }

    pub(crate) fn after_fault(&mut self, context: &ProbeContext<'_>) {
        for watcher in &mut self.watchers {
            watcher.after_fault(context);
        }
    }

    pub(crate) fn epoch_done(&mut self, context: &ProbeContext<'_>) {
        for watcher in &mut self.watchers {
            watcher.epoch_done(context, &mut self.results);
        }
    }

    /// Everything that was found in each cell; `None` when `stop` was raised.
    pub(crate) fn finish(
        mut self,
        context: &ProbeContext<'_>,
        stop: &StopFlag,
    ) -> Option<Vec<ProbeResults>> {
        for watcher in &mut self.watchers {
            if stop.stopped() {
                return None;
            }
            watcher.finish(context, &mut self.results);
        }
        Some(self.results)
    }
}
