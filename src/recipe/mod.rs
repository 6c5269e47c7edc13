//! The recipe of an arm: the data, training and probes that, with the model, determine the numbers of a cell.
//!
//! The fingerprint covers this module, so a change here makes every record stale. Ranges, error
//! messages, labels and units therefore belong to [`crate::spec`].

mod data;
mod optimizer;
mod planted_fault;
mod probe;
mod train;

pub use data::{Content, DataConfig, DataName, Scale, TestSplit};
pub use optimizer::{AdamMoments, Optimizer, Schedule};
pub use planted_fault::{PlantedFault, Repair};
pub use probe::Probe;
pub use train::{Evaluate, Length, ParameterGroup, Statistics, TrainConfig, Trained};
