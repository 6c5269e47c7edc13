//! Models by configuration and by name.

mod model;
mod presets;

pub use model::{Cost, Model, ModelConfig};
pub use presets::{PRESETS, Preset, preset};
