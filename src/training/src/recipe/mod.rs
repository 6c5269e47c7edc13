//! The recipe of an arm: everything that determines the numbers of a cell except its seed, learning rate and
//! device. An arm is a net or a program.
//!
//! The fingerprint covers this module, so a change here makes every record stale. Ranges, error
//! messages, labels and units therefore belong to the spec of experiments, outside this crate.

mod data;
mod net;
mod optimizer;
mod planted_fault;
mod probe;
mod program;
mod train;

pub use data::{Augmentation, Content, Corrupt, DataConfig, DataName, Scale, TestSplit};
pub use net::NetRecipe;
pub use optimizer::{AdamMoments, Optimizer, RmsProp, Schedule};
pub use planted_fault::{PlantedFault, Repair};
pub use probe::Probe;
pub use program::{MetricSource, ProgramRecipe};
pub use train::{Evaluate, Length, Statistics, TrainConfig, Trained};

pub use ablate_models::zoo::ParameterGroup;

use serde::{Deserialize, Serialize};

/// What an arm trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipe {
    /// A net of the zoo or of a registered kind.
    Net(NetRecipe),
    /// A command.
    Program(ProgramRecipe),
}

impl Recipe {
    /// The recipe of the net, if it is one.
    pub const fn net(&self) -> Option<&NetRecipe> {
        match self {
            Self::Net(net) => Some(net),
            Self::Program(_) => None,
        }
    }

    /// The same, to change it.
    pub const fn net_mut(&mut self) -> Option<&mut NetRecipe> {
        match self {
            Self::Net(net) => Some(net),
            Self::Program(_) => None,
        }
    }

    /// The recipe of the program, if it is one.
    pub const fn program(&self) -> Option<&ProgramRecipe> {
        match self {
            Self::Net(_) => None,
            Self::Program(program) => Some(program),
        }
    }

    /// Epochs or steps after which it is evaluated; `None` for a program, which decides for itself.
    pub fn evaluations(&self) -> Option<Vec<usize>> {
        self.net().map(|net| net.train.evaluations())
    }
}
