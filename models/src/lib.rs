//! Configurable multilayer perceptrons, convolutional and residual networks on burn.
//!
//! There are two faces on the same layers:
//!
//! - **[`plain`]**: one net in burn's idiom. `Config::new(..).init(&device)`, then `forward` with a
//!   `Tensor<2>` or images. Start here.
//! - **Stacked**: every parameter has a leading axis of replicas. [`Start`] lists one seed per replica,
//!   and all replicas train at once as one model. On CPUs a replica of a stack is bit-identical to the
//!   same seed trained alone. [`Stacked`] takes replicas out, puts them together and averages them.
//!   Replicas share no parameter: sum the losses of all replicas and call `backward` once.
//!
//! Start weights and dropout masks come from **named random streams** ([`streams`]): they depend only on
//! the seed, the module path and the training step. Removing a bias or adding a norm changes no other
//! start value, so models that differ in one setting can be compared seed by seed.
//!
//! The inner loops rely on optimization. In a debug build, add to the profile:
//!
//! ```toml
//! [profile.dev.package]
//! ablate-kernels = { opt-level = 3 }
//! ablate-models = { opt-level = 2 }
//! ```
//!
//! | module | contents |
//! |---|---|
//! | [`plain`] | models, blocks, norms and dropout for one net |
//! | [`mlp`], [`cnn`], [`resnet`] | the families of models |
//! | [`zoo`] | any family by configuration, and presets by name |
//! | [`block`] | linear layer or convolution, norm, activation and dropout in a configurable order |
//! | [`linear`], [`conv`], [`norm`], [`dropout`], [`activation`] | the layers |
//! | [`init`], [`pass`] | start values; training and evaluation passes |
//! | [`stack`] | replicas taken out of a stack, put together and averaged |
//! | [`inspect`] | analysis of trained models: unit removal, an MLP on the host, folding of norms |
//! | [`interchange`] | trained weights in PyTorch's names and layouts, as safetensors |
//! | [`pretrained`] | trained weights that come with the crate |
//!
//! # Example
//!
//! ```
//! use ablate_models::block::{BlockConfig, Position};
//! use ablate_models::mlp::MlpConfig;
//! use ablate_models::norm::{BatchNormConfig, NormConfig};
//! use ablate_models::{ConfigError, Pass, Start};
//! use burn::tensor::{Device, Tensor};
//!
//! # fn main() -> Result<(), ConfigError> {
//! let config = MlpConfig {
//!     hidden: vec![128, 128],
//!     block: BlockConfig {
//!         norm: NormConfig::Batch(BatchNormConfig::default()),
//!         position: Position::Before,
//!         ..BlockConfig::default()
//!     },
//!     last_block: None,
//! };
//! let device = Device::flex();
//! // Three seeds, one stacked model.
//! let model = config.init(64, 10, &Start::new([0, 1, 2], &device))?;
//! let images = Tensor::<3>::zeros([3, 32, 64], &device);
//! let logits = model.forward(images, &Pass::evaluate());
//! assert_eq!(logits.dims(), [3, 32, 10]);
//! # Ok(())
//! # }
//! ```

pub mod block;
pub mod cnn;
pub mod conv;
pub mod dropout;
pub mod error;
pub mod init;
pub mod inspect;
pub mod interchange;
pub mod linear;
pub mod mlp;
pub mod norm;
pub mod pass;
pub mod plain;
pub mod pretrained;
pub mod resnet;
pub mod stack;
#[cfg(test)]
#[path = "../kernels/tests/support/testing.rs"]
mod testing;
mod training_flag;
pub mod zoo;

pub use ablate_kernels::activation;
pub use ablate_kernels::{Activation, Geometry, Padding, Position};
pub use ablate_streams as streams;
pub use error::ConfigError;
pub use init::Start;
pub use pass::Pass;
pub use stack::Stacked;
