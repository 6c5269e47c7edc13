//! The list of norm kinds, as configuration and as layer.

use super::affine::{Affine, AffineConfig};
use super::batch::{BatchNorm, BatchNormConfig};
use super::group::{GroupNorm, GroupNormConfig, LayerNormConfig};
use super::interface::{BuildNorm, NormLayer, NormSettings};
use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::Pass;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Declares [`NormConfig`] and [`Norm`] from a list of kinds, each with its settings and its layer.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($settings:ident) -> $layer:ident;)*) => {
        /// The normalization of a block; in files, a table with the key `kind`.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case", from = "Strict")]
        pub enum NormConfig {
            /// No normalization.
            #[default]
            None,
            $($(#[$doc])* $kind($settings),)*
        }

        /// [`NormConfig`] as it is read: serde accepts any key beside the tag of a unit variant.
        #[derive(Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
        enum Strict {
            None {},
            $($kind($settings),)*
        }

        impl From<Strict> for NormConfig {
            fn from(read: Strict) -> Self {
                match read {
                    Strict::None {} => Self::None,
                    $(Strict::$kind(settings) => Self::$kind(settings),)*
                }
            }
        }

        impl NormConfig {
            fn settings(&self) -> Option<&dyn NormSettings> {
                match self {
                    Self::None => None,
                    $(Self::$kind(settings) => Some(settings),)*
                }
            }

            fn build(
                &self,
                channels: usize,
                affine: Affine,
                start: &Start,
            ) -> Result<Option<Norm>, ConfigError> {
                match self {
                    Self::None => Ok(None),
                    $(Self::$kind(settings) => {
                        let layer = settings.build(channels, affine, start)?;
                        Ok(Some(Norm::$kind(layer)))
                    })*
                }
            }
        }

        /// The normalization layer of a block; see [`NormConfig`].
        #[derive(Module, Debug)]
        pub enum Norm {
            $($(#[$doc])* $kind($layer),)*
        }

        impl Norm {
            fn layer(&self) -> &dyn NormLayer {
                match self { $(Self::$kind(layer) => layer,)* }
            }

            fn layer_mut(&mut self) -> &mut dyn NormLayer {
                match self { $(Self::$kind(layer) => layer,)* }
            }
        }
    };
}

kinds! {
    /// Batch normalization (Ioffe and Szegedy 2015): over the batch, for each channel.
    Batch(BatchNormConfig) -> BatchNorm;
    /// Layer normalization (Ba, Kiros and Hinton 2016): over the features of one example.
    Layer(LayerNormConfig) -> GroupNorm;
    /// Group normalization (Wu and He 2018): over groups of channels of one example.
    Group(GroupNormConfig) -> GroupNorm;
    /// A learned scale and center without normalization: a norm without its statistics.
    Affine(AffineConfig) -> Affine;
}

impl NormConfig {
    /// True if the norm subtracts the mean of each channel and then adds a learned center, so that a
    /// bias directly before it is redundant.
    pub fn replaces_bias(&self) -> bool {
        self.settings().is_some_and(NormSettings::replaces_bias)
    }

    /// Number of learned parameters per channel.
    pub fn learned_vectors(&self) -> usize {
        usize::from(self.has_scale()) + usize::from(self.has_center())
    }

    /// True for every kind except `none`.
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// True if the norm learns a scale.
    pub fn has_scale(&self) -> bool {
        self.affine().scale
    }

    /// True if the norm learns a center.
    pub fn has_center(&self) -> bool {
        self.affine().center
    }

    fn affine(&self) -> AffineConfig {
        const NOTHING: AffineConfig = AffineConfig {
            scale: false,
            center: false,
        };
        self.settings().map_or(NOTHING, NormSettings::affine)
    }

    /// Checks the settings that do not depend on the number of channels.
    ///
    /// # Errors
    /// If a value is out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.settings().map_or(Ok(()), NormSettings::check)
    }

    /// Builds the norm over `channels`, with centers that start at `center`; `None` for no norm.
    ///
    /// # Errors
    /// If the groups do not divide the channels.
    pub fn init(
        &self,
        channels: usize,
        center: f64,
        start: &Start,
    ) -> Result<Option<Norm>, ConfigError> {
        let affine = self.affine().init(channels, center, start);
        self.build(channels, affine, start)
    }
}

impl Norm {
    /// Applies the norm.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch * positions, channels]`, positions fastest
    /// - output: as `x`
    pub fn forward(&self, x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        self.layer().normalize(x, positions, pass)
    }

    /// The learned scale and center.
    pub fn affine(&self) -> &Affine {
        self.layer().affine()
    }

    /// The learned scale and center, mutable.
    pub fn affine_mut(&mut self) -> &mut Affine {
        self.layer_mut().affine_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{for_each_device, values};
    use burn::module::Param;

    #[test]
    fn scale_and_center_switched_off_are_absent() {
        for_each_device(|device| {
            let start = Start::new([1], device).double();
            for (scale, center) in [(false, false), (false, true), (true, false), (true, true)] {
                for config in [
                    NormConfig::Batch(BatchNormConfig {
                        scale,
                        center,
                        ..BatchNormConfig::default()
                    }),
                    NormConfig::Layer(LayerNormConfig {
                        scale,
                        center,
                        ..LayerNormConfig::default()
                    }),
                ] {
                    let norm = config.init(3, 0.5, &start).expect("can be built");
                    let norm = norm.expect("a norm");
                    let list = |param: &Option<Param<Tensor<2>>>| {
                        param.as_ref().map(|param| values(param.val()))
                    };
                    let affine = norm.affine();
                    assert_eq!(list(&affine.scale), scale.then(|| vec![1.0; 3]));
                    assert_eq!(list(&affine.center), center.then(|| vec![0.5; 3]));
                }
            }
        });
    }
}
