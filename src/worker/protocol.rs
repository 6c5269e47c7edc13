//! Messages between a worker process and its parent, one JSON line each.

use crate::compare::measure::timing::TimingRequest;
use crate::compare::results::{Parity, RoundingBaseline, SizeTiming};
use crate::device::DeviceInfo;
use crate::record::CellRecord;
use crate::spec::Registry;
use crate::trainer::Job;
use ablate_models::ConfigError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A request to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Find a device; the reply is [`Reply::Device`].
    Device {
        /// Name of the device.
        name: String,
    },
    /// List the available devices; the reply is [`Reply::Devices`].
    Devices,
    /// Train every cell of a job; the reply is [`Reply::Records`].
    Train {
        /// The job to train.
        job: Job,
        /// Number of threads of CPU kernels.
        threads: usize,
        /// Folder for the weights of the cells; absent if they are not kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weights: Option<PathBuf>,
    },
    /// Compare the first steps of a job with one cell with double precision; the reply is
    /// [`Reply::Parity`].
    Parity {
        /// The job.
        job: Job,
        /// The tolerances of the device.
        baseline: RoundingBaseline,
    },
    /// Time training steps; the reply is [`Reply::Times`].
    Times(TimingRequest),
    /// Time a few steps of a job; the reply is [`Reply::Seconds`].
    Estimate {
        /// The job to time.
        job: Job,
        /// Number of threads of CPU kernels.
        threads: usize,
    },
}

impl Request {
    /// Gives the models in it their types, which JSON does not have.
    ///
    /// # Errors
    /// If this program has another type or version of a kind of models.
    pub(super) fn complete(&mut self, registry: &Registry) -> Result<(), ConfigError> {
        match self {
            Self::Train { job, .. } | Self::Parity { job, .. } | Self::Estimate { job, .. } => {
                registry.complete(&mut job.recipe)
            }
            Self::Times(request) => registry.complete_model(&mut request.model),
            Self::Device { .. } | Self::Devices => Ok(()),
        }
    }
}

/// A reply of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// Number of finished epochs or steps; the final reply follows later.
    Progress(usize),
    /// The worker is at work; the final reply follows later.
    Alive {
        /// Processor time that it has used, in milliseconds; absent where that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        processor: Option<u64>,
    },
    /// A device that was found.
    Device(DeviceInfo),
    /// The available devices.
    Devices(Vec<DeviceInfo>),
    /// One record per cell, in the order of the cells of the job.
    Records(Vec<CellRecord>),
    /// Differences between the device and double precision.
    Parity(Parity),
    /// One entry per device.
    Times(Vec<SizeTiming>),
    /// Estimated seconds of the whole job; `None` if it cannot run.
    Seconds(Option<f64>),
    /// An error. The worker ends after it, because its device may be in a bad state.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::run::fake::{FakeTrainer, spec};

    #[test]
    fn requests_and_replies_survive_a_round_trip() {
        let jobs = Plan::new(&spec(&["a"], 3), "flex", 3, "f").jobs(|_| true);
        let request = Request::Train {
            job: jobs[0].clone(),
            threads: 2,
            weights: Some("weights".into()),
        };
        let line = serde_json::to_string(&request).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);

        let mut records = FakeTrainer::records(&jobs[0]);
        records[0].epochs[0].train_loss = Some(0.1 + 0.2);
        let reply = Reply::Records(records);
        let line = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
    }
}
