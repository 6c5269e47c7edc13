//! `ablate serve`: a worker process, started by other processes of this program.

use super::exit::Code;
use super::exit::Failure;
use crate::worker;
use std::io::{self, BufReader};

/// Name of the verb.
pub(crate) const VERB: &str = "serve";

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Args {}

pub(super) fn serve() -> Result<Code, Failure> {
    // Ctrl-C reaches the parent process too, and the parent decides when its workers end.
    ctrlc::set_handler(|| ())
        .map_err(|e| Failure::internal(format!("cannot listen for signals: {e}")))?;
    worker::serve(BufReader::new(io::stdin()), io::stdout())
        .map_err(|e| Failure::unavailable(format!("cannot write to standard output: {e}")))?;
    Ok(Code::Done)
}
