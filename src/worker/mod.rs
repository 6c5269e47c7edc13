//! Worker processes, so that a crash of a device or its driver fails one job and not the run.
//!
//! A worker is a child process of this program, started as `ablate serve`. It reads requests from
//! standard input, one JSON line each, and writes replies to standard output: any number of
//! [`Reply::Progress`], then one other [`Reply`]. It handles one [`Request`] at a time and ends when
//! its standard input closes, that is, when its parent process ends.
//!
//! While it handles a request it sends [`Reply::Alive`] every few seconds. A worker that stops doing so, or that
//! neither computes nor makes progress, is killed.
//!
//! [`Workers`] starts workers, reuses the healthy ones, and reports how one died. To add a request,
//! add a variant to both enums and a case to `answer` in the server.

mod client;
mod error;
mod protocol;
mod server;
mod trainer;
mod watchdog;

pub use client::Workers;
pub use error::WorkerError;
pub use protocol::{Reply, Request};
pub use server::serve;
pub use trainer::WorkerTrainer;

#[cfg(all(test, unix))]
mod tests;
