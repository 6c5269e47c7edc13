//! Probes: measurements of mechanism beside the score. A probe observes a training and does not
//! change it.
//!
//! To add a probe, write a file with an implementation of [`ProbeHooks`], and add a variant of
//! [`Probe`], a line in [`build_probe`], and a row in the catalogue of `spec` per quantity.

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
use super::schedule::RateAdjustment;
use crate::recipe::Probe;
use crate::trainer::{NetJob, StopFlag};
use ablate_models::zoo::Model;
use burn::tensor::{Gradients, Int, Tensor};

/// What probes can see of a training.
#[derive(Clone, Copy)]
pub(crate) struct ProbeContext<'a> {
    pub(crate) job: &'a NetJob<'a>,
    pub(crate) net: &'a Net,
    pub(crate) batches: &'a Batches,
}

impl<'a> ProbeContext<'a> {
    pub(crate) const fn new(job: &'a NetJob<'a>, net: &'a Net, batches: &'a Batches) -> Self {
        Self { job, net, batches }
    }
}

/// A training step between the backward pass and the update.
#[derive(Clone, Copy)]
pub(crate) struct StepContext<'a> {
    pub(crate) model: &'a Model,
    pub(crate) gradients: &'a Gradients,
    /// `[replicas, batch, features]`.
    pub(crate) pixels: &'a Tensor<3>,
    /// `[replicas, batch]`.
    pub(crate) labels: &'a Tensor<2, Int>,
    /// Learning rate of the step.
    pub(crate) adjustment: RateAdjustment,
}

/// Hooks of a probe into training. A hook that a probe does not implement costs nothing.
pub(crate) trait ProbeHooks {
    /// Called in every step after the backward pass and before the update.
    fn after_backward(&mut self, _moment: &StepContext<'_>) {}

    /// Called after every step.
    fn after_step(&mut self, _context: &ProbeContext<'_>) {}

    /// Called before a fault is planted in the replicas that are true in `due`.
    fn before_fault(&mut self, _context: &ProbeContext<'_>, _due: &[bool]) {}

    /// Called after a fault was planted in these replicas, before training continues.
    fn after_fault(&mut self, _context: &ProbeContext<'_>, _due: &[bool]) {}

    /// Called after every evaluation. Results are traces: one value per epoch.
    fn epoch_done(&mut self, _context: &ProbeContext<'_>, _found: &mut [ProbeResults]) {}

    /// Called after training. Results are values or series.
    fn finish(&mut self, _context: &ProbeContext<'_>, _found: &mut [ProbeResults]) {}
}

/// Builds a probe before the first step of training.
fn build_probe(probe: Probe, context: &ProbeContext<'_>) -> Box<dyn ProbeHooks + Send> {
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

/// The probes of a job and their results per cell.
pub(crate) struct Probes {
    probes: Vec<Box<dyn ProbeHooks + Send>>,
    results: Vec<ProbeResults>,
}

impl Probes {
    /// Builds the probes of the job before its first step.
    pub(crate) fn begin(context: &ProbeContext<'_>) -> Self {
        let names = context.job.probes.iter();
        Self {
            probes: names.map(|&probe| build_probe(probe, context)).collect(),
            results: vec![ProbeResults::default(); context.job.cells.len()],
        }
    }

    /// True if the job has no probes.
    pub(crate) fn is_empty(&self) -> bool {
        self.probes.is_empty()
    }

    pub(crate) fn after_backward(&mut self, context: &StepContext<'_>) {
        for probe in &mut self.probes {
            probe.after_backward(context);
        }
    }

    pub(crate) fn after_step(&mut self, context: &ProbeContext<'_>) {
        for probe in &mut self.probes {
            probe.after_step(context);
        }
    }

    pub(crate) fn before_fault(&mut self, context: &ProbeContext<'_>, due: &[bool]) {
        for probe in &mut self.probes {
            probe.before_fault(context, due);
        }
    }

    pub(crate) fn after_fault(&mut self, context: &ProbeContext<'_>, due: &[bool]) {
        for probe in &mut self.probes {
            probe.after_fault(context, due);
        }
    }

    pub(crate) fn epoch_done(&mut self, context: &ProbeContext<'_>) {
        for probe in &mut self.probes {
            probe.epoch_done(context, &mut self.results);
        }
    }

    /// Returns the results of each cell, or `None` if `stop` was raised.
    pub(crate) fn finish(
        mut self,
        context: &ProbeContext<'_>,
        stop: &StopFlag,
    ) -> Option<Vec<ProbeResults>> {
        for probe in &mut self.probes {
            if stop.stopped() {
                return None;
            }
            probe.finish(context, &mut self.results);
        }
        Some(self.results)
    }
}
