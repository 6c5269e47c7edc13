//! The layers and models of the zoo for one net, in burn's idiom: `Config::new(..).with_..(..)`,
//! `init(&device)`, a `Tensor<2>` of features or images as `[batch, channels, height, width]` in and
//! out, and no axis of replicas.
//!
//! As in burn-nn, the device decides how a layer runs: on one that records gradients it trains, after
//! `valid()` it evaluates, and `freeze()` is honoured. Training passes draw new dropout masks on their
//! own. [`seed`] makes a program reproducible; `with_seed` gives one module a seed of its own.
//!
//! | config | module |
//! |---|---|
//! | [`BatchNormConfig`], [`LayerNormConfig`], [`GroupNormConfig`] | [`Norm`] |
//! | [`DropoutConfig`] | [`Dropout`] |
//! | [`DenseBlockConfig`], [`ConvBlockConfig`] | [`DenseBlock`], [`ConvBlock`] |
//! | [`MlpConfig`], [`CnnConfig`], [`ResnetConfig`] | [`Mlp`], [`Cnn`], [`Resnet`] |
//!
//! Each module wraps its stacked counterpart with one replica. `from_stacked` and `stacked` cross over, for
//! example to use one replica of a trained stack ([`Stacked`](crate::Stacked)).
//!
//! ```
//! use ablate_models::Activation;
//! use ablate_models::plain::{BatchNormConfig, DenseBlock, DenseBlockConfig, Norm};
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Device, Tensor};
//!
//! #[derive(Module, Debug)]
//! struct Net {
//!     hidden: DenseBlock,
//!     norm: Norm,
//!     head: Linear,
//! }
//!
//! impl Net {
//!     fn forward(&self, x: Tensor<2>) -> Tensor<2> {
//!         self.head.forward(self.norm.forward(self.hidden.forward(x)))
//!     }
//! }
//!
//! let device = Device::flex().autodiff();
//! let net = Net {
//!     hidden: DenseBlockConfig::new(64, 32)
//!         .with_activation(Activation::Gelu)
//!         .with_dropout(0.2)
//!         .init(&device),
//!     norm: BatchNormConfig::new(32).with_scale(false).init(&device),
//!     head: LinearConfig::new(32, 10).init(&device),
//! };
//! let images = Tensor::<2>::ones([8, 64], &device);
//! let trained_on = net.forward(images.clone());
//! let evaluated = net.valid().forward(images.inner());
//! assert_eq!(trained_on.dims(), evaluated.dims());
//! ```

mod block;
mod dropout;
mod models;
mod norm;

pub use block::{ConvBlock, ConvBlockConfig, DenseBlock, DenseBlockConfig};
pub use dropout::{Dropout, DropoutConfig};
pub use models::{Cnn, CnnConfig, Mlp, MlpConfig, Resnet, ResnetConfig};
pub use norm::{BatchNormConfig, GroupNormConfig, LayerNormConfig, Norm};

use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::Pass;
use burn::tensor::{Device, Tensor};
use std::sync::atomic::{AtomicU64, Ordering};

/// The seed of the next module that is given none.
static NEXT_SEED: AtomicU64 = AtomicU64::new(0);

/// Sets the seed of all modules that are built from now on without a seed of their own. Each of them
/// gets another one, so that two layers of the same size start differently.
pub fn seed(seed: u64) {
    NEXT_SEED.store(seed.wrapping_mul(1 << 32), Ordering::Relaxed);
}

/// One replica on `device`, with `seed` or the next one.
fn start(seed: Option<u64>, device: &Device) -> Start {
    let seed = seed.unwrap_or_else(|| NEXT_SEED.fetch_add(1, Ordering::Relaxed));
    Start::new([seed], device)
}

/// Training on a device that records gradients, evaluation on others.
fn pass<const D: usize>(x: &Tensor<D>) -> Pass<'static> {
    match x.device().is_autodiff() {
        true => Pass::train(),
        false => Pass::evaluate(),
    }
}

/// `module`, or a panic with the message of the error.
fn built<M>(module: Result<M, ConfigError>) -> M {
    module.unwrap_or_else(|error| panic!("{error}"))
}

/// Declares methods that set one value of a configuration.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($($field:ident).+: $kind:ty);)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, value: $kind) -> Self {
                self.$($field).+ = value;
                self
            }
        )*
    };
}
use setters;
