//! Configurable MLP and CNN blocks on burn, with a replica axis and named random streams.

pub mod ablation;
pub mod activation;
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
pub mod ops;
pub mod pass;
pub mod running;
pub mod streams;
#[cfg(test)]
#[path = "../tests/support/testing.rs"]
mod testing;
pub mod zoo;

pub use activation::Activation;
pub use error::ConfigError;
pub use init::Start;
pub use pass::Pass;
