//! The heavy operations, each with a plain burn version that serves every backend.

mod plain;

pub use plain::{avg_pool2d, conv2d, cross_entropy, max_pool2d};
