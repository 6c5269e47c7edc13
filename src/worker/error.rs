//! What can happen to a worker.

use std::io;

/// Why a worker gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It could not be started.
    #[error("cannot start a worker process: {0}")]
    Start(#[source] io::Error),
    /// It ended, or closed its output, before it had answered.
    #[error("the worker process ended before it was done: {how}{said}", said = said(.last))]
    Ended {
        /// How it ended: `signal: 9 (SIGKILL)`, `exit status: 101`.
        how: String,
        /// The last lines of its standard error.
        last: String,
    },
    /// It said something else than a reply.
    #[error("the worker process answered what is no reply: `{0}`")]
    Garbage(String),
    /// It said why there is no answer.
    #[error("{0}")]
    Failed(String),
    /// It answered another question.
    #[error(
        "the worker process answered another question than it was asked; report it as a defect"
    )]
    Unexpected,
}

fn said(last: &str) -> String {
    match last {
        "" => String::new(),
        last => format!("; it said last: {last}"),
    }
}
