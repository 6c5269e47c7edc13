//! Work in processes of its own, so that a crash of a device or of its driver fails a job and not
//! the run.
//!
//! A worker is this program once more. It reads a [`Request`] a line from standard input and answers
//! it on standard output: [`Reply::Progress`] as often as it likes, then one other [`Reply`]. It works
//! on one request at a time and ends with its standard input, so with the process that started it.
//! [`Workers`] starts them, keeps the healthy ones for the next request, and says what happened to
//! one that died. A further kind of request takes a variant of each enum and an arm in `answer`.

mod client;
mod error;
mod protocol;
mod server;
mod trainer;

pub use client::Workers;
pub use error::WorkerError;
pub use protocol::{Reply, Request};
pub use server::serve;
pub use trainer::WorkerTrainer;

#[cfg(all(test, unix))]
mod tests;
