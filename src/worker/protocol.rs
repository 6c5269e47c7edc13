//! What is said between a worker and who started it, a line of JSON each.

use crate::backends::{DeviceInfo, Parity, TimedSize, Yardstick};
use crate::compare::speed::SpeedRequest;
use crate::record::CellRecord;
use crate::trainer::Job;
use serde::{Deserialize, Serialize};

/// What a worker is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Look for a device; the answer is [`Reply::Device`].
    Device {
        /// Its name.
        name: String,
    },
    /// Look for every device; the answer is [`Reply::Devices`].
    Devices,
    /// Train every cell of a job; the answer is [`Reply::Records`].
    Train {
        /// What to train.
        job: Job,
        /// Threads of the kernels on a CPU.
        threads: usize,
    },
    /// Follow the first steps of the only cell of a job; the answer is [`Reply::Parity`].
    Parity {
        /// What to follow.
        job: Job,
        /// What its device is judged by.
        yardstick: Yardstick,
    },
    /// Time training steps; the answer is [`Reply::Times`].
    Times(SpeedRequest),
    /// Time a few steps of a job; the answer is [`Reply::Seconds`].
    Estimate {
        /// What to time.
        job: Job,
        /// Threads of the kernels on a CPU.
        threads: usize,
    },
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// So many epochs or steps are done; the answer is still to come.
    Progress(usize),
    /// What answers to a name.
    Device(DeviceInfo),
    /// What is there.
    Devices(Vec<DeviceInfo>),
    /// One record a cell, in the order of the job's.
    Records(Vec<CellRecord>),
    /// How far the device is from double precision.
    Parity(Parity),
    /// One entry a device.
    Times(Vec<TimedSize>),
    /// Seconds that the whole job will take; `None` where it cannot be run.
    Seconds(Option<f64>),
    /// Why there is no answer. The worker ends, since what failed may be its device.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::run::fake::{FakeTrainer, spec};

    #[test]
    fn requests_and_records_come_through_as_they_were() {
        let jobs = Plan::new(&spec(&["a"], 3), "flex", 3, "f").jobs(|_| true);
        let request = Request::Train {
            job: jobs[0].clone(),
            threads: 2,
        };
        let line = serde_json::to_string(&request).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);

        let mut records = FakeTrainer::records(&jobs[0]);
        records[0].epochs[0].train_loss = 0.1 + 0.2;
        let reply = Reply::Records(records);
        let line = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
    }
}
