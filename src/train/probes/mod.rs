//! What is measured beside accuracy. A probe watches a run and changes nothing of it.

mod bias;
mod fold;
mod gap;
mod saturation;
mod twin;

use super::TrainError;
use super::batch::Batches;
use super::net::Net;
use crate::run::trainer::{Job, StopFlag};
use crate::spec::Probe;
use ablate_models::zoo::Model;
use bias::BiasGradient;
use burn::tensor::Gradients;
use std::collections::BTreeMap;

/// Named values of one cell.
pub(crate) type Values = BTreeMap<String, f64>;

/// The probes of a job.
pub(crate) struct Probes {
    bias: Option<BiasGradient>,
}

impl Probes {
    pub(crate) fn new(job: &Job) -> Self {
        let wanted = job.probes.contains(&Probe::BiasGradient);
        Self {
            bias: wanted.then(BiasGradient::default),
        }
    }

    /// Sees every step before the parameters move.
    pub(crate) fn after_backward(&mut self, model: &Model, gradients: &Gradients) {
        if let Some(bias) = &mut self.bias {
            bias.after_backward(model, gradients);
        }
    }

    /// The values of every cell, from the trained net; `None` when `stop` was raised.
    pub(crate) fn finish(
        &self,
        job: &Job,
        net: &Net,
        batches: &Batches,
        stop: &StopFlag,
    ) -> Option<Vec<Values>> {
        let mut values = vec![Values::new(); job.cells.len()];
        for probe in &job.probes {
            if stop.stopped() {
                return None;
            }
            let out = &mut values;
            match probe {
                Probe::TrainTestGap => gap::measure(net, batches, out),
                Probe::Saturation => saturation::measure(job, net, batches, out),
                Probe::BiasGradient => {
                    if let Some(bias) = &self.bias {
                        bias.finish(net, out);
                    }
                }
                Probe::BiasTwin => ignore_unbuildable(twin::measure(job, out)),
                Probe::ScaleFold => fold::measure(net, batches, out),
                Probe::Homogeneity => {
                    let error = job.model.block().activation.homogeneity_error();
                    put_all(out, "homogeneity_error", |_| error);
                }
            }
        }
        Some(values)
    }
}

/// A twin that cannot be built has no value; the job itself was built from the same parts.
fn ignore_unbuildable(result: Result<(), TrainError>) {
    if let Err(error) = result {
        log::warn!("no twin: {error}");
    }
}

fn put_all(out: &mut [Values], name: &str, value: impl Fn(usize) -> f64) {
    for (r, values) in out.iter_mut().enumerate() {
        values.insert(name.to_owned(), value(r));
    }
}
