//! Trained weights in PyTorch's names and layouts, in safetensors files.
//!
//! [`Network`] lists the layers of a model as a plain `nn.Sequential` has them. A tensor is called after
//! its place in that list: `1.weight` is the weight of layer 1. Images are `[batch, channels, height,
//! width]`, as in PyTorch; the first dense layer behind a flatten is permuted accordingly.
//!
//! | here | in PyTorch |
//! |---|---|
//! | convolution, `[kernel * kernel * inputs, outputs]` | `nn.Conv2d`, `[outputs, inputs, kernel, kernel]` |
//! | dense layer, `[inputs, outputs]` | `nn.Linear`, `[outputs, inputs]` |
//! | batch norm | `nn.BatchNorm1d`, `nn.BatchNorm2d`; running averages after bias correction |
//! | layer norm of dense layers | `nn.LayerNorm` |
//! | layer norm of convolutions, group norm | `nn.GroupNorm` |
//! | scale and center without statistics | a convolution with one weight per channel |
//! | a residual part | `Residual`, an `nn.Sequential` that adds its input |
//! | a residual part that changes the shape | `Projected`, an `nn.ModuleList` of it and of a 1x1 convolution |
//!
//! PyTorch's norms have both scale and center or neither. A missing scale is written as ones and a missing
//! center as zeros, and only those are read back.
//!
//! ```
//! use ablate_models::interchange::{Network, Weights};
//! use ablate_models::{Start, zoo};
//! use burn::tensor::Device;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let preset = zoo::preset("mlp-digits").expect("a preset");
//! let network = Network::new(preset.config(), preset.input, preset.classes)?;
//! let start = Start::new([0], &Device::flex());
//! let model = network.config().init(preset.input, preset.classes, &start)?;
//!
//! let bytes = network.export(&model, 0)?.to_safetensors()?;
//! let again = network.import(&Weights::from_safetensors(&bytes)?, &start)?;
//! # let _ = again;
//! println!("{}", network.python());
//! # Ok(())
//! # }
//! ```

mod build;
mod error;
mod layers;
mod parts;
mod python;
mod slots;
mod weights;

pub use error::WeightsError;
pub use layers::{Layer, LayerKind, NormKind};
pub use weights::{HostTensor, Weights};

use crate::error::ConfigError;
use crate::init::Start;
use crate::zoo::{Model, ModelConfig};
use parts::{Parts, PartsMut};
use slots::{Slot, slots};

/// A model's configuration for images of one size, with its layers as PyTorch has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    config: ModelConfig,
    input: [usize; 3],
    classes: usize,
    layers: Vec<Layer>,
}

impl Network {
    /// The layers of `config` for images of size `input` (height, width, channels).
    ///
    /// # Errors
    /// If the configuration is invalid, does not fit the images, or is not of the zoo.
    pub fn new(
        config: ModelConfig,
        input: [usize; 3],
        classes: usize,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            layers: build::layers(&config, input, classes)?,
            config,
            input,
            classes,
        })
    }

    /// The configuration.
    pub const fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Height, width and channels of the images.
    pub const fn input(&self) -> [usize; 3] {
        self.input
    }

    /// Number of classes.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// The layers, in order from the input.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The model as Python code: an `nn.Sequential` called `model`, for images `[batch, channels, height,
    /// width]`.
    pub fn python(&self) -> String {
        python::module(&self.layers)
    }

    /// The weights of one replica of `model`, in single precision.
    ///
    /// # Errors
    /// If `model` was built from another configuration, or has fewer replicas.
    pub fn export(&self, model: &Model, replica: usize) -> Result<Weights, WeightsError> {
        let parts = Parts::of(model)?;
        let slots = slots(&self.layers);
        let named = slots.into_iter().map(|slot| {
            let values = match slot.constant {
                Some(constant) => vec![constant; slot.elements()],
                None => slot.in_torch_order(&parts.values(&slot, replica)?),
            };
            let Slot { name, shape, .. } = slot;
            Ok((name, HostTensor { shape, values }))
        });
        named.collect::<Result<_, _>>().map(Weights)
    }

    /// `weights` without what PyTorch saves and the model does not need: the numbers of batches that norms
    /// have seen.
    ///
    /// # Errors
    /// As for [`Self::import`].
    pub fn adopt(&self, weights: &Weights) -> Result<Weights, WeightsError> {
        let slots = slots(&self.layers);
        weights.check(&slots)?;
        let needed = slots.into_iter().filter_map(|slot| {
            let tensor = weights.0.get(&slot.name)?.clone();
            Some((slot.name, tensor))
        });
        Ok(Weights(needed.collect()))
    }

    /// A model of one replica with these weights, on the device and in the precision of `start`, whose
    /// seed names the streams of its dropout masks.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, of another shape or not finite, or if one that stands for a scale
    /// or center that the configuration does not have is not all ones or zeros.
    ///
    /// # Panics
    /// If `start` has more or less than one seed.
    pub fn import(&self, weights: &Weights, start: &Start) -> Result<Model, WeightsError> {
        assert_eq!(start.replicas(), 1, "weights are those of one replica");
        let slots = slots(&self.layers);
        weights.check(&slots)?;
        let mut model = self.config.init(self.input, self.classes, start)?;
        let mut parts = PartsMut::of(&mut model)?;
        for slot in slots.iter().filter(|slot| slot.constant.is_none()) {
            // Checked above.
            if let Some(found) = weights.0.get(&slot.name) {
                parts.set(slot, slot.in_our_order(&found.values), start)?;
            }
        }
        parts.finish();
        Ok(model)
    }
}
