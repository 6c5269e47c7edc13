//! Configurable MLP and CNN blocks on burn, with a replica axis and named random streams.

pub mod ablation;

pub mod affine;
pub mod block;
pub mod chain;
pub mod cnn;
pub mod conv;
pub mod dropout;
pub mod error;
pub mod fold;
pub mod init;
pub mod linear;
pub mod mlp;
pub mod norm;

pub mod pass;
pub mod running;

#[cfg(test)]
#[path = "../kernels/tests/support/testing.rs"]
mod testing;
pub mod zoo;

pub use ablate_kernels::Activation;
pub use ablate_kernels::activation;
pub use ablate_streams as streams;
pub use error::ConfigError;
pub use init::Start;
pub use pass::Pass;
