//! The command line as a process: what people and scripts see of it.

mod bench;
mod compare;
mod data;
mod errors;
mod gpu;
mod isolation;
mod listings;
mod reports;
mod runs;
mod stops;
