//! Weights of the cells that a trainer has trained to the end.

use super::{StackedTraining, statistics};
use crate::record::Outcome;
use crate::trainer::{Job, JobCell};
use ablate_models::interchange::{Network, Weights};
use std::fmt;

/// Where the weights of a cell go before its record is returned. An error fails the cell.
type Keep = dyn Fn(&Job, &JobCell, &Weights) -> Result<(), String> + Send + Sync;

/// Takes the weights of every cell that has trained to the end.
pub struct KeepWeights(Box<Keep>);

impl KeepWeights {
    /// Gives the weights to `keep`, which may be called by several threads at once.
    pub fn new(
        keep: impl Fn(&Job, &JobCell, &Weights) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(keep))
    }
}

impl fmt::Debug for KeepWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeepWeights")
    }
}

impl StackedTraining<'_> {
    /// Gives the weights with which each cell was evaluated last to `keep`.
    pub(super) fn keep_weights(&mut self, KeepWeights(keep): &KeepWeights) {
        if self.job.stops_early() {
            return;
        }
        let model = statistics::evaluation_model(&self.job, self.net.model(), &self.batches);
        let (input, classes) = self.batches.shape();
        let network = Network::new(self.job.model.clone(), input, classes);
        for (r, cell) in self.job.cells.iter().enumerate() {
            if self.records[r].outcome != Outcome::Done {
                continue;
            }
            let weights = match &network {
                Ok(network) => network.export(&model, r).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let kept = weights.and_then(|weights| keep(self.job.job, cell, &weights));
            if let Err(why) = kept {
                let error = format!("cannot keep the weights: {why}");
                self.records[r] = self.job.job.record(cell, Outcome::Failed { error });
            }
        }
    }
}
