//! Blocks: a linear layer or convolution followed by norm, activation and dropout.
//!
//! The order is `linear, [dropout,] norm, activation, dropout` or, with the norm after the activation,
//! `linear, activation, [dropout,] norm, dropout`. Everything after the linear layer is the block's
//! *epilogue*.

mod config;
mod epilogue;
mod layers;

pub use ablate_kernels::Position;
pub use config::{Bias, BlockConfig, InitConfig};
pub use epilogue::Epilogue;
pub use layers::{ConvBlock, DenseBlock};
