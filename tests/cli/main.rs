//! Tests of the command line as a process: output, files and exit codes.

mod bench;
mod compare;
mod data;
mod errors;
mod export;
mod fsck;
mod gpu;
mod hostile;
mod isolation;
mod judge;
mod listings;
mod looks;
mod new;
mod program;
mod reports;
mod runs;
mod sharing;
mod shows;
mod stops;
mod train;
mod variants;
mod vs;
mod weights;
