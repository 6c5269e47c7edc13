//! Programs: the trainer for any command.
//!
//! A cell of a program is one process. It runs in a process group of its own, gets the seed and the other
//! values of its cell as arguments and as `ABLATE_...` variables, and reports metrics. It owns one folder,
//! `{out}`, below the results folder; nothing else is written.
//!
//! # Files
//!
//! | file | content |
//! |---|---|
//! | `trainer` | the trainer: from a job to its record |
//! | `launch` | command and environment of a cell |
//! | `group` | process groups, and ending them |
//! | `process` | running a process until it ends, times out or is stopped |
//! | `lines` | lines of an output of any length |
//! | `log` | the log of a cell, capped and compressed |
//! | `output` | sorting lines into metrics and log |
//! | `report` | what is found in a line: JSON, or regular expressions |
//! | `csv` | metrics in a CSV file |
//! | `evaluations` | reported values in the order of steps or epochs |
//! | `leftovers` | processes that left their group, or whose run was killed |

mod csv;
mod evaluations;
mod group;
mod hint;
mod launch;
mod leftovers;
mod lines;
mod log;
mod output;
mod process;
mod report;
mod trainer;

pub use group::end_all;
pub use trainer::{CELLS_FOLDER, ProgramTrainer};
