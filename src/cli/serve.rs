//! `ablate serve`, which other processes of this program start.

use super::exit::Code;
use super::exit::Failure;
use crate::worker;
use std::io::{self, BufReader};

/// Its name on the command line.
pub(crate) const VERB: &str = "serve";

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Args {}

pub(super) fn serve() -> Result<Code, Failure> {
    // Whoever started this process decides when it ends, and hears the same signals.
    ctrlc::set_handler(|| ())
        .map_err(|e| Failure::internal(format!("cannot listen for signals: {e}")))?;
    worker::serve(BufReader::new(io::stdin()), io::stdout())
        .map_err(|e| Failure::unavailable(format!("cannot write to standard output: {e}")))?;
    Ok(Code::Done)
}
