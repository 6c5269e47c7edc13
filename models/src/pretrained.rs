//! Trained weights that come with the crate.
//!
//! The folder `weights/` of the crate has a safetensors file and a card per net. The card, a TOML file, says
//! how the net was trained, how pixels become inputs, and how accurate it is.

/// A trained net.
#[derive(Clone, Copy, Debug)]
pub struct Pretrained {
    /// Its name, that of its preset.
    pub name: &'static str,
    /// Its card, TOML.
    pub card: &'static str,
    /// Its weights, the content of a safetensors file; read it with
    /// [`Weights::from_safetensors`](crate::interchange::Weights::from_safetensors).
    pub weights: &'static [u8],
}

macro_rules! pretrained {
    ($($name:literal),* $(,)?) => {
        /// Every trained net.
        pub const PRETRAINED: &[Pretrained] = &[$(Pretrained {
            name: $name,
            card: include_str!(concat!("../weights/", $name, ".toml")),
            weights: include_bytes!(concat!("../weights/", $name, ".safetensors")),
        },)*];
    };
}

pretrained!(
    "linear",
    "mlp-digits",
    "mlp-digits-bn",
    "cnn-digits",
    "cnn-digits-bn",
    "lenet5-mnist",
);
