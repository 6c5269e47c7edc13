//! Models by configuration and by name, and the interface of models of one's own.
//!
//! A model that is not of the zoo implements two traits: its configuration is an [`Architecture`], the
//! model a [`Classifier`]. Plain burn modules implement [`PlainClassifier`] and train as [`PerSeed`].

mod architecture;
mod config;
mod cost;
mod custom;
mod erased;
mod model;
mod per_seed;
mod presets;

pub use architecture::{Architecture, Classifier, ParameterGroup, ParameterRules};
pub use config::{ModelConfig, Sizes};
pub use cost::Cost;
pub use custom::{CustomConfig, CustomModel};
pub use model::{Model, Parts};
pub use per_seed::{PerSeed, PlainClassifier};
pub use presets::{PRESETS, Preset, preset};
