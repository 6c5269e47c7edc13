//! What is measured beside accuracy. A probe watches a run and changes nothing of it.
//!
//! A probe is a file with a [`Watcher`], a word of [`Probe`], a line in [`watcher`], and a row in
//! the catalogue of `spec` for each quantity it measures.

mod activations;
mod bias;
mod co_adaptation;
mod equal_training;
mod findings;
mod fold;
mod gap;
mod homogeneity;
mod identities;
mod inequality;
mod lag;
mod landscape;
mod learned;
mod modes;
mod planted_fault;
mod quantiles;
mod roughness;
mod saturation;
mod shift;
mod twin;

pub(crate) use findings::Findings;

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
pub(crate) struct Run<'a> {
    pub(crate) job: &'a Job,
    pub(crate) net: &'a Net,
    pub(crate) batches: &'a Batches,
}

/// A training step after its gradients are known and before the parameters move.
#[derive(Clone, Copy)]
#[expect(dead_code, reason = "what a probe of single steps may look at")]
pub(crate) struct Moment<'a> {
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
pub(crate) trait Watcher {
    /// Sees every step before the parameters move.
    fn after_backward(&mut self, _moment: &Moment<'_>) {}

    /// Sees the nets after every step.
    fn after_step(&mut self, _run: &Run<'_>) {}

    /// Sees the nets before a fault is planted in them.
    fn before_fault(&mut self, _run: &Run<'_>) {}

    /// Sees the nets with the fault, before they train on.
    fn after_fault(&mut self, _run: &Run<'_>) {}

    /// Sees the nets after every epoch. What it finds is a trace: one value an epoch.
    fn epoch_done(&mut self, _run: &Run<'_>, _found: &mut [Findings]) {}

    /// Sees the trained nets. What it finds is a value or a series of each cell.
    fn finish(&mut self, _run: &Run<'_>, _found: &mut [Findings]) {}
}

/// The one place that makes probes of their names; `run` has not taken a step yet.
fn watcher(probe: Probe, run: &Run<'_>) -> Box<dyn Watcher + Send> {
    match probe {
        Probe::TrainTestGap => Box::new(gap::Gap),
        Probe::Saturation => Box::new(saturation::Saturation),
        Probe::BiasGradient => Box::new(bias::BiasGradient::begin(run)),
        Probe::BiasTwin => Box::new(twin::Twin),
        Probe::ScaleFold => Box::new(fold::Fold),
        Probe::Homogeneity => Box::new(homogeneity::Homogeneity),
        Probe::EvaluationModes => Box::new(modes::Modes),
        Probe::RunningAverages => Box::new(lag::Lag::default()),
        Probe::LearnedParameters => Box::new(learned::Learned),
        Probe::Activations => Box::new(activations::Activations),
        Probe::GradientLandscape => Box::new(landscape::Landscape::default()),
        Probe::VarianceShift => Box::new(shift::Shift),
        Probe::Identities => Box::new(identities::Identities),
        Probe::CoAdaptation => Box::new(co_adaptation::CoAdaptation::begin(run)),
        Probe::PlantedFault => Box::new(planted_fault::Repairs::default()),
        Probe::EqualTraining => Box::new(equal_training::EqualTraining::begin(run)),
        Probe::Roughness => Box::new(roughness::Roughness::default()),
    }
}

/// The probes of a job, and what they found in each of its cells.
pub(crate) struct Probes {
    watchers: Vec<Box<dyn Watcher + Send>>,
    found: Vec<Findings>,
}

impl Probes {
    /// The probes that the job of `run` asks for, before its first step.
    pub(crate) fn begin(run: &Run<'_>) -> Self {
        let probes = run.job.probes.iter();
        Self {
            watchers: probes.map(|&probe| watcher(probe, run)).collect(),
            found: vec![Findings::default(); run.job.cells.len()],
        }
    }

    /// Whether nobody looks.
    pub(crate) fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    pub(crate) fn after_backward(&mut self, moment: &Moment<'_>) {
        for watcher in &mut self.watchers {
            watcher.after_backward(moment);
        }
    }

    pub(crate) fn after_step(&mut self, run: &Run<'_>) {
        for watcher in &mut self.watchers {
            watcher.after_step(run);
        }
    }

    pub(crate) fn before_fault(&mut self, run: &Run<'_>) {
        for watcher in &mut self.watchers {
            watcher.before_fault(run);
        }
    }

    pub(crate) fn after_fault(&mut self, run: &Run<'_>) {
        for watcher in &mut self.watchers {
            watcher.after_fault(run);
        }
    }

    pub(crate) fn epoch_done(&mut self, run: &Run<'_>) {
        for watcher in &mut self.watchers {
            watcher.epoch_done(run, &mut self.found);
        }
    }

    /// Everything that was found in each cell; `None` when `stop` was raised.
    pub(crate) fn finish(mut self, run: &Run<'_>, stop: &StopFlag) -> Option<Vec<Findings>> {
        for watcher in &mut self.watchers {
            if stop.stopped() {
                return None;
            }
            watcher.finish(run, &mut self.found);
        }
        Some(self.found)
    }
}
