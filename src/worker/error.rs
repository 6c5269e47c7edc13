//! Errors of worker processes.

use std::io;

/// A request that a worker process did not answer.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The process cannot be started.
    #[error("cannot start a worker process: {0}")]
    Start(#[source] io::Error),
    /// The process ended or closed its output before it answered.
    #[error("the worker process ended before it finished: {how}{output}", output = output(.last))]
    Ended {
        /// Exit status or signal, such as `signal: 9 (SIGKILL)` or `exit status: 101`.
        how: String,
        /// The last lines of its standard error.
        last: String,
    },
    /// The process did nothing for too long; it was killed.
    #[error("the worker process was killed, because {0}")]
    Stuck(String),
    /// The process wrote something that is not a reply.
    #[error("the worker process sent an invalid reply: `{0}`")]
    Invalid(String),
    /// The worker reported an error.
    #[error("{0}")]
    Failed(String),
    /// The reply is of the wrong kind.
    #[error("the worker process sent the wrong kind of reply; please report this as a bug")]
    Unexpected,
}

fn output(last: &str) -> String {
    match last {
        "" => String::new(),
        last => format!("; its last output: {last}"),
    }
}
