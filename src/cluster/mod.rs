//! Queues of clusters: Slurm and HyperQueue.
//!
//! A submission divides the missing cells of an experiment into tasks and hands them to the queue as one array. Each
//! task is a process `ablate worker`, which trains its cells and shares the results folder with the others. All that a
//! submission needs is in the folder `.submit` of the results folder: its list of tasks `N.json`, its script `N.sh`, and
//! the logs of its tasks.

mod hyperqueue;
mod script;
mod slurm;
mod submission;

pub use hyperqueue::HyperQueue;
pub use script::Task;
pub use slurm::Slurm;
pub use submission::{FOLDER, Place, Scheduler, Submission, submissions};

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Stdio};

/// An error of a queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Its program is not installed.
    #[error(
        "cannot run `{program}`: {cause}; {scheduler} must be installed where jobs are submitted (`--dry-run` shows the \
         script without it)"
    )]
    Missing {
        /// The program.
        program: &'static str,
        /// The queue.
        scheduler: &'static str,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// Its program failed.
    #[error("`{command}` failed: {message}")]
    Failed {
        /// The command.
        command: String,
        /// What it printed.
        message: String,
    },
    /// Its program printed something else than expected.
    #[error("cannot read what `{command}` printed: {message}")]
    Output {
        /// The command.
        command: String,
        /// What it printed.
        message: String,
    },
}

/// A task of an array that a queue knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its state in the words of the queue, such as `RUNNING`.
    pub state: String,
    /// The machine where it runs, or why it waits.
    pub place: String,
    /// How long it has run.
    pub time: String,
}

impl Queued {
    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        matches!(self.state.as_str(), "RUNNING" | "COMPLETING")
    }
}

/// The tasks of an array that have not ended, by their number.
pub type Queue = BTreeMap<usize, Queued>;

/// Runs a program of a queue and returns what it printed.
fn run(
    scheduler: &'static str,
    program: &'static str,
    arguments: &[&str],
) -> Result<String, QueueError> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| QueueError::Missing {
            program,
            scheduler,
            cause,
        })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(QueueError::Failed {
            command: [&[program], arguments].concat().join(" "),
            message: match text(&output.stderr) {
                error if error.is_empty() => output.status.to_string(),
                error => error,
            },
        }),
    }
}
